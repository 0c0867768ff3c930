import { expect, test } from "vitest";
import type { SavedSession } from "../../src/client/client.ts";
import { MEMBERSHIP_CODES, type MembershipCode } from "../../src/protocol/close-codes.ts";
import { AWAY_FLAG } from "../../src/protocol/pose-row.ts";
import {
  at,
  connected,
  EPOCH,
  inRoom,
  joined,
  LATER,
  member,
  PROFILE,
  record,
  reply,
  settle,
  snapshot,
} from "../support/fake-gateway.ts";

/**
 * What SPEC.md asks of a client, seen on the wire: the SDK against a gateway whose every message
 * the test writes. A client in another language can be held to the same.
 */

const lost = (promise: Promise<unknown>): void => void promise.catch(() => {});

test("[PR1] [PR11] the subprotocol, a hello with a range, and nothing before the welcome", async () => {
  const { gateways } = await connected();
  const [first] = gateways.last.received;
  expect(gateways.last.subprotocol).toBe("roomcluster");
  expect(first).toMatchObject({ type: "hello", versionMin: 1, versionMax: 1, token: "jwt" });
});

test("[PR13] attaches are numbered, and a number is stored before it is sent", async () => {
  const { gateways, client, clock } = await connected();
  const order: string[] = [];
  const onSession = (saved: SavedSession): void => void order.push(`stored ${saved.attach}`);
  gateways.behaviour.script = (_, message) => {
    if (message.type === "join") order.push(`sent ${message.attach}`);
  };
  const joining = client.join("plaza", { profile: PROFILE, onSession });
  gateways.last.tell(joined(), snapshot());
  await joining;
  for (const attach of [2, 3]) {
    gateways.last.drop();
    await clock.run(1_000, 50);
    gateways.last.tell(joined({ attach, replayed: true }));
  }
  // 1 is known to everyone; every other number is stored first. The rest are new tokens.
  const first = (text: string): number => order.indexOf(text);
  expect(order.filter((step) => step.startsWith("sent"))).toEqual(["sent 1", "sent 2", "sent 3"]);
  expect(first("stored 2")).toBeLessThan(first("sent 2"));
  expect(first("stored 3")).toBeLessThan(first("sent 3"));
});

test("[PR14] [PR15] a resume carries token, number and cursor, and goes on with records", async () => {
  const { gateways, room, clock } = await inRoom();
  gateways.last.tell(record(11, { patches: [[0, ["count"], 1]] }, LATER));
  gateways.last.drop();
  await clock.run(1_000, 50);
  const join = gateways.last.last("join");
  expect(join).toMatchObject({ session: "token-1", attach: 2, profile: PROFILE });
  expect(join.cursor).toEqual({ epoch: LATER, index: 11 });
  gateways.last.tell(joined({ attach: 2, replayed: true }));
  gateways.last.tell(record(12, { patches: [[0, ["count"], 2]] }));
  expect([room.index, room.state.count]).toEqual([12, 2]);
});

test("[PR15] a snapshot replaces everything, but not by something older", async () => {
  const { gateways, room } = await inRoom();
  gateways.last.tell(snapshot({ index: 20, members: [member(1)], state: { count: 7 } }));
  expect([room.index, room.state.count, [...room.members.keys()]]).toEqual([20, 7, [1]]);
  gateways.last.tell(snapshot({ index: 19 }));
  expect(room.index).toBe(20);
  expect(room.stats.holes).toBe(1);
  const restored = await inRoom();
  restored.gateways.last.tell(snapshot({ epoch: LATER, index: 3 }));
  expect(restored.room.index).toBe(3);
});

test("[PR16] index + 1 and no other; a hole is joined again with the cursor", async () => {
  const { gateways, room, clock } = await inRoom();
  gateways.last.tell(record(11), record(11), record(10));
  expect([room.index, room.stats.duplicates]).toEqual([11, 2]);
  gateways.last.tell(record(13));
  clock.advance(1);
  expect(room.index).toBe(11);
  expect(gateways.last.last("join")).toMatchObject({ attach: 2, cursor: { index: 11 } });
});

test("[PR16] [PR24] a frame that knows more than its messages told is a hole", async () => {
  const { gateways, room, clock } = await inRoom();
  gateways.last.frame({ tick: 1, at: 0, index: 12, messages: [record(11), record(12)] });
  clock.advance(1);
  expect([room.index, gateways.last.all("join").length]).toEqual([12, 1]);
  gateways.last.frame({ tick: 2, at: 50, index: 14, messages: [record(13)] });
  clock.advance(1);
  expect(room.index).toBe(13);
  expect(gateways.last.last("join")).toMatchObject({ attach: 2, cursor: { index: 13 } });
});

test("[PR16] after a patch that leads nowhere there is no cursor", async () => {
  const { gateways, clock } = await inRoom();
  gateways.last.tell(record(11, { patches: [[0, ["no", "such", "place"], 1]] }));
  clock.advance(1);
  expect(gateways.last.last("join")).toMatchObject({ attach: 2, cursor: null });
});

