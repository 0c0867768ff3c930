import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { personId, sessionId, worldName } from "../../src/kernel/ids.ts";
import { concernsMembership, isRun } from "../../src/load/dense/bystander.ts";
import { FrameOrder } from "../../src/load/dense/frame-order.ts";
import { botNames } from "../../src/load/dense/names.ts";
import { Onlooker } from "../../src/load/dense/onlooker.ts";
import { allowedIn, type InterestPromise } from "../../src/load/dense/promise.ts";
import {
  readStamp,
  STAMP_WRAP_MS,
  sharedClock,
  stampAgeMs,
  writeStamp,
} from "../../src/load/dense/stamp.ts";
import { type GatewayMessage, gatewayToClient } from "../../src/protocol/client-messages.ts";
import { encodeFrame } from "../../src/protocol/frame.ts";
import { bytesOfRows, packRow, ROW_WORDS, unpackRow } from "../../src/protocol/pose-row.ts";
import { readVectors } from "../support/vectors.ts";

const EPOCH = epochAt(1, 10);
const NO_ROWS = new Uint32Array(0);

interface Head {
  readonly tick: number;
  readonly epoch?: Epoch;
  readonly index?: number;
  readonly channel?: number;
}
const headBytes = ({ tick, epoch = EPOCH, index = 5, channel = 0 }: Head): Uint8Array =>
  encodeFrame({ channel, tick, epoch, index, at: tick * 100 }, NO_ROWS, 0, []);

/** What is wrong with the last of these frames, sent to one client. */
function breachOf(...heads: readonly Head[]) {
  const order = new FrameOrder(2);
  return heads.map((head) => check(order, headBytes(head))).at(-1);
}
const check = (order: FrameOrder, bytes: Uint8Array, n = 0) =>
  order.check(n, 0, new DataView(bytes.buffer), 0, bytes.length);

describe("heads of frames", () => {
  it("[LD16] rise: what does not is told by its name", () => {
    expect(breachOf({ tick: 1 }, { tick: 2 })).toBeUndefined();
    expect(breachOf({ tick: 2 }, { tick: 2 })).toBe("tick_not_rising");
    expect(breachOf({ tick: 3 }, { tick: 2 })).toBe("tick_not_rising");
    expect(breachOf({ tick: 1, index: 6 }, { tick: 2, index: 5 })).toBe("index_fell");
    expect(breachOf({ tick: 1 }, { tick: 2, channel: 1 })).toBe("channel_foreign");
    const newer = epochAt(1, 11);
    expect(breachOf({ tick: 9 }, { tick: 1, epoch: newer })).toBeUndefined();
    expect(breachOf({ tick: 9, epoch: newer }, { tick: 10 })).toBe("epoch_stale");
    expect(breachOf({ tick: 9 }, { tick: 1, epoch: newer, index: 4 })).toBe("index_fell");
  });

  it("[LD16] may have a lower index in a new generation: the log was restored", () => {
    expect(breachOf({ tick: 9 }, { tick: 1, epoch: epochAt(2, 3), index: 1 })).toBeUndefined();
  });

  it("[LD16] a stale frame changes nothing: the next one is held against what came before it", () => {
    const order = new FrameOrder(1);
    check(order, headBytes({ tick: 5, epoch: epochAt(1, 11) }));
    expect(check(order, headBytes({ tick: 6 }))).toBe("epoch_stale");
    expect(check(order, headBytes({ tick: 7 }))).toBe("epoch_stale");
    expect(check(order, headBytes({ tick: 6, epoch: epochAt(1, 11) }))).toBeUndefined();
  });

  it("[LD16] that are cut, or promise more rows than there are, are malformed", () => {
    const order = new FrameOrder(1);
    const whole = headBytes({ tick: 1 });
    expect(check(order, whole.slice(0, 31))).toBe("frame_malformed");
    whole[2] = 1;
    expect(check(order, whole)).toBe("frame_malformed");
    const wild = headBytes({ tick: 1 });
    new DataView(wild.buffer).setFloat64(24, Number.NaN, true);
    expect(check(order, wild)).toBe("frame_malformed");
    new DataView(wild.buffer).setFloat64(16, Number.NaN, true);
    expect(check(order, wild)).toBe("epoch_stale");
  });

  it("[LD19] with ticks left out are counted, each client by itself", () => {
    const order = new FrameOrder(2);
    for (const tick of [1, 2, 5, 6, 16]) check(order, headBytes({ tick }));
    for (const tick of [10, 11]) check(order, headBytes({ tick }), 1);
    expect([order.skipped, order.gaps]).toEqual([11, 2]);
    // Another owner counts from anywhere.
    check(order, headBytes({ tick: 900, epoch: epochAt(1, 12) }), 1);
    expect([order.skipped, order.epochsRisen]).toEqual([11, 1]);
  });
});

