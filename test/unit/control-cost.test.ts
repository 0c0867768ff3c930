import { describe, expect, test } from "vitest";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { CostGauges, costOf } from "../../src/placement/cost.ts";
import { startPlacement } from "../../src/placement/service.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { nodeBeat } from "../../src/protocol/subjects.ts";
import { controlPort, operatorHandler } from "../../src/roles/placement.ts";
import { beatOf, node, replica } from "../support/planner-bench.ts";

const arm = { arch: "arm64", pricePerHour: 0.04, sessions: 800 };
const intel = { arch: "x64", pricePerHour: 0.1, sessions: 1_200 };
const free = { arch: "x64", pricePerHour: 0, sessions: 5_000 };
const GAUGE = "roomcluster_price_per_hour_per_1000_sessions";

describe("cost of 1,000 users", () => {
  test("[CO22] sums over nodes, by architecture as well", () => {
    expect(costOf([arm, arm, intel])).toEqual({
      pricePerHour: 0.18,
      sessions: 2_800,
      pricePerHourPer1000: 0.064286,
      unpricedNodes: 0,
      byArch: {
        arm64: { pricePerHour: 0.08, sessions: 1_600, pricePerHourPer1000: 0.05, unpricedNodes: 0 },
        x64: {
          pricePerHour: 0.1,
          sessions: 1_200,
          pricePerHourPer1000: 0.083333,
          unpricedNodes: 0,
        },
      },
    });
  });

  test("[CO22] sessions of a node without a price make nobody else's cheaper", () => {
    const { byArch, ...all } = costOf([intel, free]);
    const intelAlone = { pricePerHour: 0.1, sessions: 1_200, pricePerHourPer1000: 0.083333 };
    expect(all).toEqual({ ...intelAlone, unpricedNodes: 1 });
    expect(byArch).toEqual({ x64: all });
  });

  test("[CO22] nobody there, or no price, is no cost, not a cost of nothing", () => {
    expect(costOf([]).pricePerHourPer1000).toBeNull();
    expect(costOf([free]).pricePerHourPer1000).toBeNull();
    const empty = costOf([{ ...arm, sessions: 0 }]);
    expect([empty.pricePerHourPer1000, empty.pricePerHour]).toEqual([null, 0.04]);
  });

  test("[CO22] a gauge says so as well when the last node of a kind is gone", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const gauges = new CostGauges(metrics);
    const shown = async () =>
      (await metrics.text()).split("\n").filter((line) => line.startsWith(GAUGE));
    gauges.set([arm, intel]);
    expect(await shown()).toEqual([
      `${GAUGE}{arch="all"} 0.07`,
      `${GAUGE}{arch="arm64"} 0.05`,
      `${GAUGE}{arch="x64"} 0.083333`,
    ]);
    gauges.set([intel]);
    expect((await shown())[1]).toMatch(/\{arch="arm64"\} NaN$/i);
  });

  test("[CO8] [CO22] what nodes' beats say is what operators and Prometheus are told", async () => {
    const clock = new ManualClock();
    const random = seededRandom(3);
    const network = new MemoryNetwork(clock, random);
    const stores = new MemoryStores(clock, random).open();
    const metrics = createMetrics({ processMetrics: false });
    const placement = startPlacement({
      self: replica(0),
      url: "http://127.0.0.1:1",
      host: "h",
      pid: 1,
      control: network.open("placement"),
      sys: undefined,
      index: stores.index,
      journal: stores.journal,
      clock,
      random,
      observer: { ...silentObserver, metrics },
    });
    const nodes = network.open("nodes");
    for (let sequence = 1; sequence <= 8; sequence++) {
      const beat = { ...beatOf(node(1), sequence), ...arm, stretch: 2 };
      nodes.publish(nodeBeat(node(1)), control.encode(beat));
      await clock.run(250);
    }
    const handle = operatorHandler(
      { dev: true, controlToken: undefined },
      { metrics },
      { port: controlPort(placement, stores.index, clock), notReady: () => [], files: new Map() },
    );
    const answer = await handle({
      method: "GET",
      path: "/v1/nodes",
      query: new URLSearchParams(),
      headers: { host: "127.0.0.1:7070" },
      fromLoopback: true,
      body: new Uint8Array(),
    });
    const { nodes: shown, cost } = JSON.parse(String(answer.body));
    expect(shown[0]).toMatchObject({ name: "n1", pricePerHour: 0.04, stretch: 2 });
    expect(cost).toMatchObject({ pricePerHour: 0.04, sessions: 800, pricePerHourPer1000: 0.05 });
    expect(await metrics.text()).toContain(`${GAUGE}{arch="arm64"} 0.05`);
    placement.close();
  });
});
