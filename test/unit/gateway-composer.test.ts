import { describe, expect, it } from "vitest";
import { cellAt, NO_CELL, nextCell } from "../../gateway/cells.ts";
import { News } from "../../gateway/news.ts";
import { preframe } from "../../gateway/preframe.ts";
import { Replica } from "../../gateway/replica.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { sessionId, worldName } from "../../src/kernel/ids.ts";
import { ROW_WORDS, rowSlot } from "../../src/protocol/pose-row.ts";
import type { RoomEvent } from "../../src/protocol/room-messages.ts";
import { member, record, rowAt } from "../support/fake-room.ts";
import { type FakeClient, GATEWAY, GatewayRig } from "../support/gateway-rig.ts";
import { unframe } from "../support/unframe.ts";

const indexes = (client: FakeClient): number[] =>
  client.got("record").map(({ record }) => record.index);

/** Ticks away what joining has left to tell, so that the next frames have nothing of their own. */
async function quiet(rig: GatewayRig): Promise<void> {
  await rig.run(400);
  rig.room.tick(GATEWAY);
  await rig.settle();
}

describe("frames", () => {
  it("[GW33] writes the very same buffer to everyone in a cell", async () => {
    const rig = new GatewayRig({ frameBytesPerSecond: 0 });
    rig.room.members = Array.from({ length: 10 }, (_, slot) => member(slot + 100));
    const clients = [await rig.joined("ann"), await rig.joined("bob"), await rig.joined("cyd")];
    await quiet(rig);
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] });
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1), rowAt(1, 2, 2), rowAt(2, 100, 100)]);
    await rig.settle();
    const [ann, bob, cyd] = clients.map((client) => client.writes.at(-1));
    expect(ann).toBe(bob);
    expect(ann?.length).toBeGreaterThan(32 + 2 * 16);
    expect(cyd).not.toBe(ann);
    expect(cyd?.length).toBeGreaterThan(32);
    const shared = rig.count("roomcluster_gateway_writes_total", { kind: "shared" });
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1)]);
    await rig.settle();
    expect(rig.count("roomcluster_gateway_writes_total", { kind: "shared" })).toBe(shared + 3);
  });

  it("[GW33] writes other bytes for another channel, with its own number", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann", "audience", 0);
    const bob = await rig.joined("bob", "audience", 5);
    await quiet(rig);
    rig.room.write(GATEWAY, {});
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1)]);
    await rig.settle();
    for (const [client, channel] of [
      [ann, 0],
      [bob, 5],
    ] as const) {
      const frame = client.frames.at(-1);
      expect(frame).toMatchObject({ channel, index: rig.room.index });
      expect(frame?.messages).toMatchObject([{ type: "record", channel }]);
      expect(frame?.rows).toEqual(rowAt(0, 1, 1));
    }
  });

  it("[GW34] changes the view cell only beyond the margin", () => {
    const home = nextCell(NO_CELL, 15, 15, 2);
    expect(home).toBe(cellAt(0, 0));
    expect(nextCell(home, 17.9, 15, 2)).toBe(home);
    expect(nextCell(home, -1.9, -1.9, 2)).toBe(home);
    expect(nextCell(home, 18.1, 15, 2)).toBe(cellAt(18.1, 15));
    expect(nextCell(home, 5, -2.1, 2)).toBe(cellAt(5, -2.1));
    const corners = [-8388, 0, 8388].flatMap((x) => [-8388, 0, 8388].map((z) => cellAt(x, z)));
    expect(new Set(corners).size).toBe(9);
    expect(Math.min(...corners)).toBeGreaterThan(NO_CELL);
  });

  it("[GW35] shows an observer what is near its own pose", async () => {
    const rig = new GatewayRig({ frameBytesPerSecond: 0 });
    const far = rig.room;
    far.members = Array.from({ length: 80 }, (_, slot) => member(slot + 100));
    const client = await rig.joined("eye", "observer");
    client.pose(rowAt(0, 1000, 1000));
    await rig.run(10);
    const rows = far.members
      .slice(0, 80)
      .map(({ slot }, at) => rowAt(slot, at >= 78 ? 1000 : 0, 1000));
    far.tick(GATEWAY, rows);
    await rig.settle();
    const slots = slotsOf(client.frames.at(-1)?.rows as Uint32Array);
    expect(slots).toEqual(expect.arrayContaining([178, 179]));
  });
});

const slotsOf = (rows: Uint32Array): number[] =>
  Array.from({ length: rows.length / ROW_WORDS }, (_, at) => rowSlot(rows, at * ROW_WORDS));

