import { describe, expect, it } from "vitest";
import { epochAt } from "../../src/kernel/epoch.ts";
import type { FakeRoom } from "../support/fake-room.ts";
import { GATEWAY, GatewayRig, NODE2 } from "../support/gateway-rig.ts";

/** A journal that was restored from before anybody joined: the next seat is another one. */
function restored(rig: GatewayRig): FakeRoom {
  const next = rig.takeOver(3, 2);
  next.records.splice(1);
  next.members = [];
  next.seats.clear();
  next.seats.set("somebody else's", { slot: 0, attach: 1 });
  return next;
}

describe("another seat", () => {
  it("[GW30] is told as joined once the snapshot is there, however long after the join", async () => {
    const rig = new GatewayRig({ joinMsMax: 2_000 });
    const client = await rig.joined();
    await rig.run(3_000);
    const next = restored(rig);
    next.answersWatch = false;
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(700);
    expect(next.heard("attach").length).toBeGreaterThan(0);
    expect(client.got("joined"), "the snapshot is not here").toHaveLength(1);
    next.answersWatch = true;
    await rig.run(1_200);
    expect(client.story.slice(-2)).toEqual(["joined", "snapshot"]);
    expect(client.got("joined").at(-1)).toMatchObject({ slot: 1, attach: 1 });
    expect(client.got("snapshot").at(-1)?.epoch).toBe(next.epoch);
    expect([...client.got("refused"), ...client.got("left")]).toEqual([]);
    client.command(1);
    await rig.run(20);
    expect(next.heard("command")).toHaveLength(1);
  });

  it("[GW24] or the same one of a restored journal, with older numbers, is told (seed 15)", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    for (const seq of [1, 2, 3]) client.command(seq);
    await rig.run(50);
    const { slot } = client.got("joined")[0] ?? {};
    const next = rig.takeOver(3, 2);
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(700);
    expect(client.got("joined")).toMatchObject([
      { slot, seq: 0 },
      { slot, seq: 0 },
    ]);
    expect(client.story.slice(-2)).toEqual(["joined", "snapshot"]);
    expect(client.got("snapshot").at(-1)?.epoch).toBe(next.epoch);
  });

  it("[GW30] ends with left, which a client may come back from, where no snapshot comes", async () => {
    const rig = new GatewayRig({ joinMsMax: 2_000 });
    const client = await rig.joined();
    const next = restored(rig);
    next.answersWatch = false;
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(4_000);
    expect(client.got("left").map(({ code }) => code)).toEqual(["room_unavailable"]);
    expect(client.got("refused")).toEqual([]);
    expect(client.open).toBe(true);
  });
});

describe("somebody who goes", () => {
  it("[GW31] is told to the next owner too, however long the last one has been dead", async () => {
    const rig = new GatewayRig({ departureTriesMax: 4 });
    const [client, other] = [await rig.joined("ann"), await rig.joined("bob")];
    client.send({ type: "leave", channel: 0, transfer: null });
    await rig.run(10_000);
    other.send({ type: "ping", clientTime: 1, echoes: [] });
    await rig.run(5_000);
    expect(rig.room.heard("leave")).toHaveLength(4);
    const next = rig.takeOver();
    next.tick(GATEWAY);
    await rig.run(100);
    expect(next.heard("leave").length).toBeGreaterThan(0);
    expect(other.open).toBe(true);
  });

  it("[GW31] is told nothing of a replay that was not written yet", async () => {
    const rig = new GatewayRig({ tailBytesMax: 4_096 });
    const keeper = await rig.joined("keeper");
    const ann = await rig.joined("ann");
    const session = ann.got("joined")[0]?.token as string;
    ann.drop();
    const data = "x".repeat(8_000);
    rig.room.write(GATEWAY, { events: [{ name: "long", data, audience: null }] });
    await rig.run(100);
    const back = await rig.welcomed("ann");
    back.pendingBytes = 1e6;
    back.join({ session, attach: 2, cursor: { epoch: rig.room.epoch, index: 3 } });
    await rig.run(100);
    back.send({ type: "leave", channel: 0, transfer: null });
    back.pendingBytes = 0;
    await rig.run(200);
    expect(back.closedWith).toBeUndefined();
    expect(back.story).toEqual(["welcome", "left"]);
    expect(keeper.open).toBe(true);
  });

  it("[GW19] attaches nobody twice when the first answer of an owner is to an attach", async () => {
    const rig = new GatewayRig();
    const clients = await Promise.all(["a", "b", "c"].map((name) => rig.welcomed(name)));
    for (const client of clients) client.join();
    await rig.run(300);
    for (const client of clients) expect(client.got("joined")).toHaveLength(1);
    const next = rig.takeOver();
    next.answersWatch = false;
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(1_200);
    expect(next.heard("attach").map(({ connection }) => connection)).toHaveLength(3);
  });
});

describe("a room that nobody owns", () => {
  it("[GW16] reads its tail ever more rarely, and soon when a new owner is heard of", async () => {
    const rig = new GatewayRig();
    await rig.joined();
    const before = rig.journal.reads;
    for (let at = 0; at < 200; at++) {
      rig.room.say(GATEWAY, { type: "stale" });
      await rig.run(50);
    }
    const reads = rig.journal.reads - before;
    expect(reads).toBeGreaterThan(8);
    expect(reads, "in ten seconds").toBeLessThan(25);
    const next = rig.takeOver();
    next.tick(GATEWAY);
    await rig.run(160);
    expect(next.heard("watch").length, "not after a second").toBeGreaterThan(0);
    // What an owner that lies claims next is a reason as well, but no more often than before.
    const settled = rig.journal.reads;
    rig.room.say(GATEWAY, { type: "stale" });
    await rig.run(1_000);
    expect(rig.journal.reads - settled).toBeLessThan(4);
  });
});

describe("commands and takeovers", () => {
  it("[GW27] marks what an earlier owner was sent, and only that", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    client.command(1);
    client.command(1);
    await rig.run(20);
    expect(rig.room.heard("command").map(({ resent }) => resent)).toEqual([false, false]);
    const next = rig.takeOver();
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(10);
    // The resend timer of a client that has not heard of the takeover.
    client.command(1);
    client.command(2);
    await rig.run(1_200);
    client.command(1);
    client.command(2);
    await rig.run(20);
    expect(next.heard("command").map(({ seq, resent }) => [seq, resent])).toEqual([
      [1, true],
      [2, false],
      [1, true],
      [2, false],
    ]);
    expect(next.epoch).toBe(epochAt(1, 9));
  });
});
