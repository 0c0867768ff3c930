import { afterEach, describe, expect, test } from "vitest";
import { type ProcessId, roomId } from "../../src/kernel/ids.ts";
import { randomBelow, seededRandom } from "../../src/kernel/random.ts";
import type { Placement } from "../../src/placement/service.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { nodeControl, PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { type Cluster, id, room, startCluster } from "./placement-cluster.ts";
import { PLAZA, type StubNode } from "./placement-stub-node.ts";

let cluster: Cluster;
const start = (placements: number, nodes: number): Cluster => {
  cluster = startCluster(placements, nodes);
  return cluster;
};
afterEach(() => cluster.close());

describe("failover", () => {
  test("[PL12] an advisory, one probe, and every room is proposed in the same moment", async () => {
    const c = start(1, 4);
    const rooms = await c.fill(300);
    const victim = c.nodes[0] as StubNode;
    const lost = [...victim.rooms.keys()];
    expect(lost.length).toBeGreaterThan(50);
    c.proposedAt.length = 0;
    victim.kill();
    victim.rooms.clear();
    const killedAt = c.clock.now();
    c.advise(victim);
    await c.run(300);
    expect(c.proposedAt.length).toBeGreaterThan(0);
    expect(Math.max(...c.proposedAt) - killedAt).toBeLessThanOrEqual(5);
    for (const one of rooms) expect(c.owners(one), c.dump()).toHaveLength(1);
  });

  test("[PL10] without an advisory silence does it within 1.4 s", async () => {
    const c = start(1, 3);
    await c.fill(30);
    const victim = c.nodes[0] as StubNode;
    const lost = [...victim.rooms.keys()];
    c.controlNet.faults.disconnect(victim.process);
    await c.run(1_450);
    for (const one of lost) expect(c.owners(one), c.dump()).toHaveLength(2);
    const states = c.placements[0]?.snapshot().nodes.map(({ name, state }) => [name, state]);
    expect(states).toContainEqual(["n1", "suspect"]);
  });

  test("[MS5] a false advisory moves nothing", async () => {
    const c = start(1, 3);
    await c.fill(10);
    const before = c.nodes.map((node) => node.proposals.length);
    c.advise(c.nodes[0] as StubNode);
    await c.run(3_000);
    expect(c.nodes.map((node) => node.proposals.length)).toEqual(before);
  });

  test("[CO29] a room is kept as immovable where it was created so, and only there", async () => {
    const c = start(1, 2);
    await c.run(600);
    await c.placements[0]?.createRoom(room(1), PLAZA, true);
    await c.placements[0]?.createRoom(room(2), PLAZA);
    await c.run(1_200);
    const { index } = c.stores.open();
    const kept = await Promise.all([room(1), room(2)].map((one) => index.read(one)));
    expect(kept.map((entry) => entry.ok && entry.value?.immovable)).toEqual([true, false]);
  });

  test("[MS21] a restart under the same name supersedes the old incarnation", async () => {
    const c = start(1, 2);
    const rooms = await c.fill(20);
    const old = c.nodes[0] as StubNode;
    old.kill();
    old.rooms.clear();
    c.node("n1", 2);
    await c.run(600);
    for (const one of rooms) expect(c.owners(one), c.dump()).toHaveLength(1);
    expect(c.placements[0]?.snapshot().nodes.map(({ id: process }) => process)).not.toContain(
      old.process,
    );
  });

  test("[PL14] an owner that died of its claim unheard is found in the tail", async () => {
    const c = start(1, 2);
    await c.run(600);
    for (const node of c.nodes) node.dieAfterClaim = true;
    await c.placements[0]?.createRoom(room(1), PLAZA);
    await c.run(100);
    const third = c.node("n3");
    await c.run(4_000);
    expect(third.rooms.has(room(1)), c.dump()).toBe(true);
    const replaced = third.proposals.map(({ replaces }) => replaces);
    expect(replaced.at(-1)).toBeGreaterThan(0);
  });

  test("[PL31] a room that crashes everywhere is quarantined after three nodes", async () => {
    const c = start(1, 4);
    for (const node of c.nodes) node.poison.add(room(1));
    await c.run(600);
    await c.placements[0]?.createRoom(room(1), PLAZA);
    await c.run(5_000);
    expect(c.nodes.filter((node) => node.proposals.length > 0)).toHaveLength(3);
    expect(await c.locate(room(1))).toMatchObject({ status: "quarantined" });
    const stored = await c.stores.open().index.read(room(1));
    expect(stored).toMatchObject({ value: { status: "quarantined" } });
  });
});

