import { describe, expect, it, vi } from "vitest";
import { HAND_OVER_LIMITS } from "../../actors/hand-overs.ts";
import { RoomFold } from "../../actors/room/fold.ts";
import { HandOver } from "../../actors/room/hand-over.ts";
import { Ledger } from "../../actors/room/ledger.ts";
import { Register } from "../../actors/room/register.ts";
import { ROOM_DEFAULTS } from "../../actors/room/room-config.ts";
import { assert } from "../../src/kernel/assert.ts";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { processId, roomId, worldName } from "../../src/kernel/ids.ts";
import {
  type ControlOf,
  control,
  decodeControl,
  SINCE_BYTES_MAX,
  SINCE_MAX,
} from "../../src/protocol/control-messages.ts";
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from "../../src/protocol/journal-record.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import {
  bytesOfRows,
  packRow,
  ROW_WORDS,
  rowSlot,
  rowsFromBytes,
  rowX,
} from "../../src/protocol/pose-row.ts";
import { gatewayToRoom } from "../../src/protocol/room-messages.ts";
import { nodeControl, nodePeer, routes } from "../../src/protocol/subjects.ts";
import { counter, currentEpoch, type Served, serve, slow } from "../support/counter-world.ts";
import { type HostedNode, ROOM, type Speaker } from "../support/room-harness.ts";

/** As placement would: the room's owner is asked to hand it to `to`. */
function migrate({ harness }: Served, from: HostedNode, to: HostedNode, epoch = 0): void {
  const wish = {
    type: "migrate",
    room: ROOM,
    epoch: epoch || currentEpoch(harness),
    target: to.id,
  } as const;
  harness.placement.publish(nodeControl(from.id), control.encode(wish as never));
}

async function ready(): Promise<Served & { readonly ada: Speaker; readonly next: HostedNode }> {
  const served = await serve();
  const ada = served.gateway.attach("ada");
  await served.harness.run(20);
  const next = served.harness.node("node-b", [counter]);
  return { ...served, ada, next };
}

/** What a gateway does when it has read the tail. */
async function follow({ harness, gateway }: Served, next: HostedNode, who: Speaker) {
  gateway.route(next, currentEpoch(harness));
  who.attach(true);
  await harness.run(20);
}

const STANDING = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 0 } as const;

/** Of one record: whom its entries take out of the room, and which attempts they begin. */
const leavers = (record: JournalRecord) =>
  record.type === "batch"
    ? record.entries.flatMap((entry) => (entry.type === "leave" ? [entry.session] : []))
    : [];
const attempts = (record: JournalRecord) =>
  record.type === "batch" ? record.entries.filter(({ type }) => type === "attempt") : [];

async function settled(
  harness: Served["harness"],
  tail: ReturnType<HostedNode["stores"]["journal"]["readTail"]>,
) {
  await harness.run(20);
  const read = await tail;
  assert(read.ok, "the store answers");
  return read.value;
}

const owners = ({ harness }: Served) => harness.journal().filter(({ type }) => type === "owner");

