import { clientToGateway, gatewayToClient } from "../../../src/protocol/client-messages.ts";
import { encodePose, FRAME_HEADER_BYTES, FRAME_KIND } from "../../../src/protocol/frame.ts";
import { ROW_BYTES, ROW_WORDS } from "../../../src/protocol/pose-row.ts";
import type { Dialect, Person, Said, Talk } from "./dialect.ts";
import type { Steps } from "./motion.ts";

/** A gateway's wish (`welcome.pingMs`) at its default; the SDK pings as often as it is wished. */
const PING_MS = 5_000;

export const roomName = (room: number): string => `hall-${room}`;

export const dialect: Dialect = {
  beatMs: PING_MS,
  async dial(base, person) {
    const name = `p${person.room}-${person.index}`;
    const response = await fetch(`${base}/dev/token?person=${name}&name=${name}&tenant=demo`);
    const { token } = (await response.json()) as { token: string };
    return new OurTalk(person, token);
  },
};

class OurTalk implements Talk {
  readonly path = "/";
  readonly subprotocol = "roomcluster";
  joined = false;
  readonly #person: Person;
  readonly #token: string;
  readonly #row = new Uint32Array(ROW_WORDS);
  #counter = 0;
  #tick: number | undefined;

  constructor(person: Person, token: string) {
    this.#person = person;
    this.#token = token;
  }

  opened(): readonly Said[] {
    const hello = { versionMin: 1, versionMax: 1, token: this.#token, agent: "density" };
    return [clientToGateway.encode({ type: "hello", ...hello })];
  }

  hear(_text: boolean, payload: Buffer, replies: Said[]): "update" | "other" {
    if (payload[0] === FRAME_KIND) {
      this.#tick = payload.readUInt32LE(4);
      return payload.readUInt16LE(2) > 0 ? "update" : "other";
    }
    if (this.joined) return "other";
    const messages = gatewayToClient.decode(payload, 1024);
    if (!messages.ok) throw new Error("the gateway sent a malformed payload");
    for (const message of messages.value) {
      if (message.type === "welcome") replies.push(this.#join());
      if (message.type === "refused") throw new Error(`refused: ${message.code}`);
      // The last that is told of a join.
      if (message.type === "snapshot") this.joined = true;
    }
    return "other";
  }

  #join(): Said {
    return clientToGateway.encode({
      type: "join",
      channel: 0,
      room: roomName(this.#person.room),
      attach: 1,
      session: null,
      cursor: null,
      profile: { name: `p${this.#person.index}`, color: 1, model: "capsule" },
      transfer: null,
      beside: null,
    });
  }

  pose({ x, y, z, yaw, pitch, reach, animation }: Steps): Said {
    const row = this.#row;
    row[0] = animation << 24;
    row[1] = (x & 0xffffff) | (yaw << 24);
    row[2] = (z & 0xffffff) | ((pitch & 0xff) << 24);
    row[3] = y | (reach << 16);
    return encodePose(0, this.#counter++, row);
  }

  decode(payload: Buffer, row: (key: number, steps: Steps) => void): void {
    const end = FRAME_HEADER_BYTES + payload.readUInt16LE(2) * ROW_BYTES;
    for (let at = FRAME_HEADER_BYTES; at < end; at += ROW_BYTES)
      row(payload.readUInt16LE(at), {
        animation: (payload[at + 3] as number) & 0x7f,
        x: payload.readIntLE(at + 4, 3),
        yaw: payload[at + 7] as number,
        z: payload.readIntLE(at + 8, 3),
        pitch: payload.readInt8(at + 11),
        y: payload.readUInt16LE(at + 12),
        reach: payload.readUInt16LE(at + 14),
      });
  }

  beat(): Said {
    const echoes = this.#tick === undefined ? [] : [{ channel: 0, tick: this.#tick }];
    return clientToGateway.encode({ type: "ping", clientTime: performance.now(), echoes });
  }
}