test("[PR17] a record of an earlier epoch counts, and the cursor keeps the highest", async () => {
  const { gateways, room, clock } = await inRoom();
  gateways.last.tell(record(11, {}, LATER), record(12, {}, EPOCH));
  expect(room.index).toBe(12);
  gateways.last.drop();
  await clock.run(1_000, 50);
  expect(gateways.last.last("join").cursor).toEqual({ epoch: LATER, index: 12 });
});

test("[PR18] who left goes before who joined, and a seat is slot and generation", async () => {
  const { gateways, room } = await inRoom();
  gateways.last.tell(record(11, { joined: [member(5, 1)] }));
  gateways.last.tell(
    record(12, {
      left: [
        { slot: 5, generation: 1 },
        { slot: 0, generation: 9 },
      ],
      joined: [member(5, 2)],
    }),
  );
  const seats = [...room.members].map(([slot, { generation }]) => [slot, generation]);
  expect(seats).toEqual([
    [0, 0],
    [5, 2],
  ]);
  gateways.last.tell(record(13, { joined: [member(5, 3)] }));
  expect(room.members.get(5)?.generation).toBe(3);
});

test("[PR22] [PR25] rows of empty seats, lower epochs and older ticks move nobody", async () => {
  const { gateways, room, clock } = await inRoom();
  const x = (): number[] => {
    clock.advance(1_000);
    return [...room.poses(room.roomTime(), { self: true })].map(({ pose }) => Math.round(pose.x));
  };
  const rows = (metres: number, generation = 0) => [{ slot: 0, generation, pose: at(metres) }];
  gateways.last.frame({ tick: 5, at: 1_000, index: 10, epoch: LATER, rows: rows(1) });
  expect(x()).toEqual([1]);
  gateways.last.frame({ tick: 9, at: 2_000, index: 10, epoch: EPOCH, rows: rows(2) });
  gateways.last.frame({ tick: 5, at: 3_000, index: 10, epoch: LATER, rows: rows(3) });
  gateways.last.frame({ tick: 6, at: 4_000, index: 10, epoch: LATER, rows: rows(4, 7) });
  expect(x()).toEqual([1]);
  expect(room.stats.framesFenced).toBe(2);
  gateways.last.frame({ tick: 7, at: 5_000, index: 10, epoch: LATER, rows: rows(50) });
  expect(x()).toEqual([50]);
});

test("[PR25] the messages of an ignored frame still count", async () => {
  const { gateways, room } = await inRoom();
  gateways.last.frame({ tick: 1, at: 0, index: 10, epoch: LATER });
  gateways.last.frame({ tick: 2, at: 0, index: 11, epoch: EPOCH, messages: [record(11)] });
  expect(room.index).toBe(11);
});

test("[PR27] a pose names no seat and sets no flag, and is not repeated too often", async () => {
  const { gateways, room, clock } = await inRoom();
  for (let i = 0; i < 100; i++) {
    room.setPose({ ...at(i / 10), animation: 3 | AWAY_FLAG });
    clock.advance(10);
  }
  const { poses } = gateways.last;
  expect(poses.length).toBeGreaterThanOrEqual(9);
  expect(poses.length).toBeLessThanOrEqual(11);
  for (const { row } of poses) expect(row[0]).toBe(3 << 24);
  const counters = poses.map(({ counter }) => counter);
  expect(counters).toEqual(counters.map((_, i) => (counters[0] ?? 0) + i));
});

test("[PR28] seq is consecutive, at most 32 wait for a reply, the bytes stay", async () => {
  const { gateways, room, clock } = await inRoom({ limits: { commandsBurst: 1_000 } });
  for (let i = 0; i < 40; i++) lost(room.command("add", { i }));
  const sent = gateways.last.take("command");
  expect(sent.map(({ seq }) => seq)).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
  clock.advance(1_000);
  const again = gateways.last.take("command");
  expect(again.map(({ seq, body }) => [seq, body])).toEqual(
    sent.map(({ seq, body }) => [seq, body]),
  );
});

test("[PR29] [PR30] sent again after 1, 2 and 4 s, unmarked to the epoch that had it", async () => {
  const { gateways, room, clock } = await inRoom();
  gateways.last.frame({ tick: 1, at: 0, index: 10 });
  lost(room.command("add"));
  expect(gateways.last.take("command")).toMatchObject([{ seq: 1, resent: false }]);
  for (const waitMs of [1_000, 2_000, 4_000, 4_000]) {
    clock.advance(waitMs - 1);
    expect(gateways.last.take("command")).toEqual([]);
    clock.advance(1);
    expect(gateways.last.take("command")).toMatchObject([{ seq: 1, resent: false }]);
  }
  gateways.last.tell({ type: "epoch", channel: 0, epoch: LATER });
  clock.advance(1);
  expect(gateways.last.take("command")).toMatchObject([{ seq: 1, resent: true }]);
  gateways.last.tell({ type: "suspended", channel: 0, forMs: 1_500 });
  clock.advance(20_000);
  expect(gateways.last.take("command")).toEqual([]);
});

