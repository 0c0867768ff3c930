import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Said } from "./dialect.ts";

/** All sockets of the process read into this: what is in it is looked at before the next read. */
const READ_BUFFER = Buffer.allocUnsafe(256 * 1024);
const HEAD_BYTES_MAX = 16 * 1024;

export interface LightHandler {
  opened(): void;
  message(text: boolean, payload: Buffer): void;
  closed(why: string): void;
}

/**
 * A WebSocket client (RFC 6455) that costs as little as Node allows, so that clients are never what
 * is measured: it reads into one buffer and hands out views of it, which are good until the handler
 * returns. It trusts the server's framing, and takes no fragments.
 */
export class LightSocket {
  bytes = 0;
  readonly #socket: Socket;
  readonly #handler: LightHandler;
  readonly #mask = randomBytes(4);
  /** What came of a frame that is not whole yet. */
  #rest: Buffer | undefined;
  #upgraded = false;
  #closed = false;

  constructor(
    to: { readonly host: string; readonly port: number },
    asked: { readonly path: string; readonly subprotocol: string | undefined },
    handler: LightHandler,
  ) {
    this.#handler = handler;
    this.#socket = connect({
      ...to,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (count) => this.#read(count) },
    });
    this.#socket.on("connect", () => this.#socket.write(upgradeRequest(to, asked)));
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("the connection ended"));
  }

  send(said: Said): void {
    const text = typeof said === "string";
    this.#write(text ? 0x81 : 0x82, text ? Buffer.from(said) : said);
  }

  destroy(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  /** One frame, masked as a client's has to be. */
  #write(first: number, payload: Uint8Array): void {
    const { length } = payload;
    if (length > 65_535) throw new Error("no client here says that much");
    const head = length < 126 ? 6 : 8;
    const frame = Buffer.allocUnsafe(head + length);
    frame[0] = first;
    if (length < 126) frame[1] = 0x80 | length;
    else {
      frame[1] = 0xfe;
      frame.writeUInt16BE(length, 2);
    }
    const mask = this.#mask;
    frame.set(mask, head - 4);
    for (let i = 0; i < length; i++)
      frame[head + i] = (payload[i] as number) ^ (mask[i & 3] as number);
    this.#socket.write(frame);
  }

  #read(count: number): boolean {
    this.bytes += count;
    const chunk = READ_BUFFER.subarray(0, count);
    let data = chunk;
    if (this.#rest) {
      data = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    const used = this.#upgraded ? this.#frames(data, 0) : this.#upgrade(data);
    if (used < data.length && !this.#closed) this.#rest = Buffer.from(data.subarray(used));
    return true;
  }

  #upgrade(data: Buffer): number {
    const end = data.indexOf("\r\n\r\n");
    if (end < 0) {
      if (data.length > HEAD_BYTES_MAX) this.#end("no end to the head");
      return 0;
    }
    const status = data.toString("latin1", 0, data.indexOf("\r\n"));
    if (!/^HTTP\/1\.1 101 /.test(status)) {
      this.#end(status);
      return data.length;
    }
    this.#upgraded = true;
    this.#handler.opened();
    return this.#frames(data, end + 4);
  }

  /** Hands out all whole frames from `at` on; answers how far it came. */
  #frames(data: Buffer, from: number): number {
    let at = from;
    while (at + 2 <= data.length && !this.#closed) {
      const first = data[at] as number;
      let length = data[at + 1] as number;
      let body = at + 2;
      if (length === 126) {
        if (at + 4 > data.length) break;
        length = data.readUInt16BE(at + 2);
        body = at + 4;
      } else if (length === 127) {
        if (at + 10 > data.length) break;
        length = Number(data.readBigUInt64BE(at + 2));
        body = at + 10;
      }
      if (body + length > data.length) break;
      at = body + length;
      this.#frame(first, data.subarray(body, at));
    }
    return at;
  }

  #frame(first: number, payload: Buffer): void {
    if (first === 0x82 || first === 0x81) this.#handler.message(first === 0x81, payload);
    else if (first === 0x89) this.#write(0x8a, payload);
    else if (first === 0x88)
      this.#end(`closed with ${payload.length >= 2 ? payload.readUInt16BE(0) : "no code"}`);
    else if (first !== 0x8a) this.#end(`a frame that begins with ${first.toString(16)}`);
  }

  #end(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#handler.closed(why);
  }
}

function upgradeRequest(
  to: { readonly host: string; readonly port: number },
  { path, subprotocol }: { readonly path: string; readonly subprotocol: string | undefined },
): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${to.host}:${to.port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    "\r\n",
  ].join("\r\n");
}
