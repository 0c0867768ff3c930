import { describe, expect, it } from "vitest";
import { Lights } from "../../gateway/lights.ts";
import type { Seat } from "../../src/protocol/client-messages.ts";
import { ROW_WORDS, rowSlot } from "../../src/protocol/pose-row.ts";
import { member, rowAt } from "../support/fake-room.ts";
import { type FakeClient, GATEWAY, GatewayRig, NODE2 } from "../support/gateway-rig.ts";
import { unframe } from "../support/unframe.ts";
import { placesOf, WatchedRoom } from "../support/watched-room.ts";

/** Far from everybody else, so that no frame of a view has them unless in turn. */
const FAR = 5_000;
const SLOTS = Array.from({ length: 40 }, (_, i) => i + 100);

/** A crowded room in which a frame has eight rows, and people who are in it. */
async function crowdedRig(over = {}) {
  const rig = new GatewayRig({ frameBytesPerSecond: 0, ...over });
  rig.room.members = SLOTS.map((slot) => member(slot));
  rig.room.rows = SLOTS.map((slot) => rowAt(slot, FAR, FAR));
  const clients = [await rig.joined("ann"), await rig.joined("bob")] as const;
  await rig.run(400);
  let at = 0;
  /** Everybody at the far end moves. */
  const tick = async (): Promise<void> => {
    at += 0.5;
    rig.room.tick(
      GATEWAY,
      SLOTS.map((slot) => rowAt(slot, FAR + at, FAR)),
    );
    await rig.settle();
  };
  await tick();
  return { rig, tick, ann: clients[0], bob: clients[1] };
}

const follow = (client: FakeClient, members: readonly Seat[], channel = 0): void =>
  client.send({ type: "follow", channel, members });
const seat = (slot: number, generation = 1): Seat => ({ slot, generation });

/** Slots that the last frame of a client has, those for it alone among them. */
function slotsOf(client: FakeClient): number[] {
  const rows = client.frames.at(-1)?.rows ?? new Uint32Array();
  return Array.from({ length: rows.length / ROW_WORDS }, (_, at) => rowSlot(rows, at * ROW_WORDS));
}

/** How many of the next frames of a client have this slot. */
async function seenIn(frames: number, slot: number, client: FakeClient, tick: () => Promise<void>) {
  let seen = 0;
  for (let at = 0; at < frames; at++) {
    await tick();
    if (slotsOf(client).includes(slot)) seen++;
  }
  return seen;
}