describe("rooms that stall a node before it has written the index", () => {
  /** The room's owner stalls in it, again and again, until nobody owns it any more. */
  async function stallOwners(c: Cluster, times: number): Promise<ProcessId[]> {
    const stalled: ProcessId[] = [];
    for (let i = 0; i < times; i++) {
      const owner = c.nodes.find(
        (node) => node.rooms.has(room(1)) && !stalled.includes(node.process),
      );
      if (!owner) throw new Error(`nobody owns it after ${i} stalls: ${c.dump()}`);
      stalled.push(owner.process);
      c.stall(owner, room(1));
      await c.run(400);
    }
    return stalled;
  }

  test("[PL33] [PL44] the crash is in the index, under the owner that crashed", async () => {
    const c = start(3, 4);
    for (const node of c.nodes) node.indexLags = true;
    await c.run(600);
    await c.placements[0]?.createRoom(room(1), PLAZA);
    await c.run(200);
    const before = await c.tailOwner(room(1));
    expect(await c.stores.open().index.read(room(1)), "the index lags").toMatchObject({
      value: { epoch: 0, owner: undefined },
    });
    const [crashed] = await stallOwners(c, 1);
    expect(before.process).toBe(crashed);
    const stored = await c.stores.open().index.read(room(1));
    expect(stored).toMatchObject({
      value: { status: "wanted", epoch: before.epoch, owner: crashed, crashedOn: [crashed] },
    });
    const after = await c.tailOwner(room(1));
    expect(after.epoch, "it went on elsewhere").toBeGreaterThan(before.epoch);
  });

  test("[PL31] [PL44] the third stall quarantines it for every replica to come", async () => {
    const c = start(3, 4);
    for (const node of c.nodes) node.indexLags = true;
    await c.run(600);
    await c.placements[0]?.createRoom(room(1), PLAZA);
    await c.run(200);
    const crashed = await stallOwners(c, 3);
    const stored = await c.stores.open().index.read(room(1));
    expect(stored, c.dump()).toMatchObject({ value: { status: "quarantined" } });
    expect(stored.ok && stored.value?.crashedOn.slice(0, 2)).toEqual(crashed.slice(0, 2));
    for (const placement of c.placements) placement.close();
    c.place(9);
    await c.run(2_000);
    expect(await c.locate(room(1))).toMatchObject({ status: "quarantined" });
  });

  test("[PL44] a change that the index does not take is written when it does", async () => {
    const c = start(1, 3);
    await c.run(600);
    const placement = c.placements[0] as Placement;
    await placement.createRoom(room(1), PLAZA);
    await c.run(200);
    c.stores.frozen.add("KV_own");
    const [crashed] = await stallOwners(c, 1);
    await c.run(9_000);
    c.stores.frozen.clear();
    await c.run(40_000);
    const stored = await c.stores.open().index.read(room(1));
    expect(stored, c.dump()).toMatchObject({ value: { crashedOn: [crashed] } });
  });
});

