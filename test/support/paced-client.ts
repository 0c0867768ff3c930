import { connect, type Socket } from "node:net";
import { systemRandom } from "../../src/kernel/random.ts";
import { UpgradeAnswer, upgradeWith } from "../../src/load/dense/upgrade.ts";
import { type Inflow, inflowOf, WsReader, type WsSink } from "../../src/load/dense/ws-reader.ts";
import { WsWriter } from "../../src/load/dense/ws-writer.ts";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
} from "../../src/protocol/client-messages.ts";
import {
  decodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  type Frame,
} from "../../src/protocol/frame.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { applyPatches } from "../../src/protocol/patches.ts";
import {
  packRow,
  ROW_BYTES,
  ROW_WORDS,
  rowSlot,
  rowsFromBytes,
} from "../../src/protocol/pose-row.ts";

const CHANNEL = 0;
const PROFILE = { name: "paced", color: 1, model: "capsule" };
const upgrade = upgradeWith(systemRandom);
const writer = new WsWriter(systemRandom);

type Head = Pick<Frame, "tick" | "at" | "index"> & { readonly epoch: number };

/**
 * A person on a plain TCP socket, who can stop to read. It keeps what it is told in order, and
 * notes what no gateway may send.
 */
export class PacedClient implements WsSink {
  readonly person: string;
  /** What was wrong with what came. */
  readonly wrong: string[] = [];
  readonly rows = new Map<number, Uint32Array>();
  /** Why there is no connection any more. */
  gone: string | undefined;
  joined: Extract<GatewayMessage, { type: "joined" }> | undefined;
  index = 0;
  snapshots = 0;
  frames = 0;
  /** Ticks that no frame came of. */
  skipped = 0;
  bytes = 0;
  tick = 0;
  epoch = 0;
  state: unknown = null;
  /** Decodes all of every frame. */
  looks = true;
  /** Hears of every frame: its tick and room time. */
  onFrame: ((tick: number, at: number) => void) | undefined;
  /** Hears the rows of those that are decoded. */
  onRows: ((tick: number, rows: Uint32Array) => void) | undefined;
  readonly #socket: Socket;
  readonly #reader = new WsReader(this);
  readonly #hello: () => void;
  #answer: UpgradeAnswer | undefined = new UpgradeAnswer();
  #counter = 0;

  constructor(url: string, room: string, who: { readonly person: string; readonly token: string }) {
    this.person = who.person;
    const { hostname, port } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true }, () =>
      this.#socket.write(upgrade.request(`${hostname}:${port}`)),
    );
    this.#socket.on("data", (data: Buffer) => this.#read(data));
    this.#socket.on("error", (error) => {
      this.gone ??= error.message;
    });
    this.#socket.on("close", () => {
      this.gone ??= "closed";
    });
    const { token } = who;
    this.#hello = () => {
      this.send({ type: "hello", versionMin: 1, versionMax: 1, token, agent: "paced" });
      const join = { room, attach: 1, session: null, cursor: null, profile: PROFILE };
      this.send({ type: "join", channel: CHANNEL, ...join, transfer: null, beside: null });
    };
  }

  /** In, and with a snapshot. */
  get isIn(): boolean {
    return this.joined !== undefined && this.snapshots > 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  send(message: ClientMessage): void {
    this.#socket.write(writer.message(clientToGateway.encode(message)));
  }

  pose(x: number, z: number): void {
    const row = new Uint32Array(ROW_WORDS);
    packRow(row, 0, 0, 0, { x, y: 0, z, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 1 });
    this.#socket.write(writer.pose(CHANNEL, ++this.#counter, row));
  }

  ping(): void {
    const echoes = this.tick > 0 ? [{ channel: CHANNEL, tick: this.tick }] : [];
    this.send({ type: "ping", clientTime: performance.now(), echoes });
  }

  command(seq: number, name: string, body: unknown): void {
    const rest = { resent: false, traceparent: null };
    this.send({ type: "command", channel: CHANNEL, seq, name, body: encode(body), ...rest });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    this.bytes += data.length;
    const inflow = inflowOf(data);
    if (!this.#answer) return this.#reader.read(inflow, 0, data.length);
    const end = this.#answer.take(data, data.length);
    if (end === undefined) return;
    const refusal = upgrade.refusal(this.#answer.head);
    this.#answer = undefined;
    if (refusal !== undefined) {
      this.gone = refusal;
      return;
    }
    this.#hello();
    this.#reader.read(inflow, end, data.length);
  }

  message({ bytes }: Inflow, at: number, length: number): void {
    const payload = bytes.subarray(at, at + length);
    if (payload[0] === FRAME_KIND) return this.#frame(payload);
    const decoded = gatewayToClient.decode(payload, MESSAGES_PER_PAYLOAD_MAX);
    if (!decoded.ok) return void this.wrong.push("a run that does not decode");
    for (const message of decoded.value) this.#told(message);
  }

  pinged(): void {}

  closed(code: number): void {
    this.gone ??= `closed ${code}`;
  }

  broken(why: string): void {
    this.wrong.push(why);
  }

  #frame(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const rowsEnd = FRAME_HEADER_BYTES + view.getUint16(2, true) * ROW_BYTES;
    if (this.looks || rowsEnd < payload.length) return this.#decode(payload);
    // Of a thousand who are sent the same it is enough to look at heads.
    this.#head({
      tick: view.getUint32(4, true),
      at: view.getFloat64(8, true),
      epoch: view.getFloat64(16, true),
      index: view.getFloat64(24, true),
    });
  }

  #decode(payload: Uint8Array): void {
    const decoded = decodeFrame(payload);
    if (!decoded.ok) return void this.wrong.push("a frame that does not decode");
    const { rows, messages } = decoded.value;
    if (this.looks) this.#take(rows);
    for (const message of messages) this.#told(message);
    this.#head(decoded.value);
    this.onRows?.(decoded.value.tick, rows);
  }

  #head({ tick, epoch, at, index }: Head): void {
    if (epoch < this.epoch) this.wrong.push(`epoch ${epoch} after ${this.epoch}`);
    else if (epoch === this.epoch && tick <= this.tick)
      this.wrong.push(`tick ${tick} after ${this.tick}`);
    if (epoch === this.epoch) this.skipped += tick - this.tick - 1;
    if (index > this.index) this.wrong.push(`a frame at ${index}, told up to ${this.index}`);
    this.epoch = epoch;
    this.tick = tick;
    this.frames++;
    this.onFrame?.(tick, at);
  }

  #take(rows: Uint32Array): void {
    for (let at = 0; at < rows.length; at += ROW_WORDS)
      this.rows.set(rowSlot(rows, at), rows.slice(at, at + ROW_WORDS));
  }

  #told(message: GatewayMessage): void {
    switch (message.type) {
      case "joined":
        this.joined = message;
        return;
      case "snapshot":
        this.snapshots++;
        this.index = message.index;
        this.state = message.state;
        return this.#take(rowsFromBytes(message.rows) ?? new Uint32Array(0));
      case "record": {
        const { index, patches } = message.record;
        if (index !== this.index + 1) this.wrong.push(`record ${index} after ${this.index}`);
        this.index = index;
        if (!applyPatches(this.state, patches)) this.wrong.push(`record ${index} leads nowhere`);
        return;
      }
      case "refused":
      case "left":
      case "error":
        this.wrong.push(JSON.stringify(message));
    }
  }
}