describe("following", () => {
  it("[GW57] their rows ride behind the shared frame, in one write; others get the shared one", async () => {
    const { rig, tick, ann, bob } = await crowdedRig();
    const cyd = await rig.joined("cyd");
    await rig.run(400);
    await tick();
    expect(ann.writes.at(-1)).toBe(bob.writes.at(-1));
    const followed = SLOTS.slice(20, 30);
    follow(
      ann,
      followed.map((slot) => seat(slot)),
    );
    for (let at = 0; at < 12; at++) {
      const writes = ann.writes.length;
      await tick();
      expect(ann.writes.length).toBe(writes + 1);
      expect(bob.writes.at(-1)).toBe(cyd.writes.at(-1));
      const buffer = ann.writes.at(-1) as Buffer;
      expect(unframe(buffer)).toHaveLength(1);
      const [own, shared] = [slotsOf(ann), slotsOf(bob)];
      expect(own.slice(0, shared.length)).toEqual(shared);
      expect(shared).toHaveLength(8);
      expect(own).toEqual(expect.arrayContaining(followed));
      expect(new Set(own).size).toBe(own.length);
      expect(ann.frames.at(-1)?.tick).toBe(bob.frames.at(-1)?.tick);
    }
    // Nobody moved: nothing rides.
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(ann.writes.at(-1)).toBe(bob.writes.at(-1));
  });

  it("[GW57] news and what is private ride the same write, behind the rows", async () => {
    const { rig, tick, ann } = await crowdedRig();
    const session = ann.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    follow(ann, [seat(120)]);
    await tick();
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] });
    rig.room.say(GATEWAY, { type: "expect", session, seq: 3 });
    const writes = ann.writes.length;
    await tick();
    expect(ann.writes.length).toBe(writes + 1);
    expect(ann.frames.at(-1)?.messages.map(({ type }) => type)).toEqual(["record", "expect"]);
    expect(slotsOf(ann)).toContain(120);
  });

  it("[GW57] who missed a frame has in the next what it missed of them", async () => {
    const { rig, tick, ann } = await crowdedRig({ missesMax: 100 });
    follow(ann, [seat(120)]);
    await tick();
    ann.pendingBytes = 1e6;
    await tick();
    ann.pendingBytes = 0;
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(slotsOf(ann)).toContain(120);
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(slotsOf(ann)).not.toContain(120);
  });

  it("[GW57] takes the first of more than it may be, each once, and a new list for the old", async () => {
    const { tick, ann } = await crowdedRig({ followedMax: 3 });
    follow(
      ann,
      [120, 120, 121, 122].map((slot) => seat(slot)),
    );
    expect(await seenIn(6, 121, ann, tick)).toBe(6);
    expect(await seenIn(6, 122, ann, tick)).toBeLessThan(6);
    follow(ann, [seat(122)]);
    expect(await seenIn(6, 122, ann, tick)).toBe(6);
    expect(await seenIn(6, 121, ann, tick)).toBeLessThan(6);
    follow(ann, []);
    expect(await seenIn(6, 122, ann, tick)).toBeLessThan(6);
  });

  it("[GW57] nobody is followed where that is switched off, or without a membership", async () => {
    const { rig, tick, ann } = await crowdedRig({ followedMax: 0 });
    follow(ann, [seat(120)]);
    expect(await seenIn(6, 120, ann, tick)).toBeLessThan(6);
    follow(ann, [seat(120)], 5);
    await rig.run(60);
    expect(ann.got("error")).toMatchObject([{ channel: 5, code: "not_joined" }]);
    expect(ann.closedWith).toBeUndefined();
  });

  it("[GW8] counts like a signal", async () => {
    const { rig, ann } = await crowdedRig();
    for (let at = 0; at < 30; at++) follow(ann, [seat(120)]);
    await rig.run(60);
    expect(ann.got("error").length).toBeGreaterThan(0);
    expect(rig.count("roomcluster_gateway_rate_limited_total", { kind: "signals" })).toBe(10);
  });

  it("[GW58] a person in a seat is followed, and nobody who has it later", async () => {
    const { rig, tick, ann } = await crowdedRig();
    follow(ann, [seat(120), seat(121)]);
    expect(await seenIn(6, 120, ann, tick)).toBe(6);
    // Generations come round: another person may have the very same seat.
    rig.room.write(GATEWAY, { left: [seat(120)] });
    const other = { person: "somebody" as never };
    rig.room.write(GATEWAY, { joined: [member(120, 1, other)] });
    await rig.settle();
    expect(await seenIn(8, 120, ann, tick)).toBeLessThan(8);
    expect(await seenIn(6, 121, ann, tick)).toBe(6);
    // Nor is the one who left when they come back elsewhere.
    rig.room.write(GATEWAY, { left: [seat(120)], joined: [member(150, 1)] });
    await tick();
    rig.room.tick(GATEWAY, [rowAt(150, FAR, FAR)]);
    await rig.settle();
    rig.room.tick(GATEWAY, [rowAt(150, FAR + 1, FAR)]);
    await rig.settle();
    const far = slotsOf(ann).filter((slot) => slot === 150);
    expect(far.length).toBeLessThanOrEqual(1);
  });

  it("[GW58] a seat that nobody has yet counts from when somebody has it, within 5 s", async () => {
    const { rig, tick, ann, bob } = await crowdedRig();
    for (const client of [ann, bob]) follow(client, [seat(200), seat(121)]);
    await tick();
    expect(await seenIn(3, 121, ann, tick)).toBe(3);
    rig.room.write(GATEWAY, { joined: [member(200)] });
    for (let at = 0; at < 4; at++) {
      rig.room.tick(GATEWAY, [rowAt(200, FAR, at)]);
      await rig.settle();
      expect(slotsOf(ann)).toContain(200);
    }
    follow(bob, [seat(201)]);
    await rig.run(5_100);
    await tick();
    rig.room.write(GATEWAY, { joined: [member(201)] });
    let seen = 0;
    for (let at = 0; at < 6; at++) {
      rig.room.tick(GATEWAY, [...SLOTS.map((slot) => rowAt(slot, FAR, at)), rowAt(201, FAR, at)]);
      await rig.settle();
      if (slotsOf(bob).includes(201)) seen++;
    }
    expect(seen).toBeLessThan(6);
  });

  it("[GW58] a change of owners changes nothing of it, another attach begins with nobody", async () => {
    const { rig, ann, tick } = await crowdedRig();
    follow(ann, [seat(120)]);
    expect(await seenIn(3, 120, ann, tick)).toBe(3);
    const next = rig.takeOver();
    next.tick(GATEWAY);
    await rig.run(600);
    const move = (x: number) => async (): Promise<void> => {
      x += 0.5;
      next.tick(
        GATEWAY,
        SLOTS.map((slot) => rowAt(slot, x, FAR)),
      );
      await rig.settle();
    };
    expect(next.heard("attach").length).toBeGreaterThan(0);
    expect(await seenIn(6, 120, ann, move(FAR + 100))).toBe(6);
    const joined = ann.got("joined").at(-1);
    const again = await rig.welcomed("ann");
    again.join({ attach: 2, session: joined?.token ?? null, cursor: null });
    await rig.run(100);
    expect(again.got("joined")).toHaveLength(1);
    expect(await seenIn(6, 120, again, move(FAR + 200))).toBeLessThan(6);
    expect(next.node).toBe(NODE2);
  });
});