describe("a node that is held dead and beats on", () => {
  const told = (c: Cluster, node: StubNode) =>
    c.deathNotices.filter(({ of }) => of === node.process);

  test("[PL47] [MS6] is told so on its own subject once a second, and gets nothing", async () => {
    const c = start(1, 3);
    const rooms = await c.fill(9);
    const victim = c.nodes[0] as StubNode;
    c.controlNet.faults.disconnect(victim.process);
    c.advise(victim);
    await c.run(500);
    for (const one of rooms) expect((await c.tailOwner(one)).process).not.toBe(victim.process);
    expect(c.deathNotices, "nobody is told who is not heard").toEqual([]);
    const proposals = victim.proposals.length;
    c.controlNet.faults.reconnect(victim.process);
    await c.run(5_000);
    expect(c.deathNotices).toEqual(told(c, victim));
    expect(new Set(c.deathNotices.map(({ to }) => to))).toEqual(
      new Set([nodeControl(victim.process)]),
    );
    const at = c.deathNotices.map((notice) => notice.at);
    expect(at.length).toBeGreaterThanOrEqual(4);
    expect(at.length).toBeLessThanOrEqual(5);
    for (const [i, moment] of at.slice(1).entries())
      expect(moment - (at[i] ?? 0), `${at}`).toBeGreaterThanOrEqual(1_000);
    expect(victim.proposals).toHaveLength(proposals);
  });

  test("[PL47] [MS8] so is an incarnation that a newer one superseded, and only that", async () => {
    const c = start(1, 2);
    await c.fill(4);
    const old = c.nodes[0] as StubNode;
    c.node("n1", 2);
    await c.run(1_000);
    expect(told(c, old).length).toBeGreaterThan(0);
    expect(told(c, old)).toEqual(c.deathNotices);
    old.kill();
    const count = c.deathNotices.length;
    await c.run(3_000);
    expect(c.deathNotices).toHaveLength(count);
  });
});

describe("several replicas", () => {
  test("[PL13] share the work: one claim each, whatever they all propose", async () => {
    const c = start(3, 4);
    const rooms = await c.fill(100);
    const victim = c.nodes[0] as StubNode;
    victim.kill();
    victim.rooms.clear();
    c.proposedAt.length = 0;
    const proposed = () => c.nodes.reduce((sum, node) => sum + node.proposals.length, 0);
    const before = proposed();
    c.advise(victim);
    await c.run(1_000);
    for (const one of rooms) expect(c.owners(one), c.dump()).toHaveLength(1);
    expect(proposed() - before).toBeLessThanOrEqual(40);
  });

  test("[PL13] the next replica acts when the first is gone", async () => {
    const c = start(2, 3);
    const rooms = await c.fill(30);
    c.placements[0]?.close();
    const victim = c.nodes[0] as StubNode;
    victim.kill();
    victim.rooms.clear();
    c.advise(victim);
    await c.run(400);
    for (const one of rooms) expect(c.owners(one), c.dump()).toHaveLength(1);
  });
});

describe("seeded faults", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("[PL10] [PL15] all heals, seed %i", async (seed) => {
    const c = start(3, 5);
    const rooms = await c.fill(40);
    const random = seededRandom(seed);
    const done: string[] = [];
    const fired = { kill: 0, cutNode: 0, cutReplica: 0, stop: 0, lie: 0 };
    const alive = () => c.nodes.filter((node) => !node.dead);
    const cut = (process: ProcessId): void => {
      c.controlNet.faults.disconnect(process);
      c.clock.after(500 + random.next() * 4_000, () => c.controlNet.faults.reconnect(process));
    };
    const pick = <T>(from: readonly T[]): T => from[randomBelow(random, from.length)] as T;
    const faults: Record<keyof typeof fired, () => void> = {
      kill: () => {
        const victim = pick(alive());
        victim.kill();
        if (random.next() < 0.7) c.advise(victim);
        const restartMs = random.next() * 3_000;
        c.clock.after(restartMs, () => c.node(victim.name, 100 + c.nodes.length));
      },
      cutNode: () => cut(pick(alive()).process),
      cutReplica: () => cut(id(`p${1 + randomBelow(random, 3)}`)),
      stop: () => {
        for (const stream of ["JRN0", "JRN3", "KV_own"]) c.stores.frozen.add(stream);
        c.clock.after(3_000, () => c.stores.frozen.clear());
      },
      lie: () => c.advise(pick(alive())),
    };
    for (let i = 0; i < 20; i++) {
      const name = pick(Object.keys(faults) as (keyof typeof fired)[]);
      if (alive().length < 3 && name === "kill") continue;
      done.push(`${c.clock.now()} ${name}`);
      fired[name]++;
      faults[name]();
      await c.run(randomBelow(random, 1_500));
    }
    await c.run(20_000);
    const dump = () => JSON.stringify({ seed, done, state: JSON.parse(c.dump()) });
    for (const one of rooms) {
      const owner = await c.tailOwner(one);
      const serving = alive().find((node) => node.process === owner.process);
      expect(serving?.rooms.get(one), `${one} of ${owner.process} ${dump()}`).toBe(owner.epoch);
      for (const placement of c.placements) {
        const belief = placement.snapshot().rooms.find((line) => line.room === one);
        expect(belief, `${one} ${dump()}`).toMatchObject({
          owner: owner.process,
          epoch: owner.epoch,
        });
      }
    }
    expect(Object.values(fired).filter((times) => times > 0).length).toBeGreaterThanOrEqual(3);
  });
});

