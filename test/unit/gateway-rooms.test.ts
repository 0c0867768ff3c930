import { describe, expect, it } from "vitest";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { Replica } from "../../gateway/replica.ts";
import { SnapshotParts } from "../../gateway/snapshot-parts.ts";
import { nodeSchema } from "../../src/config/schema.ts";
import { personId } from "../../src/kernel/ids.ts";
import { gatewayToClient } from "../../src/protocol/client-messages.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { rowsFromBytes } from "../../src/protocol/pose-row.ts";
import { MEMBERS_MAX, SNAPSHOT_PART_BYTES } from "../../src/protocol/room-messages.ts";
import { routes } from "../../src/protocol/subjects.ts";
import { type FakeRoom, member, rowAt } from "../support/fake-room.ts";
import { GATEWAY, GatewayRig, NODE2, ROOM } from "../support/gateway-rig.ts";

describe("routes and fencing", () => {
  it("[GW18] asks placement for an unknown room, reads the tail, then attaches", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    expect(rig.locates).toBe(1);
    expect(rig.journal.reads).toBeGreaterThan(0);
    expect(rig.room.heard("attach")[0]?.epoch).toBe(rig.room.epoch);
    expect(client.story.slice(0, 3)).toEqual(["welcome", "joined", "snapshot"]);
  });

  it.each([
    ["unknown", "room_unknown"],
    ["closed", "room_closed"],
    ["quarantined", "room_quarantined"],
  ] as const)("[GW18] refuses a room that is %s", async (status, code) => {
    const rig = new GatewayRig();
    rig.located = status;
    const client = await rig.joined();
    await rig.run(100);
    expect(client.got("refused").map((refused) => refused.code)).toEqual([code]);
  });

  it.each([
    ["no_capacity", "no_capacity"],
    [undefined, "room_unavailable"],
  ] as const)("[GW30] gives up after joinMsMax where placement says %s", async (status, code) => {
    const rig = new GatewayRig({ joinMsMax: 2_000 });
    rig.located = status;
    rig.journal.unavailable = true;
    const client = await rig.joined();
    await rig.run(1_900);
    expect(client.got("refused")).toEqual([]);
    await rig.run(300);
    expect(client.got("refused").map((refused) => refused.code)).toEqual([code]);
  });

  it("[GW18] goes on asking while the tail can not be read, and joins once it can", async () => {
    const rig = new GatewayRig();
    rig.journal.unavailable = true;
    const client = await rig.joined();
    await rig.run(1_000);
    expect(rig.room.heard("attach")).toEqual([]);
    rig.journal.unavailable = false;
    await rig.run(2_000);
    expect(client.got("joined")).toHaveLength(1);
  });

  it("[GW15] drops what an older owner says, counts it and tells it by a watch", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const next = rig.takeOver();
    rig.control.publish(routes(NODE2), route(next));
    await rig.run(50);
    const before = rig.room.heard("watch").length;
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 666]] });
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1)]);
    await rig.run(50);
    expect(rig.count("roomcluster_fenced_total", { where: "gateway" })).toBe(2);
    const told = rig.room.heard("watch").slice(before);
    expect(told.length).toBeGreaterThan(0);
    expect(told.every((watch) => watch.epoch === next.epoch)).toBe(true);
    expect(client.got("record")).toEqual([]);
  });

  it("[GW16] [GW50] moves the floor by reading the tail, not by what a message claims", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.clock.advance(100);
    const reads = rig.journal.reads;
    // A node that claims an epoch which the journal does not show.
    const liar = rig.node(NODE2, (rig.room.epoch + 5) as FakeRoom["epoch"]);
    for (let i = 0; i < 20; i++) liar.tick(GATEWAY, [rowAt(0, 500, 500)]);
    await rig.settle();
    expect(rig.journal.reads).toBe(reads + 1);
    await rig.run(60);
    expect(rig.journal.reads).toBeLessThanOrEqual(reads + 2);
    expect(client.frames).toEqual([]);
    await rig.run(1_100);
    expect(rig.count("roomcluster_gateway_dropped_total", { why: "ahead" })).toBe(20);
    rig.room.tick(GATEWAY, [rowAt(0, 3, 3)]);
    await rig.settle();
    expect(client.frames.map((frame) => frame.epoch)).toEqual([rig.room.epoch]);
  });

  it("[GW16] accepts a higher owner only after the tail was read", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    let open: () => void = () => undefined;
    rig.journal.gate = new Promise((resolve) => {
      open = resolve;
    });
    const next = rig.takeOver();
    next.tick(GATEWAY, [rowAt(0, 3, 3)]);
    await rig.settle();
    next.tick(GATEWAY, [rowAt(0, 4, 4)]);
    await rig.run(20);
    expect(client.frames).toEqual([]);
    expect(next.heard("attach")).toEqual([]);
    open();
    await rig.run(20);
    next.tick(GATEWAY, [rowAt(0, 5, 5)]);
    await rig.settle();
    expect(new Set(client.frames.map((frame) => frame.epoch))).toEqual(new Set([next.epoch]));
  });

  it("[GW50] [GW19] hears after that read what was said before, and attaches only whom it leaves out", async () => {
    const rig = new GatewayRig({ aheadMax: 3 });
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    let open: () => void = () => undefined;
    rig.journal.gate = new Promise((resolve) => {
      open = resolve;
    });
    const next = rig.takeOver();
    const { room } = rig;
    const confirmed = room.heard("attach")[0] as ReturnType<typeof room.heard<"attach">>[number];
    const { session, attach, connection } = confirmed;
    const { index } = room;
    // One more than is kept: the oldest makes room.
    next.tick(GATEWAY, [rowAt(0, 2, 2)]);
    next.say(GATEWAY, {
      type: "attached",
      session,
      attach,
      connection,
      slot: 0,
      generation: 0,
      seq: 0,
      index,
    });
    next.tick(GATEWAY, [rowAt(1, 4, 4)]);
    next.tick(GATEWAY, [rowAt(1, 5, 5)]);
    await rig.settle();
    expect([...ann.frames, ...bob.frames]).toEqual([]);
    open();
    await rig.run(20);
    expect(ann.frames.map((frame) => frame.epoch)).toEqual([next.epoch, next.epoch]);
    expect(rig.count("roomcluster_gateway_dropped_total", { why: "ahead" })).toBe(1);
    expect(next.heard("attach").map((again) => again.session)).not.toContain(session);
    expect(next.heard("attach")).toHaveLength(1);
    ann.command(1);
    await rig.run(20);
    expect(next.heard("command")).toMatchObject([{ session, seq: 1 }]);
  });

  it("[GW19] tells whom nobody attached again what may have been lost on the way", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann");
    const { room } = rig;
    const confirmed = room.heard("attach")[0] as ReturnType<typeof room.heard<"attach">>[number];
    const { session, attach, connection } = confirmed;
    ann.pose(rowAt(0, 7, 7));
    const profile = { name: "Anna", color: 2, model: "capsule" };
    ann.send({ type: "profile", channel: 0, profile });
    await rig.run(1);
    const next = rig.takeOver();
    const { index } = room;
    const said = {
      type: "attached",
      session,
      attach,
      connection,
      slot: 0,
      generation: 1,
      seq: 0,
      index,
    } as const;
    next.say(GATEWAY, said);
    await rig.run(60);
    expect(next.heard("attach")).toEqual([]);
    expect(next.heard("profile")).toMatchObject([{ session, profile }]);
    const rows = next.heard("poses").map((poses) => rowsFromBytes(poses.rows));
    expect(rows.at(-1)).toEqual(rowAt(0, 7, 7));
  });

  it("[GW16] has one read in flight, and reads once more for what came meanwhile", async () => {
    const rig = new GatewayRig();
    await rig.joined();
    rig.clock.advance(100);
    const reads = rig.journal.reads;
    let open: () => void = () => undefined;
    rig.journal.gate = new Promise((resolve) => {
      open = resolve;
    });
    const next = rig.takeOver();
    for (let i = 0; i < 10; i++) rig.control.publish(routes(NODE2), route(next));
    await rig.settle();
    expect(rig.journal.reads).toBe(reads + 1);
    open();
    await rig.run(200);
    expect(rig.journal.reads).toBe(reads + 2);
  });

  it("[GW17] drops what another process says at the floor", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const other = rig.node(NODE2, rig.room.epoch);
    other.records.push(...rig.room.records.slice(1));
    other.tick(GATEWAY, [rowAt(0, 9, 9)]);
    await rig.run(20);
    expect(rig.count("roomcluster_gateway_dropped_total", { why: "foreign" })).toBe(1);
    expect(client.frames).toEqual([]);
  });

  it("[GW16] reads the tail when the owner says that the room is not there any more", async () => {
    const rig = new GatewayRig();
    await rig.joined();
    const next = rig.takeOver();
    rig.room.say(GATEWAY, { type: "stale" });
    await rig.run(20);
    expect(next.heard("watch")).toHaveLength(1);
  });

  it("[GW19] attaches every session again on a higher epoch, where it stood", async () => {
    const rig = new GatewayRig();
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    ann.pose(rowAt(77, 12, 34));
    await rig.run(20);
    const next = rig.takeOver();
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(20);
    expect(next.heard("watch")).toHaveLength(1);
    expect(next.heard("attach")).toEqual([]);
    next.tick(GATEWAY, []);
    await rig.run(20);
    const attaches = next.heard("attach");
    expect(attaches.map((attach) => attach.resumed)).toEqual([true, true]);
    expect(attaches[0]?.row).toEqual(new Uint8Array(rowAt(0, 12, 34).buffer));
    expect(attaches[1]?.row).toBeNull();
    expect(attaches[0]?.profile.name).toBe("Ann");
    next.tick(GATEWAY, [rowAt(0, 12, 34)]);
    await rig.settle();
    for (const client of [ann, bob]) {
      expect(client.story.slice(client.story.indexOf("epoch"))).toEqual([
        "epoch",
        "frame",
        "frame",
      ]);
      expect(client.got("joined")).toHaveLength(1);
    }
  });

  it("[GW19] attaches after half a second where the new owner is not heard", async () => {
    const rig = new GatewayRig();
    await rig.joined("ann");
    const next = rig.takeOver();
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(450);
    expect(next.heard("attach")).toEqual([]);
    await rig.run(150);
    expect(next.heard("attach").length).toBeGreaterThan(0);
  });

  it("[GW19] watches at once an owner that serves only after the tail has named it", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    await rig.run(500);
    const next = rig.takeOver();
    [next.answersWatch, next.answersAttach] = [false, false];
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(20);
    expect(next.heard("watch"), "lost: the room is not there yet").toHaveLength(1);
    next.answersWatch = true;
    next.write(GATEWAY, { patches: [[0, ["n"], 2]] }, { lost: true });
    rig.control.publish(routes(NODE2), route(next));
    await rig.run(20);
    expect(next.heard("watch")).toHaveLength(2);
    expect(next.heard("attach"), "the owner was heard").toHaveLength(1);
    await rig.run(150);
    expect(client.got("epoch").map(({ epoch }) => epoch)).toEqual([next.epoch]);
    const watches = next.heard("watch").length;
    rig.control.publish(routes(NODE2), route(next));
    await rig.run(20);
    expect(next.heard("watch"), "heard already").toHaveLength(watches);
  });

  it("[GW24] starts over, and so do clients, where a journal was restored", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] });
    await rig.run(300);
    const next = rig.takeOver(3, 2);
    next.records.splice(2);
    next.state = { n: "restored" };
    rig.control.publish(routes(NODE2), route(next));
    await rig.run(300);
    const snapshot = client.got("snapshot").at(-1);
    expect(client.story.slice(-2)).toEqual(["joined", "snapshot"]);
    expect(snapshot).toMatchObject({ epoch: next.epoch, index: 2, state: { n: "restored" } });
  });
});

