import { afterEach, describe, expect, test } from "vitest";
import type { RoomId } from "../../src/kernel/ids.ts";
import { type Cluster, id, startCluster } from "./placement-cluster.ts";

let cluster: Cluster;
afterEach(() => cluster.close());

const everyone = (c: Cluster, state: string): string[] =>
  c.nodes.map(({ name }) => `${name} ${state}`);
const believed = (c: Cluster, replica: number): string[] | undefined =>
  c.placements[replica]?.snapshot().nodes.map(({ name, state }) => `${name} ${state}`);
const owners = (c: Cluster, rooms: readonly RoomId[]) =>
  Promise.all(rooms.map((one) => c.tailOwner(one)));

/** NATS servers lost each other: the replica's connection is up, but no beat reaches it. */
const cutOff = (c: Cluster, replica: string): void =>
  c.controlNet.faults.partition(
    c.nodes.map(({ process }) => process),
    [id(replica)],
  );

describe("one of three replicas that is cut off from six nodes", () => {
  // Below 60 s of suspicion, above it, and at several moments of its own rhythm.
  test.each([
    20_000, 20_250, 20_500, 20_750, 66_000, 66_250, 66_500, 66_750,
  ])("[MS12] [PL16] ends no node and moves no room when it hears again after %i ms", async (cutMs) => {
    cluster = startCluster(3, 6);
    const c = cluster;
    const rooms = await c.fill(30);
    const before = await owners(c, rooms);
    const proposals = c.nodes.map((node) => node.proposals.length);
    cutOff(c, "p3");
    await c.run(cutMs);
    expect(c.controlNet.faults.fired.cut).toBeGreaterThan(100);
    expect(believed(c, 0)).toEqual(everyone(c, "alive"));
    expect(believed(c, 2)).toEqual(everyone(c, "suspect"));
    c.controlNet.faults.heal();
    await c.run(3_000);
    expect(c.deathNotices).toEqual([]);
    expect(believed(c, 2)).toEqual(everyone(c, "alive"));
    expect(
      c.nodes.map((node) => node.proposals.length),
      c.dump(),
    ).toEqual(proposals);
    expect(await owners(c, rooms), c.dump()).toEqual(before);
  });

  test("[MS12] [PL10] sees a node die afterwards as it did before", async () => {
    cluster = startCluster(1, 6);
    const c = cluster;
    const rooms = await c.fill(30);
    cutOff(c, "p1");
    await c.run(66_000);
    c.controlNet.faults.heal();
    await c.run(3_000);
    const victim = c.nodes[0];
    victim?.kill();
    victim?.rooms.clear();
    await c.run(1_500);
    for (const one of rooms) expect(c.owners(one), c.dump()).toHaveLength(1);
  });
});
