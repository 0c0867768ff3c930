import { once } from "node:events";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { preframe } from "../../gateway/preframe.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { UpgradeAnswer, upgradeWith } from "../../src/load/dense/upgrade.ts";
import { inflowOf, WsReader } from "../../src/load/dense/ws-reader.ts";
import { WsWriter } from "../../src/load/dense/ws-writer.ts";
import { decodePose } from "../../src/protocol/frame.ts";

/** What a reader told of. */
class Told {
  readonly messages: string[] = [];
  readonly pings: string[] = [];
  readonly codes: number[] = [];
  readonly broken: string[] = [];
  readonly reader = new WsReader({
    message: ({ bytes }, at, length) => {
      this.messages.push(Buffer.from(bytes.subarray(at, at + length)).toString("hex"));
    },
    pinged: (payload) => this.pings.push(Buffer.from(payload).toString("hex")),
    closed: (code) => this.codes.push(code),
    broken: (why) => this.broken.push(why),
  });

  /** As reads of the one buffer of a process bring it, in pieces of these sizes. */
  read(bytes: Uint8Array, sizes: readonly number[]): this {
    const shared = new Uint8Array(1 << 17);
    const inflow = inflowOf(shared);
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const size = Math.min(sizes[i % sizes.length] ?? 1, bytes.length - at, shared.length);
      shared.fill(0xee);
      shared.set(bytes.subarray(at, at + size));
      this.reader.read(inflow, 0, size);
      at += size;
    }
    return this;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const payload = (length: number, seed: number): Uint8Array => seededRandom(seed).bytes(length);
/** A frame with any first byte, unmasked. */
const frame = (first: number, body: Uint8Array): Buffer => {
  const whole = preframe(body);
  whole[0] = first;
  return whole;
};

describe("what a server sends", () => {
  it("[LD15] is read the same however TCP cuts it", () => {
    const lengths = fc.oneof(
      fc.integer({ min: 0, max: 200 }),
      fc.constantFrom(125, 126, 65_535, 65_536),
    );
    fc.assert(
      fc.property(
        fc.array(lengths, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 5 }),
        (sizes, cuts) => {
          const payloads = sizes.map((length, i) => payload(length, i));
          const told = new Told().read(preframe(...payloads), cuts);
          expect(told.messages).toEqual(payloads.map(hex));
          expect(told.broken).toEqual([]);
        },
      ),
    );
  });

  it("[LD15] is read also in fragments, with pings between them", () => {
    const [a, b, c] = [payload(10, 1), payload(300, 2), payload(5, 3)];
    const ping = frame(0x89, Uint8Array.of(7));
    const bytes = Buffer.concat([
      frame(0x02, a),
      ping,
      frame(0x00, b),
      frame(0x80, c),
      preframe(a),
    ]);
    for (const size of [1, 3, 64, 4_096]) {
      const told = new Told().read(bytes, [size]);
      expect(told.messages).toEqual([hex(Buffer.concat([a, b, c])), hex(a)]);
      expect(told.pings).toEqual(["07"]);
    }
  });

  it("[LD15] ends with a close, and its code is told", () => {
    const closing = frame(0x88, Uint8Array.of(0x0f, 0xa0));
    const told = new Told().read(Buffer.concat([closing, preframe(payload(3, 1))]), [500]);
    expect(told.codes).toEqual([4000]);
    expect(told.messages).toEqual([]);
    expect(new Told().read(frame(0x88, new Uint8Array(0)), [1]).codes).toEqual([1005]);
  });

  it("[LD15] is broken where no server may send it", () => {
    const body = payload(4, 1);
    const masked = preframe(body);
    masked[1] = 0x80 | 4;
    const huge = Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]);
    const cases: readonly (readonly [string, Uint8Array])[] = [
      ["masked", masked],
      ["reserved", frame(0xc2, body)],
      ["text", frame(0x81, body)],
      ["opcode", frame(0x83, body)],
      ["opcode", frame(0x80, body)],
      ["opcode", Buffer.concat([frame(0x02, body), frame(0x82, body)])],
      ["control", frame(0x09, body)],
      ["control", frame(0x89, payload(126, 1))],
      ["too large", huge],
    ];
    for (const [why, bytes] of cases) {
      for (const size of [1, 1_000]) {
        const told = new Told().read(Buffer.concat([bytes, preframe(body)]), [size]);
        expect(told.broken, `${why} by ${size}`).toEqual([expect.stringContaining(why)]);
        expect(told.messages, why).toEqual([]);
      }
    }
  });
});

describe("what a client sends", () => {
  const servers: WebSocketServer[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it("[LD15] is masked, and what a server of another make reads", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    servers.push(server);
    await once(server, "listening");
    const { connect } = await import("node:net");
    const upgrade = upgradeWith(seededRandom(5));
    const writer = new WsWriter(seededRandom(6));
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1" });
    socket.write(upgrade.request("127.0.0.1"));
    const [peer] = (await once(server, "connection")) as [import("ws").WebSocket];
    const [head] = (await once(socket, "data")) as [Buffer];
    const answer = new UpgradeAnswer();
    expect(answer.take(head, head.length)).toBe(head.length);
    expect(upgrade.refusal(answer.head)).toBeUndefined();

    const got: string[] = [];
    peer.on("message", (data: Buffer) => got.push(hex(data)));
    const row = Uint32Array.of(0xdeadbeef, 0x80000001, 0xffffffff, 0x7fff0000);
    const bodies = [payload(0, 1), payload(125, 2), payload(126, 3), payload(9_000, 4)];
    for (const body of bodies) socket.write(writer.message(body));
    const pose = writer.pose(3, 65_537, row);
    expect(pose[1]).toBe(0x80 | 20);
    socket.write(pose);
    socket.write(writer.close(1000));
    const [code] = (await once(peer, "close")) as [number];
    expect(code).toBe(1000);
    expect(got.slice(0, 4)).toEqual(bodies.map(hex));
    const decoded = decodePose(Buffer.from(got[4] ?? "", "hex"));
    expect(decoded).toEqual({ channel: 3, counter: 1, row });
    socket.destroy();
  });

  it("[LD15] is nothing where the upgrade was not what was asked for", () => {
    const upgrade = upgradeWith(seededRandom(5));
    const told = (head: string): string | undefined => upgrade.refusal(head);
    expect(told("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5")).toContain("503");
    expect(told("SSH-2.0-OpenSSH")).toContain("HTTP");
    expect(told("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: other")).toContain("key");
  });

  it("[LD15] waits for an upgrade that comes in pieces, and finds what follows it", () => {
    const answer = new UpgradeAnswer();
    const bytes = Buffer.from("HTTP/1.1 101 x\r\na: b\r\n\r\n\x82\x01z", "latin1");
    const [first, rest] = [bytes.subarray(0, 22), bytes.subarray(22)];
    expect(answer.take(first, first.length)).toBeUndefined();
    const end = answer.take(rest, rest.length);
    expect(hex(rest.subarray(end))).toBe("82017a");
    expect(answer.head).toBe("HTTP/1.1 101 x\r\na: b");
  });
});