const route = (room: FakeRoom): Uint8Array =>
  control.encode({
    type: "route",
    owner: room.node,
    routes: [{ room: ROOM, epoch: room.epoch, sessions: null }],
  });

describe("the replica", () => {
  it("[GW20] asks for lost records and tells them in order, each once", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 3]] }, { lost: true });
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 4]] }, { lost: true });
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 5]] });
    await rig.run(300);
    const indexes = client.got("record").map(({ record }) => record.index);
    expect(indexes).toEqual([3, 4, 5]);
    expect(rig.count("roomcluster_gateway_gaps_total")).toBeGreaterThan(0);
  });

  it("[GW20] learns from a tick's index that a record was lost", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.write(GATEWAY, {}, { lost: true });
    rig.room.tick(GATEWAY);
    await rig.run(20);
    rig.room.tick(GATEWAY);
    await rig.run(20);
    expect(client.got("record").map(({ record }) => record.index)).toEqual([3]);
    expect(client.frames.map((frame) => frame.index)).toEqual([2, 3]);
  });

  it("[GW49] makes one frame of a tick that comes twice (simulation, seed 28)", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.network.faults.link("node1", "gw1").duplicateRate = 1;
    // The first batch of a sender is taken for a new beginning, also the second time.
    rig.room.restartLinks();
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1)]);
    await rig.run(20);
    expect(rig.network.faults.fired.duplicated).toBe(1);
    expect(client.frames).toHaveLength(1);
  });

  it("[GW49] loses nothing to a tick that comes again behind a record", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const old = { type: "tick", tick: 1, at: 1, index: rig.room.index, rows: new Uint8Array(0) };
    rig.room.tick(GATEWAY);
    rig.room.write(GATEWAY, {});
    await rig.run(20);
    rig.room.say(GATEWAY, old as Parameters<typeof rig.room.say>[1]);
    rig.room.tick(GATEWAY);
    await rig.run(20);
    expect(client.got("snapshot")).toHaveLength(1);
    expect(client.frames.map(({ tick }) => tick)).toEqual([1, 2]);
  });

  it("[GW20] watches at once when batches of the owner were lost", async () => {
    const rig = new GatewayRig();
    await rig.joined();
    await rig.run(100);
    const watches = rig.room.heard("watch").length;
    rig.network.faults.link("node1", "gw1").dropRate = 1;
    rig.room.say(GATEWAY, { type: "signal", slot: 0, generation: 1, name: "wave", body: null });
    await rig.settle();
    rig.network.faults.link("node1", "gw1").dropRate = 0;
    rig.room.tick(GATEWAY);
    await rig.run(10);
    expect(rig.network.faults.fired.dropped).toBeGreaterThan(0);
    expect(rig.room.heard("watch").length).toBe(watches + 1);
  });

  it("[GW21] watches once a second, and is bounded where gaps go on", async () => {
    const rig = new GatewayRig();
    await rig.joined();
    rig.room.answersWatch = false;
    const before = rig.room.heard("watch").length;
    for (let second = 0; second < 4; second++) {
      await rig.run(1_000);
      rig.room.tick(GATEWAY);
    }
    const calm = rig.room.heard("watch").length - before;
    expect(calm).toBeGreaterThanOrEqual(3);
    expect(calm).toBeLessThanOrEqual(5);
    rig.room.write(GATEWAY, {}, { lost: true });
    for (let at = 0; at < 100; at++) {
      rig.room.tick(GATEWAY);
      await rig.run(10);
    }
    const gaps = rig.room.heard("watch").length - before - calm;
    expect(gaps).toBeGreaterThan(5);
    expect(gaps).toBeLessThanOrEqual(16);
  });

  it("[GW20] fetches a snapshot where a patch leads nowhere", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.state = { n: "healed" };
    rig.room.write(GATEWAY, { patches: [[0, ["no", "such", "place"], 1]] });
    await rig.run(300);
    expect(rig.room.heard("watch").some((watch) => watch.index === 0)).toBe(true);
    expect(client.got("snapshot").at(-1)?.state).toEqual({ n: "healed" });
    expect(client.got("snapshot").at(-1)?.index).toBe(rig.room.index);
  });

  it("[GW22] puts a snapshot together from parts in any order, and refuses too large ones", async () => {
    const rig = new GatewayRig({ snapshotBytesMax: 400_000 });
    rig.room.answersWatch = false;
    const client = await rig.joined();
    rig.room.say(GATEWAY, {
      type: "snapshot",
      index: 9,
      part: 0,
      parts: 9,
      data: new Uint8Array(8),
    });
    await rig.run(10);
    const images = "roomcluster_gateway_room_images_total";
    expect(rig.count(images, { outcome: "broken" })).toBe(1);
    const whole = rig.room.image();
    const data = whole.type === "snapshot" ? whole.data : new Uint8Array();
    const half = data.length >> 1;
    const { index } = rig.room;
    rig.room.say(GATEWAY, {
      type: "snapshot",
      index,
      part: 1,
      parts: 2,
      data: data.subarray(half),
    });
    await rig.run(10);
    expect(client.got("joined")).toEqual([]);
    rig.room.say(GATEWAY, {
      type: "snapshot",
      index,
      part: 0,
      parts: 2,
      data: data.subarray(0, half),
    });
    await rig.run(10);
    expect(client.got("snapshot").map((snapshot) => snapshot.index)).toEqual([index]);
  });

  it("[GW22] takes the largest image that a room may be set to have, and so does a client", () => {
    const stateBytesMax = 3 * 1024 * 1024;
    expect(nodeSchema.safeParse({ stateBytesMax: stateBytesMax + 1 }).success).toBe(false);
    const rig = new GatewayRig();
    rig.room.state = { all: new Uint8Array(stateBytesMax - 10) };
    // Characters that take three bytes each, as many as these texts may have.
    const text = (length: number) => "\u4e16".repeat(length);
    const profile = { name: text(48), color: 0xffffff, model: text(32) };
    const person = personId(text(128));
    for (let slot = 0; slot < MEMBERS_MAX; slot++) {
      rig.room.members.push(member(slot, 200, { person, profile, role: "performer" }));
      rig.room.rows.push(rowAt(slot, 1, 1, 200));
    }
    const whole = rig.room.image();
    const data = whole.type === "snapshot" ? whole.data : new Uint8Array();
    const parts = new SnapshotParts(GATEWAY_DEFAULTS.snapshotBytesMax);
    const count = Math.ceil(data.length / SNAPSHOT_PART_BYTES);
    let outcome: ReturnType<SnapshotParts["add"]> | undefined;
    for (let part = 0; part < count; part++)
      outcome = parts.add({
        type: "snapshot",
        room: ROOM,
        epoch: rig.room.epoch,
        index: 1,
        part,
        parts: count,
        data: data.subarray(part * SNAPSHOT_PART_BYTES, (part + 1) * SNAPSHOT_PART_BYTES),
      });
    if (outcome?.kind !== "whole") throw new Error(`the image is ${outcome?.kind}`);
    const replica = new Replica();
    replica.reset(1, outcome.image);
    const told = { type: "snapshot", channel: 0, ...replica.snapshot() } as const;
    expect(gatewayToClient.encode(told).length).toBeLessThan(8 * 1024 * 1024);
  });

  it("[GW23] ignores rows of unknown slots and of other generations", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.tick(GATEWAY, [rowAt(0, 1, 1, 2), rowAt(9, 1, 1), rowAt(0, 2, 2, 1)]);
    await rig.settle();
    expect(client.frames.at(-1)?.rows).toEqual(rowAt(0, 2, 2, 1));
  });

  it("[GW20] [PR18] lets go of seats before it gives them away, as clients do", async () => {
    const rig = new GatewayRig();
    await rig.joined("ann");
    const seat = { slot: 5, generation: 1 };
    rig.room.write(GATEWAY, { joined: [member(5)] });
    // The room never tells of both for one seat; if it did, everybody would show the same.
    rig.room.write(GATEWAY, { left: [seat], joined: [member(5)] });
    await rig.run(10);
    const later = await rig.joined("bob");
    expect(later.got("snapshot")[0]?.members.map(({ slot }) => slot)).toEqual([0, 5, 1]);
  });

  it("[GW25] releases a room that nobody is in, and watches it no more", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    client.drop();
    rig.room.write(GATEWAY, { left: [{ slot: 0, generation: 1 }] });
    await rig.run(5_000);
    expect(rig.core.stats().rooms).toBe(1);
    await rig.run(6_000);
    expect(rig.core.stats()).toMatchObject({ rooms: 0, sessions: 0, sockets: 0 });
    const watches = rig.room.heard("watch").length;
    await rig.run(3_000);
    expect(rig.room.heard("watch").length).toBe(watches);
    rig.core.close();
    expect(rig.clock.pending).toBe(0);
  });

  it("[GW25] are released at once, so that they keep no room out", async () => {
    const rig = new GatewayRig({ roomsMax: 3 });
    rig.located = "unknown";
    const stranger = await rig.welcomed("eve");
    for (let n = 0; n < 3; n++) stranger.join({ channel: n, room: `no-such-${n}` });
    await rig.run(150);
    expect(stranger.got("refused").map(({ code }) => code)).toEqual(Array(3).fill("room_unknown"));
    rig.located = "placed";
    const client = await rig.joined();
    expect(client.got("refused")).toEqual([]);
    expect(client.got("joined")).toHaveLength(1);
    expect(rig.core.stats().rooms).toBe(1);
  });
});