/** A replica with `count` members on a line, one metre apart. */
function crowd(count: number): { replica: Replica; rows: Uint32Array } {
  const replica = new Replica();
  const members = Array.from({ length: count }, (_, slot) => member(slot * 2));
  const rows = new Uint32Array(count * ROW_WORDS);
  members.forEach(({ slot }, at) => {
    rows.set(rowAt(slot, at, 0), at * ROW_WORDS);
  });
  replica.reset(1, {
    world: worldName("hall"),
    tickHz: 10,
    at: 0,
    state: null,
    members,
    rows: new Uint8Array(rows.buffer),
  });
  return { replica, rows };
}

describe("news", () => {
  const epoch = epochAt(1, 1);
  const limits = { itemsMax: 4, bytesMax: 100_000 };
  const session = sessionId("aaaaaaaaaaaaaaaaaaaaaa");
  const ann = { session, role: "staff" } as const;
  const bob = { session: sessionId("bbbbbbbbbbbbbbbbbbbbbb"), role: "audience" } as const;

  it("[GW36] is encoded once for each channel and set of listeners", () => {
    const news = new News(limits);
    const secret: RoomEvent = { name: "s", data: 1, audience: { kind: "role", values: ["staff"] } };
    news.addRecord(record(1), epoch, {});
    news.addRecord(record(2, { events: [secret] }), epoch, {});
    const [first, second] = news.since(0, 0, bob);
    expect(news.since(0, 0, bob)[0]).toBe(first);
    expect(news.since(0, 0, ann)[0]).toBe(first);
    expect(news.since(0, 0, ann)[1]).not.toBe(second);
    expect(news.since(0, 1, bob)[0]).not.toBe(first);
    expect(news.variant(0, bob)).toBe("");
    expect(news.variant(0, ann)).not.toBe("");
    expect(news.variant(2, ann)).toBe("");
  });

  it("[GW37] forgets the oldest, by count and by bytes", () => {
    const news = new News({ itemsMax: 3, bytesMax: 330 });
    for (let index = 1; index <= 5; index++) news.addRecord(record(index), epoch, {});
    expect(news.end).toBe(5);
    expect(news.reaches(2)).toBe(true);
    expect(news.reaches(1)).toBe(false);
    expect(news.recordsAfter(2)?.map(({ index }) => index)).toEqual([3, 4, 5]);
    expect(news.recordsAfter(1)).toBeUndefined();
    news.addRecord(record(6, { patches: [[0, ["a"], "x".repeat(290)]] }), epoch, {});
    expect(news.reaches(4)).toBe(false);
    expect(news.reaches(5)).toBe(true);
    news.clear();
    expect(news.reaches(6)).toBe(false);
    expect(news.reaches(news.end)).toBe(true);
  });

  it("[GW36] keeps a record as it was when later patches change what it set", () => {
    const { replica } = crowd(1);
    replica.reset(1, { ...image(replica), state: {} });
    const set = record(2, { patches: [[0, ["item"], { at: 1 }]] });
    expect(replica.applyRecord(set)).toBe("applied");
    expect(replica.applyRecord(record(3, { patches: [[0, ["item", "at"], 2]] }))).toBe("applied");
    expect(set.patches).toEqual([[0, ["item"], { at: 1 }]]);
    expect(replica.snapshot().state).toEqual({ item: { at: 2 } });
  });
});

const image = (replica: Replica) => ({
  world: worldName("hall"),
  tickHz: 10,
  at: 0,
  state: null as unknown,
  members: [...replica.members.values()],
  rows: new Uint8Array(),
});

