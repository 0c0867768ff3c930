import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
  SUBPROTOCOL,
} from "../../src/protocol/client-messages.ts";
import { decodeFrame, FRAME_KIND } from "../../src/protocol/frame.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { waitUntil } from "./wait-until.ts";

type Join = Extract<ClientMessage, { type: "join" }>;
type Command = Extract<ClientMessage, { type: "command" }>;
type Told<T extends GatewayMessage["type"]> = Extract<GatewayMessage, { type: T }>;

export const PROFILE = { name: "raw", color: 1, model: "capsule" };

/** A WebSocket that sends what it is told to, right or wrong, and keeps what comes back. */
export class RawClient {
  readonly messages: GatewayMessage[] = [];
  /** Rows of all frames, each with its four words. */
  readonly rows: Uint32Array[] = [];
  /** Payloads as they came. */
  readonly payloads: Uint8Array[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** The answer to an upgrade that was refused. */
  status: number | undefined;
  readonly #socket: WebSocket;

  constructor(url: string, options: { origin?: string; protocol?: string } = {}) {
    const headers: Record<string, string> = options.origin ? { origin: options.origin } : {};
    this.#socket = new WebSocket(url, options.protocol ?? SUBPROTOCOL, { headers });
    this.#socket.on("message", (data: Buffer) => this.#receive(new Uint8Array(data)));
    this.#socket.on("unexpected-response", (_request, response) => {
      this.status = response.statusCode;
      this.#socket.terminate();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
  }

  #receive(data: Uint8Array): void {
    this.payloads.push(data);
    if (data[0] === FRAME_KIND) {
      const frame = decodeFrame(data);
      if (!frame.ok) throw new Error("the gateway sent a malformed frame");
      this.messages.push(...frame.value.messages);
      const { rows } = frame.value;
      for (let at = 0; at < rows.length; at += 4) this.rows.push(rows.slice(at, at + 4));
      return;
    }
    const messages = gatewayToClient.decode(data, MESSAGES_PER_PAYLOAD_MAX);
    if (!messages.ok) throw new Error("the gateway sent a malformed payload");
    this.messages.push(...messages.value);
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  until(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
    return waitUntil(what, condition, { timeoutMs, dump: () => this.describe() });
  }

  describe(): string {
    const told = this.messages.slice(-20).map((message) => JSON.stringify(message).slice(0, 300));
    return `status ${this.status}, closed ${JSON.stringify(this.closed)}\n${told.join("\n")}`;
  }

  async opened(): Promise<this> {
    await this.until("the socket is open", () => this.open);
    return this;
  }

  /** Waits until the gateway has closed the socket. */
  async end(timeoutMs?: number): Promise<{ readonly code: number; readonly reason: string }> {
    await this.until("the socket is closed", () => this.closed !== undefined, timeoutMs);
    return this.closed as NonNullable<RawClient["closed"]>;
  }

  /** One payload. */
  raw(data: Uint8Array | string): void {
    this.#socket.send(data);
  }

  /** All messages in one payload. */
  send(...messages: readonly ClientMessage[]): void {
    this.raw(Buffer.concat(messages.map((message) => clientToGateway.encode(message))));
  }

  /** WebSocket's own ping, which is no message. */
  wsPing(): void {
    this.#socket.ping();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  hello(token: string, versionMin = 1, versionMax = 1): void {
    this.send({ type: "hello", versionMin, versionMax, token, agent: "raw" });
  }

  ping(clientTime = 1): void {
    this.send({ type: "ping", clientTime, echoes: [] });
  }

  join(room: string, over: Partial<Join> = {}): void {
    this.send(joinOf(room, over));
  }

  command(seq: number, name: string, body: unknown, over: Partial<Command> = {}): void {
    this.send(commandOf(seq, name, encode(body), over));
  }

  got<T extends GatewayMessage["type"]>(type: T): Told<T>[] {
    return this.messages.filter((message): message is Told<T> => message.type === type);
  }

  /** The next message of a type that has not been taken yet. */
  async take<T extends GatewayMessage["type"]>(type: T): Promise<Told<T>> {
    await this.until(`a ${type}`, () => this.got(type).length > 0);
    const at = this.messages.findIndex((message) => message.type === type);
    return this.messages.splice(at, 1)[0] as Told<T>;
  }

  /** The socket still serves: a ping is answered. */
  async serves(): Promise<void> {
    const clientTime = performance.now();
    this.ping(clientTime);
    const answered = () => this.got("pong").some((pong) => pong.clientTime === clientTime);
    await this.until("the ping is answered", answered);
  }
}

export const joinOf = (room: string, over: Partial<Join> = {}): Join => ({
  type: "join",
  channel: 0,
  room,
  attach: 1,
  session: null,
  cursor: null,
  profile: PROFILE,
  transfer: null,
  beside: null,
  ...over,
});

export const commandOf = (
  seq: number,
  name: string,
  body: Uint8Array,
  over: Partial<Command> = {},
): Command => ({
  type: "command",
  channel: 0,
  seq,
  name,
  body,
  resent: false,
  traceparent: null,
  ...over,
});

/** A TCP connection, for what a WebSocket library is too polite to send. */
export class RawSocket {
  /** The other side has sent its end. */
  ended = false;
  /** Nothing can be sent any more either. */
  gone = false;
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    socket.on("error", () => undefined);
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("close", () => {
      this.gone = true;
    });
  }