describe("stamps", () => {
  const pose = { x: 1.25, y: 0, z: -3, yaw: 1, pitch: 0.2, reach: [0.25, 0.9, 0.5], animation: 1 };

  it("[LD17] come back to 0.1 ms, also from a room that rounds the pose anew", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e10, noNaN: true }),
        fc.double({ min: 0, max: STAMP_WRAP_MS / 2 - 1, noNaN: true }),
        (sentMs, waitMs) => {
          const words = new Uint32Array(ROW_WORDS);
          packRow(words, 0, 0, 0, { ...pose, reach: [0.25, 0.9, 0.5] });
          const before = unpackRow(words, 0);
          writeStamp(words, 0, sentMs);
          const clamped = new Uint32Array(ROW_WORDS);
          packRow(clamped, 0, 3, 7, unpackRow(words, 0));
          const age = stampAgeMs(readStamp(clamped, 0), sentMs + waitMs);
          expect(Math.abs(age - waitMs)).toBeLessThan(0.12);
          // Where somebody stands and looks is as it was.
          const { x, z, yaw, y, animation } = unpackRow(clamped, 0);
          expect({ x, z, yaw, y, animation }).toEqual({
            x: before.x,
            z: before.z,
            yaw: before.yaw,
            y: before.y,
            animation: before.animation,
          });
        },
      ),
    );
  });

  it("[LD17] are of the machine's own clock", () => {
    const { now } = sharedClock();
    const machineMs = Number(process.hrtime.bigint()) / 1e6;
    expect(Math.abs(now() - machineMs)).toBeLessThan(50);
  });
});

const PROMISE: InterestPromise = {
  focusM: 8,
  farFrames: 20,
  frameBytesPerSecond: 9_600,
  movingMs: 100,
  slackFrames: 3,
};
const TICK_HZ = 10;
const names = botNames("r1");
const HERE = { x: 0, z: 0 };

/** One who decodes, and a gateway that sends it whatever the test says. */
class Seen {
  readonly late: string[] = [];
  readonly breaches: string[] = [];
  readonly ages: number[] = [];
  readonly gaps: number[] = [];
  tick = 0;
  /** Of its last frame; the next one is so much later. */
  at = 0;
  tickMs = 1_000 / TICK_HZ;
  readonly onlooker = new Onlooker(PROMISE, names, {
    fresh: (stamp) => this.ages.push(stamp),
    seen: (afterMs) => this.gaps.push(afterMs),
    late: (how) => this.late.push(how),
    breach: (what) => this.breaches.push(what),
    reply: () => undefined,
    rowsSeen: () => undefined,
  });

  message(message: GatewayMessage): void {
    this.onlooker.payload(gatewayToClient.encode(message), HERE);
  }

  constructor() {
    const session = sessionId("AAAAAAAAAAAAAAAAAAAAAA");
    const seat = {
      attach: 1,
      slot: 0,
      generation: 1,
      seq: 0,
      tickHz: TICK_HZ,
      replayed: false,
      room: null,
    };
    const joined = { channel: 0, session, token: "t", world: worldName("w"), ...seat };
    this.message({ type: "joined", ...joined });
  }

  /** A room at index 5 with these people. */
  snapshot(people: readonly { slot: number; beacon: boolean }[], rows: Uint32Array): void {
    const members = people.map(({ slot, beacon }) => ({
      slot,
      generation: 1,
      person: personId(names.nameOf(slot, beacon)),
      role: "audience" as const,
      profile: null,
    }));
    const image = { epoch: EPOCH, index: 5, at: 0, state: {}, members };
    this.message({
      type: "snapshot",
      channel: 0,
      ...image,
      rows: bytesOfRows(rows, rows.length / 4),
    });
  }

