import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { connect } from "node:net";
import type { Writable } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { FastClientSocket } from "../../gateway/client-socket.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import type { ClientSocket } from "../../gateway/connection.ts";
import { FrameReader } from "../../gateway/frame-reader.ts";
import { type GatewayServer, listen } from "../../gateway/server.ts";
import { socketInternals } from "../../gateway/socket-internals.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { SUBPROTOCOL } from "../../src/protocol/client-messages.ts";
import { waitUntil } from "../support/wait-until.ts";

/** The library's own, which its types leave out. */
type Receiver = Writable;
const { Receiver } = createRequire(import.meta.url)("ws") as {
  Receiver: new (options: object) => Receiver;
};
const PAYLOAD_MAX = 4_096;

interface FrameOptions {
  readonly first: number;
  readonly payload: Uint8Array;
  readonly masked?: boolean;
  /** Bytes that tell the length: 0, 2 or 8; more than it needs is allowed. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** What it claims to be long, where that is not the truth. */
  readonly claims?: number;
}

function frame({ first, payload, masked = true, ...rest }: FrameOptions): Buffer {
  const claims = rest.claims ?? payload.length;
  const least = claims < 126 ? 0 : claims < 65_536 ? 2 : 8;
  const lengthBytes = Math.max(rest.lengthBytes ?? 0, least);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? claims : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(claims, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(claims), 2);
  const mask = Buffer.from([7, 77, 177, 250]);
  const body = Buffer.from(
    payload.map((byte, i) => (masked ? byte ^ (mask[i % 4] as number) : byte)),
  );
  return Buffer.concat(masked ? [head, mask, body] : [head, body]);
}

/** What somebody at the other end hears, up to the first fault. */
async function heard(
  feed: (receiver: Receiver, said: string[]) => void,
): Promise<readonly string[]> {
  const said: string[] = [];
  const receiver = new Receiver({
    isServer: true,
    maxPayload: PAYLOAD_MAX,
    maxFragments: 8,
    allowSynchronousEvents: true,
    skipUTF8Validation: true,
  });
  let over = false;
  const say = (text: string): void => void (over || said.push(text));
  receiver.on("message", (data: Buffer, binary: boolean) =>
    say(`${binary ? "binary" : "text"} ${Buffer.from(data).toString("hex")}`),
  );
  receiver.on("ping", (data: Buffer) => say(`ping ${data.toString("hex")}`));
  receiver.on("pong", (data: Buffer) => say(`pong ${data.toString("hex")}`));
  receiver.on("conclude", (code: number) => {
    say(`close ${code}`);
    over = true;
  });
  receiver.on("error", (error: Error & { code?: string }) => {
    say(`error ${error.code}`);
    over = true;
  });
  const proxy = { push: say } as unknown as string[];
  feed(receiver, proxy);
  // Faults are told when the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  return said;
}

function chunks(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(
      1,
      sizes.length === 0 ? bytes.length : (sizes[i % sizes.length] as number),
    );
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

const byLibrary = (parts: readonly Buffer[]) =>
  heard((receiver) => {
    for (const part of parts) if (!receiver.destroyed) receiver.write(Buffer.from(part));
  });

const byReader = (parts: readonly Buffer[]) =>
  heard((receiver, said) => {
    const reader = new FrameReader(PAYLOAD_MAX);
    const shared = Buffer.alloc(64 * 1024);
    const sink = {
      message: (payload: Uint8Array) =>
        void said.push(`binary ${Buffer.from(payload).toString("hex")}`),
      other: (bytes: Buffer) => void (receiver.destroyed || receiver.write(bytes)),
    };
    for (const part of parts) {
      // As the socket does: into the same bytes again and again.
      shared.fill(0xee);
      shared.set(part);
      reader.take(shared, part.length, sink);
    }
  });

const payloads = (max: number) => fc.uint8Array({ maxLength: max });
const frames: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: payloads(40).map((payload) => frame({ first: 0x82, payload })) },
  fc
    .record({
      first: fc.constantFrom(
        0x82,
        0x81,
        0x02,
        0x01,
        0x00,
        0x80,
        0x89,
        0x8a,
        0x88,
        0x83,
        0xc2,
        0x92,
        0x0a,
      ),
      payload: fc.oneof(
        payloads(8),
        payloads(200),
        fc.constantFrom(125, 126, 1_010, 1_016, 1_024, 2_000).map((n) => new Uint8Array(n).fill(n)),
      ),
      masked: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
      lengthBytes: fc.constantFrom(0 as const, 2 as const, 8 as const),
    })
    .map(frame),
  fc
    .constantFrom(PAYLOAD_MAX, PAYLOAD_MAX + 1, 70_000, 2 ** 40, Number.MAX_SAFE_INTEGER)
    .map((claims) => frame({ first: 0x82, payload: new Uint8Array(10), claims })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom([], [0x03, 0xe8], [0x03, 0xe8, 0x21])
    .map((payload) => frame({ first: 0x88, payload: Uint8Array.from(payload) })),
);

