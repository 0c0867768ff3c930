import { describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { gatewayBeat, nodeControl, placementBeat } from "../../src/protocol/subjects.ts";
import { counter } from "../support/counter-world.ts";
import { runCycles } from "../support/cycles.ts";
import { gatewayOn, MemoryClient } from "../support/memory-client.ts";
import { RoomHarness, ScriptedGateway } from "../support/room-harness.ts";
import { id, room, startCluster } from "./placement-cluster.ts";
import { PLAZA, StubNode } from "./placement-stub-node.ts";

/** What one cycle may leave behind; none were measured. An object in a map takes more. */
const GROWN_BYTES_MAX = 100;
/** Replicas remember up to 10,000 dead incarnations: 50 bytes a death were measured. */
const DEATH_BYTES_MAX = 100;
const COUNT = 1_000;
/** 5 to 10 s each; where others use both cores as well, 30 s. */
const TEST_MS_MAX = 180_000;
/** What gateways keep for a while in case it is needed again is kept for less than in earnest. */
const BRIEF = { roomIdleMs: 1_000, departureMsMax: 2_000, linkIdleMs: 1_000 };

/** The epoch that the latest owner record of a room opened. */
function epochOf(harness: RoomHarness, room: RoomId): Epoch {
  const at = harness.journal(room).findLastIndex(({ type }) => type === "owner");
  const record = harness.stores.logs.get(room)?.records[at];
  return record ? epochAt(harness.stores.generation, record.sequence) : EPOCH_NONE;
}

/** The stores keep closed rooms for good; here they would hide what the processes keep. */
function forgetRooms({ stores }: RoomHarness): void {
  stores.logs.clear();
  stores.entries.clear();
  stores.snapshots.clear();
}

const portsOf = (harness: RoomHarness) => ({
  timers: harness.clock.pending,
  controlSubscriptions: harness.control.routes.size,
  dataSubscriptions: harness.data.routes.size,
  watchers: harness.stores.watchers.size,
});

/** The first and only beats of a gateway and of another replica. */
function beatsOf(number: number): [subject: string, data: Uint8Array][] {
  const [gateway, replica] = [id("gw", number + 1), id("p2", number + 1)];
  const common = { sequence: 1, host: "h", pid: 1 };
  const [url, sessions, sessionsMax, draining] = ["ws://gw", 1, 10, false] as const;
  const place = { zone: "z", version: "1", stretch: null };
  const gatewayFacts = { url, sessions, sessionsMax, draining, ...place };
  return [
    [
      gatewayBeat(gateway),
      control.encode({ type: "gatewayBeat", process: gateway, ...common, ...gatewayFacts }),
    ],
    [
      placementBeat(replica),
      control.encode({ type: "placementBeat", process: replica, ...common, url: "http://p2" }),
    ],
  ];
}

describe("after 1,000 cycles everything is as before", () => {
  it(
    "on nodes: a room is claimed, people come and go, it is handed over, people go on, it closes",
    async () => {
      const harness = new RoomHarness(3);
      const [a, b] = [harness.node("node-a", [counter]), harness.node("node-b", [counter])];
      const served = { replies: 0, handedOver: 0 };
      const cycle = async (number: number): Promise<void> => {
        const room = roomId(`demo/hall${number}`);
        const [first, second] = number % 2 ? [b, a] : [a, b];
        const bus: Bus = harness.data.open("gw");
        const gateway = new ScriptedGateway(harness, harness.process("gw"), bus);
        gateway.room = room;
        harness.propose(first, counter, EPOCH_NONE, room);
        await harness.clock.run(20, 5);
        gateway.route(first, epochOf(harness, room));
        const [ada, bob] = ["ada", "bob", "eve"].map((name) => gateway.attach(name));
        await harness.clock.run(20, 5);
        ada?.command(1, "add", { by: 2 });
        bob?.leave();
        await harness.clock.run(20, 5);
        const epoch = epochOf(harness, room);
        const wish = { type: "migrate", room, epoch, target: second.id } as const;
        harness.placement.publish(nodeControl(first.id), control.encode(wish));
        await harness.clock.run(40, 5);
        gateway.route(second, epochOf(harness, room));
        ada?.attach(true);
        await harness.clock.run(20, 5);
        ada?.command(2, "add", { by: 2 });
        await harness.clock.run(20, 5);
        served.replies += ada?.replies().length ?? 0;
        served.handedOver += gateway.of("moved").length;
        harness.closeRoom(second, room);
        await harness.clock.run(20, 5);
        await bus.close();
        forgetRooms(harness);
      };
      const { before, after, grownBytes } = await runCycles({
        count: COUNT,
        cycle,
        // Links to gateways that are gone are kept for a minute.
        settle: () => harness.clock.run(130_000, 250),
        counts: () => ({
          ...portsOf(harness),
          rooms: a.node.stats().rooms + b.node.stats().rooms,
          sessions: a.node.stats().sessions + b.node.stats().sessions,
        }),
      });
      expect(served).toEqual({ replies: 2 * COUNT, handedOver: COUNT });
      expect(after).toEqual(before);
      expect(grownBytes).toBeLessThan(GROWN_BYTES_MAX);
    },
    TEST_MS_MAX,
  );

  it(
    "on a gateway: rooms are held and let go, clients come and leave, or are cut off",
    async () => {
      const harness = new RoomHarness(4);
      let node = harness.node("node-a", [counter]);
      const core = gatewayOn(harness, BRIEF);
      const served = { joined: 0, replies: 0 };
      const cycle = async (number: number): Promise<void> => {
        const name = `hall${number}`;
        const room = roomId(`demo/${name}`);
        harness.propose(node, counter, EPOCH_NONE, room);
        await harness.clock.run(20, 5);
        const [stays, drops] = [new MemoryClient(core, "ann"), new MemoryClient(core, "bob")];
        await harness.clock.run(10, 5);
        stays.join(name);
        drops.join(name);
        await harness.clock.run(150, 5);
        stays.command(1, "add", { by: 1 });
        await harness.clock.run(40, 5);
        drops.drop();
        // Every tenth time the room lives on, on a new node.
        if (number % 10 === 9) {
          node.end();
          node = harness.node("node-a", [counter]);
          harness.propose(node, counter, epochOf(harness, room), room);
          await harness.clock.run(200, 5);
          stays.command(2, "add", { by: 1 });
          await harness.clock.run(100, 5);
        }
        stays.leave();
        await harness.clock.run(50, 5);
        served.joined += stays.count("joined") + drops.count("joined");
        served.replies += stays.count("reply");
        stays.drop();
        harness.closeRoom(node, room);
        await harness.clock.run(50, 5);
        forgetRooms(harness);
      };
      const { before, after, grownBytes } = await runCycles({
        count: COUNT,
        cycle,
        settle: () => harness.clock.run(10_000, 50),
        counts: () => ({ ...portsOf(harness), ...core.stats(), draining: 0 }),
      });
      expect(served).toEqual({ joined: 2 * COUNT, replies: 1.1 * COUNT });
      expect(after).toEqual(before);
      expect(grownBytes).toBeLessThan(GROWN_BYTES_MAX);
    },
    TEST_MS_MAX,
  );

  it(
    "at a placement replica: nodes, gateways and replicas die and come back as new ones",
    async () => {
      const cluster = startCluster(1, 0);
      const { clock, controlNet, dataNet, stores, asker } = cluster;
      const rooms = [room("red"), room("green")];
      const start = (number: number): StubNode =>
        new StubNode({
          process: id(number % 2 ? "odd" : "even", number + 1),
          ...{ clock, controlNet, dataNet, stores },
        });
      let living = start(0);
      await cluster.run(1_000);
      for (const one of rooms) await cluster.placements[0]?.createRoom(one, PLAZA);
      await cluster.run(1_000);
      let moved = 0;
      const cycle = async (number: number): Promise<void> => {
        const next = start(number + 1);
        for (const message of beatsOf(number)) asker.publish(...message);
        await clock.run(500, 10);
        living.kill();
        cluster.advise(living);
        await clock.run(1_000, 10);
        moved += next.rooms.size;
        living = next;
        // What the test's own parts write down.
        for (const { records } of stores.logs.values()) records.splice(0, records.length - 1);
        cluster.proposedAt.length = 0;
      };
      const { before, after, grownBytes } = await runCycles({
        count: COUNT,
        cycle,
        settle: () => clock.run(20_000, 50),
        counts: () => {
          const seen = cluster.placements[0]?.snapshot();
          return {
            timers: clock.pending,
            controlSubscriptions: controlNet.routes.size,
            systemSubscriptions: cluster.sysNet.routes.size,
            dataSubscriptions: dataNet.routes.size,
            watchers: stores.watchers.size,
            nodes: seen?.nodes.length ?? Number.NaN,
            gateways: seen?.gateways.length ?? Number.NaN,
            placements: seen?.placements.length ?? Number.NaN,
          };
        },
      });
      expect(moved).toBe(2 * COUNT);
      expect(after).toEqual(before);
      expect(grownBytes).toBeLessThan(GROWN_BYTES_MAX + DEATH_BYTES_MAX);
    },
    TEST_MS_MAX,
  );
});
