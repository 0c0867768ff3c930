import { describe, expect, it } from "vitest";
import { roomId } from "../../src/kernel/ids.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { nodeControl, routes } from "../../src/protocol/subjects.ts";
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
    await follow(served, next, ada);
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
    expect(answered.size).toBeLessThan(seq);
    for (let again = 1; again <= seq; again++) {
      if (answered.has(again)) continue;
      ada.command(again, "add", { by: 1 }, true);
      await harness.run(60);
    }
    expect(new Set(ada.replies().map((reply) => reply.seq)).size).toBe(seq);
    expect(ada.replies().at(-1)).toMatchObject({ seq, data: { count: seq } });
    expect(gateway.of("expect")).toEqual([]);
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