describe("a reader of small frames", () => {
  it("[GW52] hears what the library hears, whatever comes and however it is cut", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(frames, { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 }),
        fc.nat({ max: 16 }),
        async (sent, sizes, missing) => {
          // The last frame may never come to its end.
          const bytes = Buffer.concat(sent);
          const parts = chunks(bytes.subarray(0, Math.max(0, bytes.length - missing)), sizes);
          const expected = await byLibrary(parts);
          for (const line of expected) seen.add(line.split(" ", 1)[0] as string);
          expect(await byReader(parts)).toEqual(expected);
        },
      ),
      { numRuns: 3_000 },
    );
    expect([...seen].sort()).toEqual(["binary", "close", "error", "ping", "pong", "text"]);
  });

  it("[GW52] holds no more than one small frame back", () => {
    const reader = new FrameReader(PAYLOAD_MAX);
    const passed: number[] = [];
    const sink = { message: () => {}, other: (bytes: Buffer) => void passed.push(bytes.length) };
    const large = frame({ first: 0x82, payload: new Uint8Array(PAYLOAD_MAX - 14) });
    for (const part of chunks(large, [100])) reader.take(Buffer.from(part), part.length, sink);
    expect(passed.reduce((sum, bytes) => sum + bytes, 0)).toBe(large.length);
    expect(passed.length).toBeGreaterThan(40);
  });
});

interface Ended {
  readonly code: number | undefined;
  readonly messages: readonly string[];
  readonly pongs: number;
}

const servers: GatewayServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A server that writes down what its sockets say. */
async function serve(fastSockets: boolean) {
  const events: string[] = [];
  const accepted: ClientSocket[] = [];
  const server = await listen({
    config: { ...GATEWAY_DEFAULTS, payloadBytesMax: PAYLOAD_MAX, fastSockets },
    observer: silentObserver,
    draining: () => false,
    http: () => false,
    accept: (socket) => {
      accepted.push(socket);
      return {
        receive: (data) => void events.push(Buffer.from(data).toString("hex")),
        pinged: () => true,
        ponged: () => {},
        fault: (why) => {
          const code = why === "malformed" ? 4_500 : 4_501;
          if (socket.open) socket.close(code, why);
        },
        closed: () => void events.push("closed"),
      };
    },
  });
  servers.push(server);
  return { server, events, accepted };
}