  frame(rows: Uint32Array, index = 5, messages: readonly GatewayMessage[] = []): void {
    this.at += this.tickMs;
    const head = { channel: 0, tick: ++this.tick, epoch: EPOCH, index, at: this.at };
    const told = messages.map((message) => gatewayToClient.encode(message));
    this.onlooker.payload(encodeFrame(head, rows, rows.length / 4, told), HERE);
  }
}

const STANDING = 0;
const WALKING = 1;
function rowOf(slot: number, x: number, animation: number, stampMs = 0): Uint32Array {
  const words = new Uint32Array(ROW_WORDS);
  packRow(words, 0, slot, 1, { x, y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation });
  writeStamp(words, 0, stampMs);
  return words;
}
const rowsOf = (...rows: readonly Uint32Array[]): Uint32Array =>
  Uint32Array.from(rows.flatMap((row) => [...row]));

describe("who does not decode", () => {
  it("[LD27] looks at what is about its membership, and at nothing else", () => {
    const acted = [
      ...["welcome", "joined", "refused", "suspended", "error", "left", "retryAfter", "waiting"],
    ];
    const seen = new Set<string>();
    for (const { bytes, where: title } of readVectors("gateway-to-client.hex")) {
      const decoded = gatewayToClient.decode(bytes, 64);
      if (!decoded.ok) throw new Error(title);
      const type = decoded.value[0]?.type ?? "";
      seen.add(type);
      expect(isRun(bytes[0]), title).toBe(true);
      expect(concernsMembership(bytes, 0), title).toBe(acted.includes(type));
    }
    expect(seen.size).toBe(21);
    expect(isRun(0x03)).toBe(false);
    expect(concernsMembership(Uint8Array.of(0x92), 0)).toBe(false);
  });
});