describe("a silent owner", () => {
  it("[GW41] is told as suspended once, again every 5 s, and ends with an epoch", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.tick(GATEWAY);
    rig.room.answersWatch = false;
    await rig.run(1_400);
    expect(client.got("suspended")).toEqual([]);
    await rig.run(300);
    expect(client.got("suspended")).toHaveLength(1);
    expect(client.got("suspended")[0]?.forMs).toBeGreaterThanOrEqual(1_500);
    await rig.run(3_000);
    expect(client.got("suspended")).toHaveLength(1);
    client.send({ type: "ping", clientTime: 1, echoes: [] });
    await rig.run(2_200);
    expect(client.got("suspended")).toHaveLength(2);
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(client.story.slice(-2)).toEqual(["epoch", "frame"]);
    expect(rig.locates).toBeGreaterThan(1);
  });

  it("[GW41] is not told as suspended because this process had no time", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.room.answersWatch = false;
    rig.room.tick(GATEWAY);
    await rig.run(100);
    rig.clock.stall(4_000);
    await rig.run(200);
    expect(client.got("suspended")).toEqual([]);
    await rig.run(1_500);
    expect(client.got("suspended")).toHaveLength(1);
  });

  it("[GW30] is told as left once placement says that the room is closed", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.located = "closed";
    await rig.run(2_500);
    expect(client.got("left").map(({ code }) => code)).toEqual(["room_closed"]);
    expect(client.closedWith).toBeUndefined();
  });

  it("[GW18] does not end a room with a tail because placement has never heard of it", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    rig.located = "unknown";
    await rig.run(4_000);
    expect(client.got("left")).toEqual([]);
  });
});