describe("questions and changes", () => {
  test("[PL40] [PL41] locate answers over the bus", async () => {
    const c = start(2, 2);
    await c.run(600);
    expect(await c.locate(room("none"))).toMatchObject({ status: "unknown" });
    const demo = roomId("t/plaza-7");
    expect(await c.locate(demo)).toMatchObject({ status: "placing", owner: null });
    await c.run(200);
    const [owner] = c.nodes.filter((node) => node.rooms.has(demo));
    expect(await c.locate(demo)).toMatchObject({ status: "placed", owner: owner?.process });
  });

  test("[PL40] makes a room, closes it, and its owner hears", async () => {
    const c = start(1, 2);
    await c.run(600);
    const placement = c.placements[0] as Placement;
    expect(await placement.createRoom(room(1), PLAZA)).toMatchObject({ value: { created: true } });
    expect(await placement.createRoom(room(1), PLAZA)).toMatchObject({ value: { created: false } });
    await c.run(200);
    expect(c.owners(room(1))).toHaveLength(1);
    expect(await placement.closeRoom(room(1))).toMatchObject({ value: { status: "closed" } });
    expect(await placement.closeRoom(room(2))).toMatchObject({ value: undefined });
    await c.run(200);
    expect(c.owners(room(1))).toEqual([]);
    expect(await c.locate(room(1))).toMatchObject({ status: "closed" });
  });

  test("[PL53] [PR55] drains exactly the incarnation that is named", async () => {
    const c = start(1, 2);
    await c.run(600);
    const placement = c.placements[0] as Placement;
    const drain = (process: ProcessId) =>
      placement.drain({ kind: "node", process, deadlineMs: 1_000 });
    expect([drain(id("n9")), drain(id("n1", 2))]).toEqual([undefined, undefined]);
    expect(drain(id("n1"))).toEqual([]);
    await c.run(600);
    c.node("n1", 2);
    await c.run(600);
    expect(drain(id("n1")), "its successor has begun").toBeUndefined();
    await c.run(600);
    expect(placement.snapshot().nodes.map(({ id: at, draining }) => [at, draining])).toEqual([
      [id("n2"), false],
      [id("n1", 2), false],
    ]);
  });

  test("[PL53] what it drains says which immovable rooms will move, and a replica ends", async () => {
    const c = start(2, 1);
    const ended: number[] = [];
    await c.run(600);
    c.onDrained = (n) => ended.push(n);
    const placement = c.placements[1] as Placement;
    await placement.createRoom(room(1), PLAZA, true);
    await placement.createRoom(room(2), PLAZA);
    await c.run(600);
    const drain = (kind: "node" | "placement", process: ProcessId) =>
      placement.drain({ kind, process, deadlineMs: 1_000 });
    expect(drain("node", id("n1"))).toEqual([room(1)]);
    expect(drain("node", id("p1"))).toBeUndefined();
    expect(drain("placement", id("p1"))).toEqual([]);
    await c.run(10);
    expect(ended).toEqual([1]);
  });

  test("[PL54] a replica that leaves answers what it was asked, and takes no more", async () => {
    const c = start(1, 2);
    await c.run(600);
    const placement = c.placements[0] as Placement;
    const asked = c.locate(room("none"));
    const made = placement.createRoom(room(1), PLAZA);
    let left = false;
    await c.run(1);
    void placement.leave().then(() => {
      left = true;
    });
    expect(left).toBe(false);
    expect(await asked).toMatchObject({ status: "unknown" });
    expect(await made).toMatchObject({ value: { created: true } });
    await c.run(10);
    expect(left).toBe(true);
    expect(await c.locate(room(1)), "nobody is there to ask").toMatchObject({ ok: false });
  });

  test("[CO30] [PL55] a living room is marked, durably, whoever owns it", async () => {
    const c = start(2, 2);
    await c.fill(2);
    const [first, second] = c.placements as [Placement, Placement];
    const epoch = first.snapshot().rooms.find((one) => one.room === room(0))?.epoch;
    const marked = await first.markRoom(room(0), true);
    expect(marked).toMatchObject({ ok: true, value: { immovable: true, epoch } });
    await c.run(200);
    const known = second.snapshot().rooms.filter((one) => one.immovable);
    expect(known.map((one) => one.room)).toEqual([room(0)]);
    const [owner] = c.nodes.filter((node) => node.rooms.has(room(0)));
    owner?.kill();
    owner?.rooms.clear();
    await c.run(4_000);
    expect(c.owners(room(0)), c.dump()).toHaveLength(1);
    const stored = await c.stores.open().index.read(room(0));
    expect(stored, "its next owner keeps the mark").toMatchObject({ value: { immovable: true } });
    await second.markRoom(room(0), false);
    expect(await first.markRoom(room(9), true)).toEqual({ ok: true, value: undefined });
    await first.closeRoom(room(1));
    expect(await first.markRoom(room(1), true)).toMatchObject({
      value: { status: "closed", immovable: false },
    });
    await c.run(200);
    expect(first.snapshot().rooms.filter((one) => one.immovable)).toEqual([]);
  });

  test("[PL40] a node that drains gets no new room", async () => {
    const c = start(1, 2);
    await c.run(600);
    c.placements[0]?.drain({ kind: "node", process: id("n1"), deadlineMs: 1_000 });
    await c.run(600);
    await c.placements[0]?.createRoom(room(1), PLAZA);
    await c.run(200);
    expect(c.owners(room(1))).toEqual(["n2"]);
  });

  test("[PL42] hints may be missing: the index is read every few seconds", async () => {
    const c = start(1, 2);
    await c.run(600);
    const elsewhere = c.stores.open();
    const watchers = new Set(c.stores.watchers);
    c.stores.watchers.clear();
    await elsewhere.index.change(room(1), () => ({
      room: room(1),
      world: PLAZA,
      status: "wanted",
      epoch: 0 as never,
      owner: undefined,
      crashedOn: [],
      immovable: false,
      changedAtMs: 1,
    }));
    for (const watcher of watchers) c.stores.watchers.add(watcher);
    await c.run(6_500);
    expect(c.owners(room(1)), c.dump()).toHaveLength(1);
  });

  test("[PL16] [MS10] a replica that was cut off judges nobody when it is back", async () => {
    const c = start(1, 3);
    await c.fill(12);
    const before = c.nodes.map((node) => node.proposals.length);
    c.controlNet.faults.disconnect(id("p1"));
    await c.run(10_000);
    const believed = c.placements[0]?.snapshot().nodes.map(({ state }) => state);
    expect(believed).toEqual(["alive", "alive", "alive"]);
    c.controlNet.faults.reconnect(id("p1"));
    await c.run(3_000);
    expect(c.nodes.map((node) => node.proposals.length)).toEqual(before);
    expect(c.placements[0]?.snapshot().nodes.every(({ state }) => state === "alive")).toBe(true);
  });

  test("[PL45] malformed messages are dropped", async () => {
    const c = start(1, 1);
    await c.run(600);
    c.asker.publish(PLACE_REQUEST, new Uint8Array([1, 2, 3]));
    c.asker.publish("c.hb.n.x.y", new Uint8Array());
    c.asker.publish("c.route.x.y", control.encode({ type: "echo", stamp: 1 }));
    await c.run(100);
    expect(await c.locate(room(5))).toMatchObject({ status: "unknown" });
  });

  test("[PL45] the snapshot shows what beats say, and closing leaves nothing behind", async () => {
    const c = start(2, 2);
    await c.run(1_000);
    const { nodes, placements } = (c.placements[0] as Placement).snapshot();
    expect(nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["n1 alive", "n2 alive"]);
    expect(placements.map(({ name }) => name).sort()).toEqual(["p1", "p2"]);
    for (const placement of c.placements) placement.close();
    for (const node of c.nodes) node.kill();
    await c.run(10);
    expect(c.clock.pending).toBe(0);
  });
});