test("[PR31] one reply ends a command; the same reply again changes nothing", async () => {
  const { gateways, room, clock } = await inRoom();
  const first = room.command("add");
  const second = room.command("add");
  lost(second);
  gateways.last.tell(reply(1, 10, "ok", "one"), reply(1, 10, "ok", "one"));
  expect(await first).toBe("one");
  gateways.last.take("command");
  clock.advance(1_000);
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([2]);
});

test("[PR32] [PR33] expect and busy send again from that seq on", async () => {
  const { gateways, room, clock } = await inRoom();
  for (let i = 0; i < 4; i++) lost(room.command("add"));
  gateways.last.take("command");
  const expected = (seq: number): void => gateways.last.tell({ type: "expect", channel: 0, seq });
  clock.advance(50);
  expected(2);
  clock.advance(1);
  expect(gateways.last.take("command"), "an echo").toEqual([]);
  clock.advance(100);
  expected(2);
  clock.advance(1);
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([2, 3, 4]);
  gateways.last.tell({ type: "busy", channel: 0, seq: 3, retryAfterMs: 250 });
  clock.advance(249);
  expect(gateways.last.take("command")).toEqual([]);
  clock.advance(1);
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([3, 4]);
});

test("[PR34] resuming sends everything again; a restored log is numbered anew", async () => {
  const { gateways, room, clock } = await inRoom();
  for (let i = 0; i < 3; i++) lost(room.command("add"));
  gateways.last.drop();
  await clock.run(1_000, 50);
  gateways.last.tell(joined({ attach: 2, replayed: true, seq: 2 }));
  await settle();
  const resent = gateways.last.take("command");
  expect(resent.map(({ seq, resent }) => [seq, resent])).toEqual([
    [1, true],
    [2, true],
    [3, true],
  ]);
  gateways.last.tell(reply(1), reply(2));
  gateways.last.drop();
  await clock.run(2_000, 50);
  gateways.last.tell(joined({ attach: 3, replayed: true, seq: 0 }));
  await settle();
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([1]);
});

test("[PR35] [PR36] pings at the gateway's pace, and none answered gives the socket up", async () => {
  const { gateways, client, clock } = await connected({}, { pingMs: 1_000, serverNow: () => 5e9 });
  clock.advance(10_500);
  const pings = gateways.last.all("ping");
  expect(pings.length).toBeGreaterThanOrEqual(10);
  expect(client.serverTime()).toBeGreaterThan(5e9 - 1);
  const first = gateways.last;
  gateways.behaviour.pongs = false;
  clock.advance(4_000);
  expect(first.over).toBe(true);
});

test("[PR37] bands: 4499 comes back, 4500 does not; retryAfter is waited for", async () => {
  for (const [code, back] of [
    [4000, true],
    [4499, true],
    [1006, true],
    [4500, false],
    [4999, false],
  ] as const) {
    const { gateways, client, clock } = await connected();
    gateways.last.drop(code, "");
    await clock.run(2_000, 100);
    expect(gateways.sockets.length > 1, `${code}`).toBe(back);
    expect(client.state).toBe(back ? "open" : "closed");
  }
  const { gateways, clock } = await connected();
  gateways.last.tell({ type: "retryAfter", afterMs: 3_000 });
  gateways.last.drop(4001, "");
  await clock.run(2_900, 100);
  expect(gateways.sockets).toHaveLength(1);
  await clock.run(1_000, 100);
  expect(gateways.sockets).toHaveLength(2);
});

test("[PR38] the older of one's own two sockets may be superseded", async () => {
  const { gateways, room, clock } = await inRoom({ urls: ["ws://a", "ws://b"] });
  const old = gateways.last;
  old.tell({ type: "retryAfter", afterMs: 0 });
  await clock.run(1_000, 50);
  const next = gateways.last;
  expect(next).not.toBe(old);
  old.tell({ type: "left", channel: 0, code: "superseded", reason: "", transfer: null });
  next.tell(joined({ attach: 2, replayed: true }));
  next.tell(record(11));
  expect([room.ended, room.index]).toEqual([false, 11]);
});

const PASSING = new Set<MembershipCode>([
  "room_unavailable",
  "no_capacity",
  "channel_taken",
  "rate_limited",
]);

test("[PR37] [PR51] a membership that ends with any code ends nothing else", async () => {
  for (const code of MEMBERSHIP_CODES) {
    const { gateways, room, client } = await inRoom();
    gateways.last.tell({ type: "left", channel: 0, code, reason: "", transfer: null });
    // PR51: with these the session lives on, and the client joins again.
    const passes = PASSING.has(code);
    expect([code, room.ended, client.state]).toEqual([code, !passes, "open"]);
  }
});

test("[PR12] messages with tags of a later version are skipped", async () => {
  const { gateways, room } = await inRoom();
  gateways.last.raw(new Uint8Array([0x92, 0x7f, 0x01, 0x92, 0x7e, 0xc0]));
  gateways.last.tell(record(11));
  expect(room.index).toBe(11);
});
