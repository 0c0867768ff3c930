import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import { preframe } from "../../gateway/preframe.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { sessionId, worldName } from "../../src/kernel/ids.ts";
import {
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
} from "../../src/protocol/client-messages.ts";
import { encodeFrame, type FrameHead } from "../../src/protocol/frame.ts";

export const SOURCE_EPOCH = epochAt(1, 10);
const INDEX = 5;

/** One who sends whatever it is told to: a gateway without rooms, for who has to read it. */
export class FrameSource {
  readonly url: string;
  /** Those that have joined. */
  readonly sockets = new Set<Socket>();
  /** All that came. */
  readonly payloads: Uint8Array[] = [];
  /** Who joined with which attach, and by which session. */
  readonly joins: { readonly attach: number; readonly session: string | null }[] = [];
  /** Into which room, in the same order. */
  readonly rooms: string[] = [];
  /** Answers to joins that wait, where they are held. */
  held: (() => void)[] | undefined;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client, { socket }) => {
      const tell = (...messages: readonly GatewayMessage[]): void => {
        for (const message of messages) client.send(gatewayToClient.encode(message));
      };
      client.on("message", (data: Buffer) => {
        const payload = new Uint8Array(data);
        this.payloads.push(payload);
        const told = clientToGateway.decode(payload, 1);
        const [message] = told.ok ? told.value : [];
        if (message?.type === "hello") tell(WELCOME);
        if (message?.type !== "join") return;
        const { attach, channel, room, session } = message;
        this.joins.push({ attach, session });
        this.rooms.push(room);
        const answer = (): void => {
          tell({ ...JOINED, attach, channel }, { ...SNAPSHOT, channel });
          this.sockets.add(socket);
        };
        if (this.held) this.held.push(answer);
        else answer();
      });
      client.on("close", () => this.sockets.delete(socket));
      client.on("error", () => undefined);
    });
  }

  static async listen(): Promise<FrameSource> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
    await once(server, "listening");
    return new FrameSource(server);
  }

  /** The same bytes to everybody who has taken what came before. */
  write(buffer: Buffer): number {
    let written = 0;
    for (const socket of this.sockets) {
      if (socket.writableLength > 0) continue;
      socket.write(buffer);
      written++;
    }
    return written;
  }

  /** Every connection breaks. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

/** A frame as it goes over a socket. */
export function sourceFrame(
  over: Partial<FrameHead>,
  rows = new Uint32Array(0),
  messages: readonly GatewayMessage[] = [],
): Buffer {
  const head = { channel: 0, tick: 1, at: Date.now(), epoch: SOURCE_EPOCH, index: INDEX, ...over };
  return preframe(
    encodeFrame(
      head,
      rows,
      rows.length / 4,
      messages.map((one) => gatewayToClient.encode(one)),
    ),
  );
}

const WELCOME: GatewayMessage = {
  type: "welcome",
  version: 1,
  gateway: "source",
  serverTime: 0,
  pingMs: 60_000,
  payloadBytesMax: 32_768,
};
const JOINED: Extract<GatewayMessage, { type: "joined" }> = {
  type: "joined",
  channel: 0,
  session: sessionId("AAAAAAAAAAAAAAAAAAAAAA"),
  token: "t",
  attach: 1,
  slot: 1,
  generation: 1,
  seq: 0,
  tickHz: 10,
  world: worldName("w"),
  replayed: false,
  room: null,
};
const SNAPSHOT: Extract<GatewayMessage, { type: "snapshot" }> = {
  type: "snapshot",
  channel: 0,
  epoch: SOURCE_EPOCH,
  index: INDEX,
  at: 0,
  state: {},
  members: [],
  rows: new Uint8Array(0),
};