describe("hand-overs", () => {
  it("[HO1] [HO2] a room moves by one record, with its state and its people's numbers", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    ada.command(1, "add", { by: 5 });
    await harness.run(20);
    const before = gateway.epoch;
    migrate(served, node, next);
    await harness.run(60);
    expect([node.node.stats().rooms, next.node.stats().rooms]).toEqual([0, 1]);
    expect(gateway.of("moved")).toMatchObject([{ owner: next.id }]);
    expect(owners(served).at(-1)).toMatchObject({ by: node.id, owner: next.id, epoch: before });
    gateway.route(next, currentEpoch(harness));
    ada.command(1, "add", { by: 5 }, true);
    ada.command(2, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().slice(-2)).toMatchObject([
      { seq: 1, epoch: currentEpoch(harness), data: { count: 5 } },
      { seq: 2, data: { count: 6 } },
    ]);
    expect(node.counts.get("roomcluster_migrations_total resting")).toBe(1);
  });

  it("[HO1] [HO6] [PR50] a wish for another epoch, or of a node without the world, moves nothing", async () => {
    const served = await ready();
    const { harness, node, next } = served;
    migrate(served, node, next, currentEpoch(harness) - 1);
    migrate(served, node, harness.node("node-c", []));
    migrate(served, node, node);
    await harness.run(60);
    expect(node.node.stats().rooms).toBe(1);
    expect(owners(served)).toHaveLength(1);
    expect(node.counts.get("roomcluster_migrations_total ignored")).toBe(2);
    expect(node.counts.get("roomcluster_migrations_total unknown_world")).toBe(1);
  });

  it("[HO8] the next owner greets the gateways, and nobody has to be attached again", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    const bo = gateway.attach("bo", 1, { socket: 2 });
    await harness.run(20);
    const { slot, generation } = gateway.of("attached").at(-1) as {
      slot: number;
      generation: number;
    };
    const row = new Uint32Array(ROW_WORDS);
    packRow(row, 0, slot, generation, { ...STANDING, x: 3.5 });
    gateway.send({ type: "poses", rows: bytesOfRows(row, 1) });
    await harness.run(60);
    ada.away();
    await harness.run(60);
    gateway.received.length = 0;
    migrate(served, node, next);
    await harness.run(120);
    const epoch = currentEpoch(harness);
    const greeting = gateway.received.filter((message) => message.epoch === epoch);
    expect(greeting.map(({ type }) => type).slice(0, 3)).toEqual(["record", "attached", "tick"]);
    expect(greeting[0]).toMatchObject({ record: { index: harness.journal().at(-1)?.index } });
    // Ada's socket is gone, and nobody is told that it is there.
    expect(greeting.filter(({ type }) => type === "attached")).toMatchObject([
      { session: bo.session, connection: bo.connection, slot, generation },
    ]);
    const rows = greeting.flatMap((message) => (message.type === "tick" ? [message.rows] : []));
    const words = rowsFromBytes(rows.find((bytes) => bytes.length > 0) ?? new Uint8Array());
    const told = new Map<number, number>();
    for (let at = 0; at < (words?.length ?? 0); at += ROW_WORDS)
      told.set(rowSlot(words as Uint32Array, at), rowX(words as Uint32Array, at));
    expect(told.get(slot)).toBeCloseTo(3.5);
    expect(told.size).toBe(2);
    // Her seat goes when it would have gone.
    await harness.run(ROOM_DEFAULTS.seatHoldMs);
    expect(harness.journal().flatMap(leavers)).toEqual([ada.session]);
  });

  it("[HO9] what comes while the room rests, and a while later, is decided by the next owner", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    migrate(served, node, next);
    await harness.run(50);
    // It rests now: the append that names the next owner is on its way.
    ada.command(1, "add", { by: 5 });
    await harness.run(60);
    const epoch = currentEpoch(harness);
    expect(ada.replies()).toMatchObject([{ seq: 1, epoch, data: { count: 5 } }]);
    // The gateway has not read the tail yet.
    ada.command(2, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ seq: 2, epoch, data: { count: 6 } });
    expect(gateway.of("moved").at(-1)).toMatchObject({ owner: next.id });
    expect(harness.journal().flatMap(attempts)).toEqual([]);
    await harness.run(HAND_OVER_LIMITS.forwardMs);
    ada.command(3, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies()).toHaveLength(2);
    expect(gateway.of("stale")).toHaveLength(1);
  });

  it("[HO9] [PR52] nothing is taken that was addressed to another ownership", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    const before = gateway.epoch;
    migrate(served, node, next);
    await harness.run(60);
    const epoch = currentEpoch(harness);
    const command = (seq: number, under: Epoch) =>
      gatewayToRoom.encode({
        ...{ type: "command", room: ROOM, epoch: under, session: ada.session, attach: 1, seq },
        ...{ connection: ada.connection, name: "add", body: encode({ by: 1 }) },
        ...{ resent: false, traceparent: null, silenced: null },
      });
    const forward = (named: Epoch, under: Epoch): void => {
      const letters = [{ from: gateway.id, message: command(1, under) }];
      const message = { type: "forward", room: ROOM, epoch: named, letters } as const;
      harness.placement.publish(nodePeer(next.id), control.encode(message));
    };
    forward(epoch, epoch);
    const another = epochAt(1, 77);
    forward(another, another);
    forward(before, epoch);
    await harness.run(60);
    expect(ada.replies()).toEqual([]);
    forward(before, before);
    await harness.run(60);
    expect(ada.replies()).toMatchObject([{ seq: 1, epoch, data: { count: 1 } }]);
  });

  it("[HO2] commands that come all the while are applied once each", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    for (const stores of [node.stores, next.stores])
      Object.assign(stores.faults, { latencyMsMin: 4, latencyMsMax: 12 });
    let seq = 0;
    for (let step = 0; step < 40; step++) {
      if (step === 10) migrate(served, node, next);
      ada.command(++seq, "add", { by: 1 });
      await harness.run(3);
    }
    await harness.run(60);
    await follow(served, next, ada);
    const answered = new Set(ada.replies().map((reply) => reply.seq));
    expect(answered.size).toBeGreaterThan(0);
    for (let again = 1; again <= seq; again++) {
      if (answered.has(again)) continue;
      ada.command(again, "add", { by: 1 }, true);
      await harness.run(60);
    }
    expect(new Set(ada.replies().map((reply) => reply.seq)).size).toBe(seq);
    expect(ada.replies().at(-1)).toMatchObject({ seq, data: { count: seq } });
    expect(gateway.of("expect")).toEqual([]);
  });

  it("[HO10] with it go the records that came while the target read the room", async () => {
    const served = await ready();
    const { harness, node, next, ada } = served;
    const read = vi.spyOn(next.stores.journal, "readThrough");
    const words: ControlOf<"handOver">[] = [];
    harness.placement.subscribe(nodePeer(next.id), ({ data }) => {
      const word = decodeControl(data);
      if (word?.type === "handOver") words.push(word);
    });
    // As long as the target reads, the room goes on.
    Object.assign(next.stores.faults, { latencyMsMin: 300, latencyMsMax: 300 });
    migrate(served, node, next);
    for (let seq = 1; seq <= 20; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(3);
    }
    await harness.run(2_000);
    await follow(served, next, ada);
    ada.command(21, "add", { by: 1 });
    await harness.run(700);
    expect(ada.replies().at(-1)).toMatchObject({ epoch: currentEpoch(harness), seq: 21 });
    expect(ada.replies().at(-1)).toMatchObject({ data: { count: 21 } });
    expect(words.map(({ since }) => (since?.length ?? 0) > 10)).toEqual([true]);
    // In advance, and not again.
    expect(read).toHaveBeenCalledTimes(1);
  });

  it("[PR62] of too many records, or too large ones, nothing is told", () => {
    const [self, epoch] = [processId("node-a.0000000000000001"), epochAt(1, 1)];
    const fold = new RoomFold(worldName("counter"), 1, { state: {}, secret: {} });
    const [register, limits] = [new Register(1), ROOM_DEFAULTS];
    const nonce = (): string => "0f";
    const ledger = () => new Ledger({ self, epoch, fold, register, limits, nonce });
    const head = { previous: 0, epoch, by: self, nonce: "0f", at: 0, stateVersion: 1 };
    const batch = (index: number, text = ""): JournalRecord => {
      const written = { patches: [], events: [{ audience: null, name: text, data: null }] };
      const entry = { type: "system", cause: "tick", ...written } as const;
      return { type: "batch", index, ...head, entries: [entry] };
    };
    const told = (records: readonly JournalRecord[]): number | undefined => {
      const handOver = new HandOver(ledger(), 500);
      handOver.settled({ sequence: 1, record: batch(1) });
      handOver.prepare();
      for (const record of records) handOver.settled({ sequence: record.index, record });
      return handOver.since?.length;
    };
    const many = Array.from({ length: SINCE_MAX + 1 }, (_, i) => batch(i + 2));
    expect(told(many)).toBeUndefined();
    expect(told(many.slice(1))).toBe(SINCE_MAX);
    expect(told([batch(2, "x".repeat(SINCE_BYTES_MAX))])).toBeUndefined();
  });

  it("[HO10] where what is told does not go on from what was read, the journal is read", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    const world = worldName("counter");
    const [room, before] = [ROOM, currentEpoch(harness)];
    const prepare = control.encode({ type: "prepare", room, world, epoch: before });
    void harness.placement.request(nodePeer(next.id), prepare, 1_000);
    await harness.run(20);
    ada.command(1, "add", { by: 6 });
    await harness.run(20);
    const tail = await settled(harness, node.stores.journal.readTail(room));
    const last = decodeRecord(tail.record ?? new Uint8Array()) as JournalRecord;
    const { stateVersion, at } = last;
    const head = { previous: tail.sequence, epoch: before, by: node.id, nonce: "0f", at };
    const named = { ...head, index: last.index + 1, stateVersion, owner: next.id, world };
    const record = encodeRecord({ type: "owner", ...named });
    const outcome = node.stores.journal.append(room, tail.sequence, record);
    await harness.run(20);
    const written = await outcome;
    assert(written.kind === "accepted", "nobody else writes");
    const { sequence } = written;
    const epoch = epochAt(tail.generation, sequence);
    const told = { room, world, epoch, sequence, record, warm: null, since: [] } as const;
    harness.placement.publish(nodePeer(next.id), control.encode({ type: "handOver", ...told }));
    await harness.run(60);
    gateway.route(next, epoch);
    ada.attach(true);
    await harness.run(20);
    ada.command(2, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ epoch, data: { count: 7 } });
  });

  it("[HO3] [HO4] a room that does not come to rest ticks on, and serves again", async () => {
    const served = await ready();
    const { harness, node, next, gateway, ada } = served;
    ada.command(1, "think");
    await harness.run(20);
    migrate(served, node, next);
    await harness.run(40);
    const ticks = gateway.of("tick").length;
    ada.command(2, "add", { by: 1 });
    await harness.run(300);
    expect(gateway.of("tick").length - ticks).toBeGreaterThanOrEqual(2);
    expect(ada.replies()).toMatchObject([{ seq: 1 }]);
    await harness.run(400);
    expect(ada.replies()).toMatchObject([{ seq: 1 }, { seq: 2, data: { count: 1 } }]);
    expect(owners(served)).toHaveLength(1);
    slow.release(7);
  });

  it("[HO4] once the append is sent it is settled, whatever became of its answer", async () => {
    const served = await ready();
    const { harness, node, next } = served;
    node.stores.faults.nextAppends.push("ack_lost");
    migrate(served, node, next);
    await harness.run(3_000);
    expect([node.node.stats().rooms, next.node.stats().rooms]).toEqual([0, 1]);
    expect(owners(served)).toHaveLength(2);
  });

  it("[HO5] the target finds out from the tail where the word of it is lost", async () => {
    const served = await ready();
    const { harness, node, next, ada } = served;
    Object.assign(node.stores.faults, { latencyMsMin: 50, latencyMsMax: 50 });
    migrate(served, node, next);
    await harness.run(30);
    harness.control.faults.partition(["node-a"], ["node-b"]);
    await harness.run(400);
    expect([node.node.stats().rooms, next.node.stats().rooms]).toEqual([0, 1]);
    expect(harness.control.faults.fired.cut).toBeGreaterThan(0);
    await follow(served, next, ada);
    expect(served.gateway.of("attached").at(-1)).toMatchObject({ epoch: currentEpoch(harness) });
  });

  it("[HO5] a room that somebody else took meanwhile is not the target's", async () => {
    const served = await ready();
    const { harness, node, next } = served;
    Object.assign(node.stores.faults, { latencyMsMin: 100, latencyMsMax: 100 });
    migrate(served, node, next);
    await harness.run(20);
    const third = harness.node("node-c", [counter]);
    harness.propose(third, counter, currentEpoch(harness));
    await harness.run(6_000);
    const rooms = [node, next, third].map((one) => one.node.stats().rooms);
    expect(rooms).toEqual([0, 0, 1]);
    expect(owners(served)).toHaveLength(2);
  });

  it("[HO7] a draining node takes nothing, and its drain is over when nothing is left", async () => {
    const served = await ready();
    const { harness, node, next } = served;
    let over = false;
    void node.node.drain(10_000).then(() => {
      over = true;
    });
    expect(node.node.stats().draining).toBe(true);
    harness.propose(node, counter, undefined, roomId("demo/other"));
    migrate(served, node, next);
    await harness.run(100);
    expect([node.node.stats().rooms, next.node.stats().rooms]).toEqual([0, 1]);
    expect(node.counts.get("roomcluster_proposals_total draining")).toBe(1);
    expect(over, "it still forwards").toBe(false);
    await harness.run(HAND_OVER_LIMITS.forwardMs);
    expect(over).toBe(true);
  });

  it("[HO7] a drain that gets nowhere ends when its time is up", async () => {
    const { harness, node } = await ready();
    let over = false;
    void node.node.drain(1_000).then(() => {
      over = true;
    });
    await harness.run(900);
    expect(over).toBe(false);
    await harness.run(200);
    expect(over).toBe(true);
    expect(node.node.stats().rooms).toBe(1);
  });

  it("[HO12] a drain that is asked for twice has its first deadline, and is over once", async () => {
    const { harness, node } = await ready();
    harness.drain(node, 1_000);
    await harness.run(500);
    harness.drain(node, 10_000);
    harness.drain(node, 1);
    await harness.run(400);
    expect(harness.drained).toEqual([]);
    await harness.run(200);
    expect(harness.drained).toEqual([node.id]);
    await harness.run(11_000);
    expect(harness.drained).toEqual([node.id]);
  });

  it("[SV6] routes tell placement how many people are in a room", async () => {
    const { harness, node, gateway } = await ready();
    const told: (number | null)[] = [];
    harness.placement.subscribe(routes(node.id), ({ data }) => {
      const message = decodeControl(data);
      if (message?.type === "route") told.push(...message.routes.map(({ sessions }) => sessions));
    });
    await harness.run(1_100);
    expect(told.at(-1)).toBe(1);
    gateway.attach("bo");
    await harness.run(1_100);
    expect(told.at(-1)).toBe(2);
  });
});
