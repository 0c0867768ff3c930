import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { Crew } from "../support/crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const ROOMS = 12;
const PEOPLE = 12;
/** A minute of production takes a second here, and everything may move in it. */
const rebalance = { shareMax: 1, windowMs: 1_000, roomRestMs: 1_000 };

/** Real processes: a node joins a cluster whose rooms are all on others. */
describe.skipIf(withoutNats)("balance", () => {
  let cluster: Cluster;
  const rooms = Array.from({ length: ROOMS }, (_, i) => `berth${i}x`);

  beforeAll(async () => {
    const placement = [`placement.rebalance=${JSON.stringify(rebalance)}`];
    const set = { placement };
    cluster = await Cluster.start({ nats: 1, placements: 2, nodes: 3, gateways: 1, set });
    cluster.kill("node-3");
    await cluster.ended("node-3");
    await Promise.all(rooms.map((room) => cluster.createRoom(room)));
  }, 60_000);
  afterAll(async () => cluster?.close());

  it("[PL60] [PL63] rooms come to a node that joins, and no command is lost", async () => {
    const crew = new Crew(cluster);
    for (let i = 0; i < PEOPLE; i++) await crew.join(`p${i}`, rooms[i % ROOMS] as string);
    crew.work(50);
    const dump = (): string => `${crew.describe()}\n${cluster.dump()}`;
    await cluster.restart("node-3");
    const joined = cluster.member("node-3").id;
    const arrived = async (): Promise<string[]> => {
      const views = await Promise.all(rooms.map((room) => cluster.room(room)));
      return views.filter(({ owner }) => owner === joined).map(({ room }) => room);
    };
    await waitUntil("rooms of others on node-3", async () => (await arrived()).length >= 2, {
      timeoutMs: 30_000,
      dump,
    });
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
    const won = await Promise.all(
      ["placement-1", "placement-2"].map((name) =>
        cluster.metric(name, "roomcluster_placement_rounds_total", "won"),
      ),
    );
    expect(Math.max(...won)).toBeGreaterThan(0);
    crew.close();
  }, 90_000);
});
