import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type NodeView } from "../support/cluster.ts";
import { Crew } from "../support/crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const ROOMS = 8;
const PEOPLE = 24;

/** Real processes: nodes are told to stop while people put tokens into their rooms' ledgers. */
describe.skipIf(withoutNats)("a planned end of a node", () => {
  let cluster: Cluster;
  const rooms = Array.from({ length: ROOMS }, (_, i) => `deck-${i}`);

  beforeAll(async () => {
    cluster = await Cluster.start({ nats: 1, placements: 2, nodes: 3, gateways: 2 });
    await Promise.all(rooms.map((room) => cluster.createRoom(room)));
  }, 60_000);
  afterAll(async () => cluster?.close());

  const ownedBy = async (name: string): Promise<number> => {
    const views = await Promise.all(rooms.map((room) => cluster.room(room)));
    return views.filter(({ owner }) => owner?.startsWith(`${name}.`)).length;
  };

  /** By its last word, as placement heard it. */
  const left = async (name: string): Promise<number | undefined> => {
    const { ended } = await cluster.get<{ ended: NodeView[] }>("/v1/nodes");
    return ended.find(({ id }) => id === cluster.member(name).id)?.rooms;
  };

  it("[HO7] [MS40] SIGTERM and an operator's drain move every room, and people do not notice", async () => {
    const crew = new Crew(cluster);
    for (let i = 0; i < PEOPLE; i++) await crew.join(`p${i}`, rooms[i % ROOMS] as string);
    crew.work(40);
    const dump = (): string => `${crew.describe()}\n${cluster.dump()}`;
    const moved = await Promise.all(["node-1", "node-2", "node-3"].map(ownedBy));
    expect(moved.reduce((sum, count) => sum + count)).toBe(ROOMS);

    cluster.signal("node-1", "SIGTERM");
    await cluster.ended("node-1", 30_000);
    expect(cluster.member("node-1").child.exitCode, dump()).toBe(0);
    await waitUntil("node-1 owns nothing", async () => (await ownedBy("node-1")) === 0, { dump });
    expect(await left("node-1")).toBe(0);

    const { id } = cluster.member("node-2");
    const asked = await fetch(`${cluster.control}/v1/nodes/${id}/drain`, { method: "POST" });
    expect(asked.status).toBe(202);
    await cluster.ended("node-2", 30_000);
    expect(cluster.member("node-2").child.exitCode, dump()).toBe(0);
    await waitUntil("node-3 owns all", async () => (await ownedBy("node-3")) === ROOMS, { dump });
    expect(await left("node-2")).toBe(0);

    const acked = crew.sailors.map((sailor) => sailor.acked.size);
    await waitUntil(
      "everybody's commands are answered",
      () => crew.sailors.every((sailor, i) => sailor.acked.size > (acked[i] ?? 0) + 2),
      { dump },
    );
    await crew.rest();
    const verdict = await crew.verdict(rooms);
    expect([verdict.lost, verdict.doubled], dump()).toEqual([[], []]);
    for (const { closes, refused } of crew.sailors)
      expect({ closes, refused }, dump()).toEqual({ closes: 0, refused: [] });
    expect(await cluster.metric("node-3", "roomcluster_room_crashes_total")).toBe(0);
    crew.close();
  }, 120_000);
});