describe("who decodes", () => {
  it("[LD18] finds somebody who walks in focus and is not seen", () => {
    const seen = new Seen();
    seen.snapshot([{ slot: 1, beacon: true }], rowOf(1, 3, WALKING));
    for (let i = 0; i < 10; i++) seen.frame(rowOf(1, 3, WALKING, i * 100));
    // One frame until it sends, one for its tick, one where it takes turns with itself, and slack.
    for (let i = 0; i < 6; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual([]);
    for (let i = 0; i < 5; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual(["stale_focus"]);
  });

  it("[LD18] expects no row of who stands, but everybody's in turn", () => {
    const seen = new Seen();
    const near = rowOf(1, 3, STANDING);
    const far = rowOf(2, 60, WALKING);
    const people = [
      { slot: 1, beacon: true },
      { slot: 2, beacon: false },
    ];
    seen.snapshot(people, rowsOf(near, far));
    for (let i = 0; i < 19; i++) seen.frame(NO_ROWS);
    seen.frame(rowsOf(near, far));
    for (let i = 0; i < 24; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual([]);
    for (let i = 0; i < 6; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual(["stale_far", "stale_far"]);
    // Each is told once, until it was seen again.
    for (let i = 0; i < 40; i++) seen.frame(rowOf(1, 3, STANDING));
    expect(seen.late).toEqual(["stale_far", "stale_far"]);
  });

  it("[LD18] holds a room that ticks more rarely to as many frames, and tells its real gaps", () => {
    const seen = new Seen();
    seen.snapshot([{ slot: 1, beacon: true }], rowOf(1, 3, WALKING));
    for (let i = 0; i < 5; i++) seen.frame(rowOf(1, 3, WALKING, i * 100));
    seen.tickMs = 400;
    for (let i = 0; i < 5; i++) seen.frame(rowOf(1, 3, WALKING, i * 400));
    expect(seen.gaps).toEqual([...new Array(4).fill(100), ...new Array(5).fill(400)]);
    for (let i = 0; i < 6; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual([]);
    for (let i = 0; i < 5; i++) seen.frame(NO_ROWS);
    expect(seen.late).toEqual(["stale_focus"]);
  });

  it("[LD18] waits as long as turns take among as many as there are", () => {
    const at = (members: number, tickHz: number, performers = 0) =>
      allowedIn(PROMISE, { members, performers, tickHz });
    // 57 rows at 10 Hz, 8 for who is in the light, 25 in turn: 24 are left for who walks near.
    expect(at(500, 10).far).toBe(24);
    expect(at(500, 10).focus(24)).toBe(6);
    expect(at(500, 10).focus(240)).toBe(15);
    // With performers it may be a third of them.
    expect(at(500, 10, 4).focus(20)).toBe(6);
    expect(at(500, 10, 40).focus(13)).toBe(6);
    expect(at(500, 10, 40).focus(14)).toBe(7);
    // 27 at 20 Hz, of which turns take no more than 17 of the 19 that are left.
    expect(at(1_000, 20).far).toBe(59 + 4);
    expect(at(1_000, 20).focus(3)).toBe(2 + 1 + 2 + 3);
  });

  it("[LD18] takes rows for one client alone like others", () => {
    const seen = new Seen();
    seen.snapshot([{ slot: 1, beacon: true }], rowOf(1, 3, WALKING));
    for (let i = 1; i < 60; i++) {
      const rows = new Uint8Array(rowOf(1, 3, WALKING, i * 10).buffer);
      seen.frame(NO_ROWS, 5, [{ type: "rows", rows }]);
    }
    expect(seen.late).toEqual([]);
    expect(seen.breaches).toEqual([]);
    expect(seen.ages).toHaveLength(59);
  });

  it("[LD18] forgets whom a record lets go, and waits for whom it brings", () => {
    const seen = new Seen();
    seen.snapshot([{ slot: 1, beacon: true }], rowOf(1, 3, WALKING));
    seen.frame(rowOf(1, 3, WALKING));
    const left = [{ slot: 1, generation: 1 }];
    const record = { index: 6, at: 0, joined: [], left, patches: [], events: [] };
    seen.frame(NO_ROWS, 6, [{ type: "record", channel: 0, epoch: EPOCH, record }]);
    for (let i = 0; i < 40; i++) seen.frame(NO_ROWS, 6);
    expect(seen.late).toEqual([]);
    expect(seen.breaches).toEqual([]);
  });

  it("[LD17] tells each pose of a beacon once, when it first sees it", () => {
    const seen = new Seen();
    const people = [
      { slot: 1, beacon: true },
      { slot: 2, beacon: false },
    ];
    seen.snapshot(people, rowsOf(rowOf(1, 3, WALKING, 7), rowOf(2, 3, WALKING, 7)));
    for (const ms of [10, 10, 20, 20, 30]) {
      seen.frame(rowsOf(rowOf(1, 3, WALKING, ms), rowOf(2, 3, WALKING, ms)));
    }
    expect(seen.ages).toEqual([10, 20, 30].map((ms) => ms * 10));
  });

  it("[LD20] finds what is missing, early, doubled or cut", () => {
    const seen = new Seen();
    seen.snapshot([], NO_ROWS);
    const record = { at: 0, joined: [], left: [], patches: [], events: [] };
    const told = (index: number): GatewayMessage => ({
      type: "record",
      channel: 0,
      epoch: EPOCH,
      record: { index, ...record },
    });
    const reply = (seq: number, index: number): GatewayMessage => ({
      type: "reply",
      channel: 0,
      seq,
      status: "ok",
      data: null,
      index,
    });
    seen.message(told(6));
    seen.message(told(6));
    seen.message(reply(1, 6));
    expect(seen.breaches).toEqual([]);
    seen.message(told(8));
    seen.message(reply(2, 9));
    seen.message(reply(2, 8));
    seen.frame(NO_ROWS, 10);
    seen.snapshot([], NO_ROWS);
    seen.onlooker.payload(Uint8Array.of(0x94, 0x04), HERE);
    seen.onlooker.payload(Uint8Array.of(0x03, 0x00), HERE);
    expect(seen.breaches).toEqual([
      "record_missing",
      "reply_early",
      "reply_twice",
      "record_missing",
      "snapshot_old",
      "payload_malformed",
      "payload_malformed",
    ]);
  });
});