describe("a client that does not keep up", () => {
  it("[GW37] is skipped, then told what it missed in one frame, in order", async () => {
    const rig = new GatewayRig({ missesMax: 100, calmFrames: 1 });
    const [slow, fast] = [await rig.joined("slow"), await rig.joined("fast")];
    await quiet(rig);
    const before = slow.writes.length;
    slow.pendingBytes = rig.config.pendingBytesMax + 1;
    const first = rig.room.index + 1;
    for (let n = 0; n < 5; n++) {
      rig.room.write(GATEWAY, { patches: [[0, ["n"], n]] });
      rig.room.tick(GATEWAY, [rowAt(0, n, 0)]);
      await rig.run(100);
    }
    expect(slow.writes.length).toBe(before);
    expect(rig.count("roomcluster_gateway_conflated_total")).toBe(5);
    slow.pendingBytes = 0;
    rig.room.write(GATEWAY, {});
    rig.room.tick(GATEWAY, [rowAt(0, 9, 0)]);
    await rig.settle();
    expect(slow.writes.length).toBe(before + 1);
    const wanted = [0, 1, 2, 3, 4, 5].map((n) => first + n);
    expect(indexes(slow).slice(-6)).toEqual(wanted);
    expect(indexes(fast).slice(-6)).toEqual(wanted);
    expect(slow.frames.at(-1)?.rows).toEqual(rowAt(0, 9, 0));
    rig.room.tick(GATEWAY, [rowAt(0, 9, 1)]);
    await rig.settle();
    expect(slow.writes.at(-1)).toBe(fast.writes.at(-1));
  });

  it("[GW37] gets a snapshot where the news are forgotten", async () => {
    const rig = new GatewayRig({ newsMax: 3 });
    const slow = await rig.joined("slow");
    await quiet(rig);
    slow.pendingBytes = 1e6;
    for (let n = 0; n < 5; n++) rig.room.write(GATEWAY, { patches: [[0, ["n"], n]] });
    await rig.run(200);
    slow.pendingBytes = 0;
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(slow.story.slice(-3)).toEqual(["epoch", "snapshot", "frame"]);
    expect(slow.got("snapshot").at(-1)).toMatchObject({ index: rig.room.index, state: { n: 4 } });
    rig.room.write(GATEWAY, {});
    await rig.run(300);
    expect(indexes(slow).at(-1)).toBe(rig.room.index);
  });

  it("[GW37] is sent no more messages in a payload than a client takes", async () => {
    const rig = new GatewayRig({ newsMax: 4_000 });
    const slow = await rig.joined("slow");
    await quiet(rig);
    slow.pendingBytes = 1e6;
    for (let n = 0; n < 2_500; n++) rig.room.write(GATEWAY, {});
    await rig.run(200);
    slow.pendingBytes = 0;
    rig.room.tick(GATEWAY);
    await rig.settle();
    const told = slow.got("record").slice(-2_500);
    expect(told.map(({ record }) => record.index)).toEqual(
      Array.from({ length: 2_500 }, (_, at) => rig.room.index - 2_499 + at),
    );
  });

  it("[GW39] is closed 4002 when what is for it alone piles up", async () => {
    const rig = new GatewayRig();
    const slow = await rig.joined("slow");
    const session = slow.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    slow.pendingBytes = 1e6;
    const reply = { type: "reply", session, status: "ok", index: 1 } as const;
    const data = "x".repeat(10_000);
    for (let seq = 1; seq <= 6; seq++) rig.room.say(GATEWAY, { ...reply, seq, data });
    await rig.settle();
    expect(slow.closedWith).toBeUndefined();
    rig.room.say(GATEWAY, { ...reply, seq: 7, data });
    await rig.settle();
    expect(slow.closedWith?.code).toBe(4002);
    const closes = "roomcluster_gateway_closes_total";
    expect(rig.count(closes, { reason: "slowConsumer" })).toBe(1);
    await rig.run(10);
    expect(rig.room.heard("away").length).toBeGreaterThan(0);
  });
});

describe("what is for some only", () => {
  it("[GW38] an event reaches its audience, in the record, and nobody else", async () => {
    const rig = new GatewayRig();
    const staff = await rig.joined("sam", "staff");
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    await quiet(rig);
    const named = ann.got("joined")[0]?.session as string;
    rig.room.write(GATEWAY, {
      patches: [[0, ["n"], 7]],
      events: [
        { name: "all", data: 1, audience: null },
        { name: "backstage", data: 2, audience: { kind: "role", values: ["staff"] } },
        { name: "ann", data: 3, audience: { kind: "sessions", values: [named] } },
      ],
    });
    rig.room.tick(GATEWAY);
    await rig.settle();
    const heard = (client: FakeClient) => {
      const told = client.got("record").at(-1)?.record;
      expect(told?.patches).toEqual([[0, ["n"], 7]]);
      return told?.events.map(({ name }) => name);
    };
    expect([heard(staff), heard(ann), heard(bob)]).toEqual([
      ["all", "backstage"],
      ["all", "ann"],
      ["all"],
    ]);
    expect(Buffer.concat(bob.writes).includes("backstage")).toBe(false);
    for (const client of [staff, ann, bob])
      expect(indexes(client).filter((index) => index === rig.room.index)).toHaveLength(1);
  });

  it("[GW39] [GW43] goes alone after tailMs where no frame comes", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const session = client.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    await quiet(rig);
    rig.room.say(GATEWAY, { type: "expect", session, seq: 3 });
    await rig.settle();
    expect(client.got("expect")).toEqual([]);
    await rig.run(10);
    expect(client.got("expect")).toMatchObject([{ seq: 3 }]);
    expect(client.story.at(-1)).toBe("expect");
  });

  it("[GW43] news of a room without ticks goes out from the flush", async () => {
    const rig = new GatewayRig();
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    await quiet(rig);
    await rig.run(200);
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 1]] });
    await rig.run(55);
    expect(indexes(ann).at(-1)).toBe(rig.room.index);
    expect(ann.writes.at(-1)).toBe(bob.writes.at(-1));
  });
});

describe("preframing", () => {
  it("[GW33] makes whole messages of any length, several in one buffer", () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
      const payload = new Uint8Array(length).fill(length & 0xff);
      const payloads = unframe(preframe(payload, Uint8Array.of(1, 2, 3)));
      expect(payloads.map((data) => data.length)).toEqual([length, 3]);
      expect(Buffer.compare(payloads[0] as Uint8Array, payload)).toBe(0);
    }
  });
});
