import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countsOf,
  type Demand,
  ROLES,
  TERMS,
  type Topology,
  trafficOf,
} from "../../src/plan/work.ts";

const DEMAND: Demand = {
  users: 4_000,
  framesPerS: 40_000,
  posesPerS: 13_400,
  joinsPerS: 50,
  commandsPerS: 30,
  tickHz: 10,
  roomSize: 200,
};
const TOPOLOGY: Topology = {
  gateways: 4,
  nodes: 2,
  natsServers: 1,
  placements: 1,
  gatewaysPerRoom: 1,
};

describe("what there is to do", () => {
  it("[PN1] every term of every role is counted", () => {
    const counts = countsOf(DEMAND, TOPOLOGY);
    for (const role of ROLES) expect(Object.keys(counts[role])).toEqual([...TERMS[role]]);
    expect(counts.gateway).toMatchObject({
      ...{ frame: 40_000, pose: 13_400, command: 30, join: 50, connection: 4_000, process: 4 },
    });
    expect(counts.node).toMatchObject({ row: 13_400, command: 30, join: 50, process: 2 });
    expect(counts.placement).toEqual({ join: 50, process: 1 });
  });

  it("[PN2] a shard's ticks go to its one gateway, and the stage's to all", () => {
    const { rooms, ticksMade, ticksTaken } = trafficOf(DEMAND, TOPOLOGY);
    expect([rooms, ticksMade, ticksTaken]).toEqual([20, 220, 280]);
  });

  it("[PN2] where there are fewer shards than gateways each gateway has all of them", () => {
    const few = { ...DEMAND, users: 400, framesPerS: 4_000 };
    expect(trafficOf(few, TOPOLOGY).ticksTaken).toBe(2 * 10 * 4 + 20 * 4);
  });

  it("[PN2] people who come by three gateways make each tick go to three", () => {
    const { ticksTaken } = trafficOf(DEMAND, { ...TOPOLOGY, gatewaysPerRoom: 3 });
    expect(ticksTaken).toBe(200 * 3 + 20 * 4);
    // A room of two has people at two gateways at most.
    const pairs = { ...DEMAND, roomSize: 2 };
    const of = (gatewaysPerRoom: number) =>
      trafficOf(pairs, { ...TOPOLOGY, gatewaysPerRoom }).ticksTaken;
    expect(of(4)).toBe(of(2));
  });

  it("[PN2] rooms of an audience that is shown less make fewer ticks", () => {
    const behind = { ...DEMAND, framesPerS: 20_000 };
    expect(trafficOf(behind, TOPOLOGY).ticksMade).toBe(20 * 5 + 20);
  });

  it("[PN3] poses of a room wait for a fifth of its tick", () => {
    // 670 poses a second of each of 20 rooms: one comes, and 20 ms later all that came are sent.
    const each = 670 / (1 + 670 * 0.02);
    expect(trafficOf(DEMAND, TOPOLOGY).poseMessages).toBeCloseTo(20 * each, 6);
  });

  it("[PN3] a pair's messages wait 5 ms, unless 4 KiB are full before", () => {
    const { batchesDown, ticksTaken } = trafficOf(DEMAND, TOPOLOGY);
    const each = ticksTaken / 8;
    expect(batchesDown).toBeCloseTo((8 * each) / (1 + each * 0.005), 6);
    const many = { ...DEMAND, users: 40_000, framesPerS: 400_000, posesPerS: 134_000 };
    const alone = { ...TOPOLOGY, gateways: 1, nodes: 1 };
    const { batchesUp, poseMessages } = trafficOf(many, alone);
    expect(batchesUp).toBeCloseTo((134_000 * 16 + poseMessages * 60) / 4_096, 6);
  });

  it("[PN3] waiting never makes more of anything", () => {
    const some = fc.record({
      users: fc.integer({ min: 1, max: 200_000 }),
      posesPerUser: fc.double({ min: 0.1, max: 30, noNaN: true }),
      gateways: fc.integer({ min: 1, max: 100 }),
      nodes: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(some, ({ gateways, nodes, posesPerUser, users }) => {
        const posesPerS = users * posesPerUser;
        const demand = { ...DEMAND, users, posesPerS, framesPerS: users * 10 };
        const of = trafficOf(demand, { ...TOPOLOGY, gateways, nodes });
        expect(of.poseMessages).toBeLessThanOrEqual(posesPerS);
        expect(of.batchesUp).toBeLessThanOrEqual(of.poseMessages * (1 + 1e-9));
        expect(of.batchesDown).toBeLessThanOrEqual(of.ticksTaken * (1 + 1e-9));
      }),
    );
  });

  it("[PN4] three servers pass on two of three batches, and write each record thrice", () => {
    const one = countsOf(DEMAND, TOPOLOGY).nats;
    const three = countsOf(DEMAND, { ...TOPOLOGY, natsServers: 3 }).nats;
    expect(three.batch / one.batch).toBeCloseTo(1 + 2 / 3, 9);
    expect(three).toMatchObject({ record: 3 * 80, process: 3 });
  });
});