  /** Half open: this side does not hang up when the other one does. */
  static async dial(port: number): Promise<RawSocket> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const raw = new RawSocket(socket);
    await waitUntil("the connection stands", () => !socket.connecting);
    return raw;
  }

  /** A socket past its upgrade. */
  static async upgraded(port: number): Promise<RawSocket> {
    const raw = await RawSocket.dial(port);
    raw.write(upgradeRequest());
    await raw.until("the upgrade is done", () => raw.text.includes("101 Switching Protocols"));
    await raw.until("the head is whole", () => raw.text.includes("\r\n\r\n"));
    return raw;
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  /** The status of an HTTP answer. */
  get status(): number | undefined {
    const found = /^HTTP\/1\.1 (\d{3})/.exec(this.text)?.[1];
    return found === undefined ? undefined : Number(found);
  }

  /** The code in the close frame that came, if one has. */
  get closeCode(): number | undefined {
    const head = this.#received.indexOf("\r\n\r\n");
    for (let at = head + 4; at + 2 <= this.#received.length; ) {
      const short = this.#received[at + 1] as number;
      const bytes = short < 126 ? 2 : 4;
      if (at + bytes > this.#received.length) return undefined;
      if (this.#received[at] === 0x88) return this.#received.readUInt16BE(at + bytes);
      at += bytes + (short < 126 ? short : this.#received.readUInt16BE(at + 2));
    }
    return undefined;
  }

  until(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
    const dump = (): string => `ended ${this.ended}, gone ${this.gone}\n${this.text.slice(-600)}`;
    return waitUntil(what, condition, { timeoutMs, dump });
  }

  write(data: Uint8Array | string): void {
    this.#socket.write(data);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** An upgrade as it should be, with headers changed or (undefined) left out. */
export function upgradeRequest(over: Record<string, string | undefined> = {}): string {
  const { method = "GET", ...headers } = over;
  const all: Record<string, string | undefined> = {
    Host: "gateway",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Protocol": SUBPROTOCOL,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return `${method} / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** A WebSocket frame (RFC 6455, 5.2) as a client sends it; `first` holds FIN, RSV and opcode. */
export function wsFrame(payload: Uint8Array, first = 0x82): Buffer {
  const mask = randomBytes(4);
  const body = Buffer.from(payload.map((byte, at) => byte ^ (mask[at & 3] as number)));
  return Buffer.concat([wsHead(payload.length, first), mask, body]);
}

/** The head of a masked frame that claims `length` bytes. */
export function wsHead(length: number, first = 0x82): Buffer {
  if (length < 126) return Buffer.from([first, 0x80 | length]);
  if (length < 65_536) return Buffer.from([first, 0xfe, length >> 8, length & 0xff]);
  const head = Buffer.from([first, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
