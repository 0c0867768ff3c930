import { expect, test } from "vitest";
import { clientDefaults } from "../../src/client/limits.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { sessionId } from "../../src/kernel/ids.ts";
import {
  EPOCH,
  inRoom,
  joined,
  member,
  record,
  reply,
  settle,
  snapshot,
} from "../support/fake-gateway.ts";

const NEXT = sessionId("n".repeat(22));
/** Of the other shard, whose journal has nothing to do with this one's. */
const THEIRS = epochAt(1, 3);
const MOVE = { type: "moveTo", channel: 0, room: "gala--0" } as const;

test("[CL52] [PR63] who is asked over goes between two commands, and everything goes on there", async () => {
  const { gateways, room } = await inRoom({}, {});
  const news: string[] = [];
  room.on("left", ({ person }) => news.push(`left ${person}`));
  room.on("joined", ({ person }) => news.push(`joined ${person}`));
  room.on("moved", (place) => news.push(`moved ${place}`));
  const before = room.command("first");
  gateways.last.tell(MOVE);
  const after = room.command("second");
  expect(gateways.last.all("join"), "a command is under way").toHaveLength(1);
  expect(gateways.last.all("command"), "nothing new goes out").toHaveLength(1);
  gateways.last.tell(reply(1));
  await before;
  const join = gateways.last.last("join");
  expect(join).toMatchObject({ channel: 1, room: "gala--0", session: null, cursor: null });
  gateways.last.tell(record(11));
  expect([room.index, news], "it goes on here until there is a seat").toEqual([11, []]);
  const seat = { channel: 1, session: NEXT, token: "token-n", slot: 4, room: "gala--0" } as const;
  gateways.last.tell(joined(seat));
  expect(gateways.last.last("leave")).toMatchObject({ channel: 0, transfer: join.transfer });
  gateways.last.tell(snapshot({ channel: 1, epoch: THEIRS, index: 2, members: [member(4)] }));
  expect(news).toEqual(["left person-0-0", "moved gala--0", "joined person-4-0"]);
  expect([room.epoch, room.index, room.place, room.me.slot]).toEqual([THEIRS, 2, "gala--0", 4]);
  expect(gateways.last.last("command")).toMatchObject({ channel: 1, seq: 1, name: "second" });
  gateways.last.tell({ ...reply(1, 2), channel: 1 });
  await after;
  gateways.last.tell({ type: "left", channel: 0, code: "left", reason: "", transfer: null });
  expect(room.ended).toBe(false);
});

test("[CL52] who gets no seat there stays, and may be asked again", async () => {
  const { gateways, room } = await inRoom();
  const waiting = room.command("say");
  gateways.last.tell(MOVE);
  gateways.last.tell(reply(1));
  await waiting;
  const refusal = { code: "room_full", message: "no seat is free there" } as const;
  gateways.last.tell({ type: "refused", channel: 1, ...refusal, retryAfterMs: null });
  expect([room.ended, room.epoch, room.members.size]).toEqual([false, EPOCH, 1]);
  void room.command("more");
  expect(gateways.last.last("command"), "commands go on here").toMatchObject({
    channel: 0,
    seq: 2,
  });
  gateways.last.tell(reply(2), MOVE);
  expect(gateways.last.all("join").map(({ room: to }) => to)).toEqual([
    "plaza",
    "gala--0",
    "gala--0",
  ]);
});

test("[CL52] a command without a reply keeps everybody where they are", async () => {
  const { clock, gateways, room } = await inRoom();
  const lost = room.command("say");
  gateways.last.tell(MOVE);
  await clock.run(clientDefaults.moveMsMax + 100, 50);
  expect(gateways.last.all("join")).toHaveLength(1);
  const next = room.command("more");
  await settle();
  expect(gateways.last.last("command")).toMatchObject({ name: "more", seq: 2 });
  gateways.last.tell(reply(1), reply(2));
  await Promise.all([lost, next]);
});

test("[CL52] a seat that takes too long, or a line, keeps everybody where they are", async () => {
  const { clock, gateways, room } = await inRoom();
  gateways.last.tell(MOVE);
  await clock.run(clientDefaults.moveMsMax - 100, 50);
  void room.command("say").catch(() => {});
  expect(gateways.last.all("command"), "there may be a seat yet").toHaveLength(0);
  await clock.run(200, 50);
  expect(gateways.last.last("command")).toMatchObject({ channel: 0, seq: 1, name: "say" });
  expect(gateways.last.last("leave")).toMatchObject({ channel: 1 });
  gateways.last.tell({ type: "left", channel: 1, code: "left", reason: "", transfer: null });
  gateways.last.tell(reply(1), MOVE);
  const { channel } = gateways.last.last("join");
  void room.command("more").catch(() => {});
  expect(gateways.last.all("command")).toHaveLength(1);
  gateways.last.tell({ type: "waiting", channel, ahead: 3, total: 4, etaMs: null });
  expect(gateways.last.last("command")).toMatchObject({ channel: 0, seq: 2, name: "more" });
  expect(gateways.last.last("leave")).toMatchObject({ channel });
  expect(room.ended).toBe(false);
});

test("[CL52] room time is the new shard's from there on, which may be earlier", async () => {
  const { clock, gateways, room } = await inRoom();
  const later = clock.wallNow() + 60_000;
  for (let tick = 1; tick <= 5; tick++) {
    gateways.last.frame({ tick, at: later + tick * 100, index: 10 });
    await clock.run(100, 50);
  }
  expect(room.roomTime()).toBeGreaterThan(later);
  const told: unknown[] = [];
  room.on("moved", () => told.push(room.place, room.me.session));
  gateways.last.tell(MOVE);
  gateways.last.tell(joined({ channel: 1, session: NEXT, slot: 4, room: "gala--0" }));
  gateways.last.tell(snapshot({ channel: 1, epoch: THEIRS, index: 2, members: [member(4)] }));
  expect(told, "who hears of it finds it done").toEqual(["gala--0", NEXT]);
  gateways.last.frame({ channel: 1, tick: 1, at: later - 60_000, epoch: THEIRS, index: 2 });
  expect(room.roomTime()).toBeLessThan(later - 50_000);
});

test("[CL52] [CL17] a room that ends while it moves leaves nothing behind", async () => {
  const { clock, gateways, room } = await inRoom();
  gateways.last.tell(MOVE);
  const leaving = room.leave();
  expect(gateways.last.all("leave").map(({ channel }) => channel)).toEqual([1, 0]);
  gateways.last.tell({ type: "left", channel: 0, code: "left", reason: "", transfer: null });
  await leaving;
  gateways.last.tell(joined({ channel: 1, session: NEXT }));
  gateways.last.tell({ type: "left", channel: 1, code: "left", reason: "", transfer: null });
  await clock.run(1_000, 50);
  expect(room.ended).toBe(true);
});