/** A raw client: upgraded, and what it is sent from then on. */
async function dial(port: number) {
  const socket = connect(port, "127.0.0.1");
  const got: Buffer[] = [];
  const events = new EventEmitter();
  let upgraded = false;
  let ended = false;
  socket.on("error", () => {});
  socket.on("close", () => {
    ended = true;
  });
  socket.on("data", (data: Buffer) => {
    if (upgraded) return void got.push(data);
    const end = data.indexOf("\r\n\r\n");
    upgraded = end >= 0;
    if (upgraded && data.length > end + 4) got.push(data.subarray(end + 4));
    events.emit("upgraded");
  });
  socket.write(
    `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
  );
  await waitUntil("the upgrade", () => upgraded);
  return { socket, bytes: () => Buffer.concat(got), ended: () => ended };
}

/** Says it all, in these pieces, then closes; what became of it. */
async function tell(fastSockets: boolean, parts: readonly Buffer[]): Promise<Ended> {
  const { server, events } = await serve(fastSockets);
  const client = await dial(server.port);
  for (const part of parts) {
    client.socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.socket.write(frame({ first: 0x88, payload: Uint8Array.of(0x03, 0xe8) }));
  await waitUntil("the end of the socket", () => client.ended() && events.includes("closed"), {
    dump: () => [...events, client.bytes().toString("hex")],
  });
  const bytes = client.bytes();
  let code: number | undefined;
  let pongs = 0;
  for (let at = 0; at + 2 <= bytes.length; at += 2 + (bytes[at + 1] as number)) {
    if (bytes[at] === 0x8a) pongs++;
    if (bytes[at] === 0x88 && (bytes[at + 1] as number) >= 2) code ??= bytes.readUInt16BE(at + 2);
  }
  return { code, pongs, messages: events.filter((event) => event !== "closed") };
}

const bytesOf = (length: number): Uint8Array => new Uint8Array(length).fill(0x2a);
const hexOf = (length: number): string => "2a".repeat(length);
const data = (length: number, first = 0x82): Buffer => frame({ first, payload: bytesOf(length) });
const bare = (first: number): Buffer => frame({ first, payload: new Uint8Array(0) });

/**
 * The cases of the Autobahn test suite that apply to a server that takes binary messages only and
 * no extension, by their numbers there: [sent, messages heard, close code, pongs].
 */
const AUTOBAHN: Record<string, [readonly Buffer[], readonly string[], number, number?]> = {
  "1.1.1 a text message": [[data(0, 0x81)], [], 4_500],
  "1.2.1 an empty binary message": [[data(0)], [""], 1_000],
  "1.2.2 125 bytes": [[data(125)], [hexOf(125)], 1_000],
  "1.2.3 126 bytes": [[data(126)], [hexOf(126)], 1_000],
  "1.2.4 127 bytes": [[data(127)], [hexOf(127)], 1_000],
  "1.2.5 128 bytes": [[data(128)], [hexOf(128)], 1_000],
  "1.2.6 more than is small": [[data(3_000)], [hexOf(3_000)], 1_000],
  "1.2.7 more than is allowed": [[data(PAYLOAD_MAX + 1)], [], 4_501],
  "1.2.8 octet by octet": [chunks(data(130), [1]), [hexOf(130)], 1_000],
  "2.1 a ping without payload": [[bare(0x89)], [], 1_000, 1],
  "2.4 a ping with 125 bytes": [[data(125, 0x89)], [], 1_000, 1],
  "2.5 a ping with 126 bytes": [[data(126, 0x89)], [], 4_500, 0],
  "2.6 a ping octet by octet": [chunks(data(125, 0x89), [1]), [], 1_000, 1],
  "2.7 a pong that nobody asked for": [[bare(0x8a)], [], 1_000, 0],
  "2.10 ten pings": [Array.from({ length: 10 }, () => data(3, 0x89)), [], 1_000, 10],
  "3.1 a reserved bit": [[data(5, 0xc2)], [], 4_500],
  "3.2 a message, then a reserved bit": [
    [data(5), data(5, 0x92), bare(0x89)],
    [hexOf(5)],
    4_500,
    0,
  ],
  "4.1.1 a reserved opcode": [[data(0, 0x83)], [], 4_500],
  "4.2.1 a reserved control opcode": [[data(0, 0x8b)], [], 4_500],
  "4.2.3 a message, then a reserved opcode": [[data(2), bare(0x8c)], [hexOf(2)], 4_500],
  "5.1 a ping in two fragments": [[data(2, 0x09), data(2, 0x80)], [], 4_500],
  "5.3 a message in two fragments": [[data(2, 0x02), data(3, 0x80)], [hexOf(5)], 1_000],
  "5.5 octet by octet": [
    chunks(Buffer.concat([data(2, 0x02), data(3, 0x80)]), [1]),
    [hexOf(5)],
    1_000,
  ],
  "5.6 a ping between fragments": [
    [data(2, 0x02), data(1, 0x89), data(3, 0x80), data(1)],
    [hexOf(5), hexOf(1)],
    1_000,
    1,
  ],
  "5.9 a continuation of nothing": [[data(2, 0x80), data(2)], [], 4_500],
  "5.15 a continuation after the last": [
    [data(2, 0x02), data(2, 0x80), data(1, 0x80), data(1)],
    [hexOf(4)],
    4_500,
  ],
  "5.18 a new message between fragments": [[data(2, 0x02), data(2)], [], 4_500],
  "7.1.3 a ping after the close": [[bare(0x88), bare(0x89)], [], 1_005, 0],
  "7.1.5 a message after the close": [[bare(0x88), data(4)], [], 1_005, 0],
  "7.3.2 a close with one byte": [[data(1, 0x88)], [], 4_500],
  "7.9.1 a close with a code that nobody may send": [
    [frame({ first: 0x88, payload: Uint8Array.of(0x00, 0x00) })],
    [],
    4_500,
  ],
  "no mask": [[frame({ first: 0x82, payload: bytesOf(4), masked: false })], [], 4_500],
  "a length in more bytes than it needs": [
    [frame({ first: 0x82, payload: bytesOf(4), lengthBytes: 8 })],
    [hexOf(4)],
    1_000,
  ],
};

describe.each([
  ["by the library", false],
  ["by the handle", true],
])("a socket read %s", (_, fastSockets) => {
  it.each(Object.entries(AUTOBAHN))("[GW52] [GW4] Autobahn %s", async (_name, expected) => {
    const [parts, messages, code, pongs] = expected;
    const ended = await tell(fastSockets, parts);
    expect(ended.messages).toEqual(messages);
    // An empty close frame is answered by one.
    expect(ended.code ?? 1_005).toBe(code);
    if (pongs !== undefined) expect(ended.pongs).toBe(pongs);
  });
});

describe("a socket read by the handle", () => {
  it("[GW52] is one, and hands small messages on without the library", async () => {
    const { server, events, accepted } = await serve(true);
    const client = await dial(server.port);
    expect(accepted[0]).toBeInstanceOf(FastClientSocket);
    const { webSocket } = accepted[0] as unknown as { webSocket: EventEmitter };
    let byLibrary = 0;
    webSocket.on("message", () => byLibrary++);
    client.socket.write(data(5));
    await waitUntil("the message", () => events.includes(hexOf(5)), { dump: () => events });
    expect(byLibrary).toBe(0);
    client.socket.write(data(3_000));
    await waitUntil("a large one", () => events.includes(hexOf(3_000)), { dump: () => events });
    expect(byLibrary).toBe(1);
  });

  it("[GW52] [GW47] counts the pongs that nobody reads among what waits", async () => {
    const { server, accepted } = await serve(true);
    const client = await dial(server.port);
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => data(125, 0x89)));
    const waits = (): boolean => (accepted[0]?.pendingBytes ?? 0) > 0;
    for (let i = 0; i < 500 && !waits(); i++) {
      client.socket.write(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waitUntil("pongs wait", waits);
    client.socket.destroy();
  });
});

describe("a socket written by the handle", () => {
  it("[GW52] is that of this version of Node, and not silently another", () => {
    expect(socketInternals()).toBeDefined();
  });

  it("[GW52] [GW37] keeps the order of bytes and tells what waits, also where nobody reads", async () => {
    const { server, accepted } = await serve(true);
    const client = await dial(server.port);
    client.socket.pause();
    const socket = accepted[0] as ClientSocket;
    const sent: Buffer[] = [];
    const write = (bytes: number): void => {
      const buffer = Buffer.alloc(bytes, sent.length);
      sent.push(buffer);
      socket.write(buffer);
    };
    while (socket.pendingBytes === 0 && sent.length < 10_000) write(60_000);
    expect(socket.pendingBytes).toBeGreaterThan(0);
    for (let i = 0; i < 20; i++) write(100 + i);
    const total = sent.reduce((sum, { length }) => sum + length, 0);
    client.socket.resume();
    await waitUntil("all bytes", () => client.bytes().length >= total, {
      dump: () => [`${client.bytes().length} of ${total}`],
    });
    expect(client.bytes().equals(Buffer.concat(sent))).toBe(true);
    await waitUntil("nothing waits", () => socket.pendingBytes === 0);
    write(10);
    await waitUntil("one more", () => client.bytes().length === total + 10);
    client.socket.destroy();
    await waitUntil("the socket has closed", () => !socket.open);
    socket.write(Buffer.alloc(10));
  });
});