describe("the light", () => {
  const room = () => new WatchedRoom({ places: placesOf(20, 10, 1) }).replica;

  it("[GW56] is for the latest that the world names, and for those who give signals in what is left", () => {
    const replica = room();
    const lights = new Lights(3);
    lights.spoke(seat(1), 100, 0);
    lights.shine(seat(2), 100, 0);
    lights.spoke(seat(3), 100, 0);
    lights.spoke(seat(4), 100, 0);
    expect(lights.slots(replica)).toEqual([1, 2, 3]);
    lights.shine(seat(5), 100, 0);
    lights.shine(seat(6), 100, 0);
    expect(lights.slots(replica)).toEqual([2, 5, 6]);
    lights.shine(seat(7), 100, 0);
    expect(lights.slots(replica)).toEqual([5, 6, 7]);
    // Named again, one is the latest; a signal of theirs only makes it longer.
    lights.shine(seat(5), 200, 0);
    lights.spoke(seat(6), 300, 0);
    lights.shine(seat(8), 100, 0);
    expect(lights.slots(replica)).toEqual([7, 5, 8]);
  });

  it("[GW56] ends with its time, with a time that is over, and with the seat", () => {
    const replica = room();
    const lights = new Lights(3);
    lights.shine(seat(1), 500, 0);
    lights.shine(seat(2), 1_000, 0);
    lights.shine(seat(3, 9), 1_000, 0);
    expect(lights.slots(replica)).toEqual([1, 2]);
    lights.shine(seat(2), 0, 0);
    expect(lights.slots(replica)).toEqual([1]);
    // Who left it made a place for another signal.
    lights.spoke(seat(4), 600, 10);
    replica.at = 500;
    expect(lights.slots(replica)).toEqual([4]);
    expect(lights.empty).toBe(false);
    replica.at = 1_000;
    expect(lights.slots(replica)).toEqual([]);
    expect(lights.empty).toBe(true);
  });

  it("[GW56] the room's word reaches every view, also before the record of its member", async () => {
    const { rig, tick, bob } = await crowdedRig();
    expect(await seenIn(8, 130, bob, tick)).toBeLessThan(8);
    const until = rig.clock.now() + 60_000;
    for (const slot of [130, 210])
      rig.room.say(GATEWAY, { type: "spotlight", ...seat(slot), until });
    await rig.settle();
    expect(await seenIn(8, 130, bob, tick)).toBe(8);
    rig.room.write(GATEWAY, { joined: [member(210)] });
    rig.room.tick(GATEWAY, [rowAt(210, FAR, 0)]);
    await rig.settle();
    expect(slotsOf(bob)).toContain(210);
    rig.room.say(GATEWAY, { type: "spotlight", ...seat(130), until: 0 });
    await rig.settle();
    expect(await seenIn(8, 130, bob, tick)).toBeLessThan(8);
  });
});
