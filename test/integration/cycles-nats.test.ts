import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Node } from "../../actors/node.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { GatewayCore } from "../../gateway/core.ts";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { NatsIndexStore } from "../../src/journal/nats-index-store.ts";
import { openNatsJournal } from "../../src/journal/nats-journal.ts";
import { NatsSnapshotStore } from "../../src/journal/nats-snapshot-store.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { type ProcessId, processId, roomId } from "../../src/kernel/ids.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { startInlineLiveness } from "../../src/membership/liveness.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type Placement, startPlacement } from "../../src/placement/service.ts";
import { ledger } from "../support/ledger-world.ts";
import { MemoryClient, TRUSTING } from "../support/memory-client.ts";
import { type NatsUser, withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";
import { waitUntil } from "../support/wait-until.ts";

const RUN_MS = 20_000;
/** Cycles that run at once, and those of one node and one replica. */
const AT_ONCE = 10;
const ROUND = 40;
const COMMON = { clock: systemClock, random: systemRandom, observer: silentObserver } as const;
const HERE = { host: "h", pid: 1 } as const;
const FACTS = {
  ...HERE,
  capacity: 1,
  arch: "x64",
  zone: "z",
  version: "1",
  pricePerHour: 0,
} as const;
const BRIEF = { roomIdleMs: 200, departureTriesMax: 2, departureMsMax: 500, linkIdleMs: 500 };

let incarnations = 0;
const newProcess = (name: string): ProcessId =>
  processId(`${name}.${(++incarnations).toString(16).padStart(16, "0")}`);

/** What the server counts. */
async function kept({ nats }: StoreServers) {
  const of = async <T>(page: string): Promise<T> => {
    const port = nats.servers[0]?.ports.http;
    return (await (await fetch(`http://127.0.0.1:${port}/${page}`)).json()) as T;
  };
  const { connections } = await of<{ connections: { subscriptions: number }[] }>("connz");
  const { num_subscriptions: all } = await of<{ num_subscriptions: number }>("subsz");
  const { consumers } = await of<{ consumers: number }>("jsz");
  return {
    connections: connections.length,
    subscriptions: connections.reduce((sum, each) => sum + each.subscriptions, 0),
    subscriptionsOfAll: all,
    consumers,
  };
}

type Kept = Awaited<ReturnType<typeof kept>>;

describe.skipIf(withoutNats)("a nats-server", () => {
  let stores: StoreServers;
  beforeAll(async () => {
    stores = await startStores(1);
  });
  afterAll(async () => stores?.close());

  async function portsOf(user: NatsUser) {
    const client = await stores.connect(user);
    const journal = await openNatsJournal(client);
    if (!journal.ok) throw new Error(`the journal is ${journal.error}`);
    const [bus, index, snapshots] = [
      new NatsBus(client),
      new NatsIndexStore(client),
      new NatsSnapshotStore(client),
    ];
    return { bus, index, snapshots, journal: journal.value };
  }

  async function startNode() {
    const self = newProcess("node");
    const { bus: controlBus, ...rest } = await portsOf("node");
    const dataBus = new NatsBus(await stores.connect("node-data"));
    const ports = {
      self,
      controlBus,
      dataBus,
      ...rest,
      ...COMMON,
      utilisation: () => 0,
      turn: () => {},
    };
    const node = new Node(ports, [ledger]);
    const worlds = [{ world: ledger.name, stateVersion: ledger.version }];
    const liveness = startInlineLiveness({
      facts: { process: self, ...FACTS, worlds },
      clock: systemClock,
      control: controlBus,
      data: dataBus,
      measure: () => ({ ...node.stats(), egressBytesPerS: 0 }),
    });
    const close = async (): Promise<void> => {
      node.close();
      await liveness.close();
      await Promise.all([controlBus.close(), dataBus.close()]);
    };
    return { node, close };
  }

  async function startReplica() {
    const self = newProcess("placement");
    const { bus, index, journal } = await portsOf("placement");
    const sys = new NatsBus(await stores.connect("sys"));
    const parts = {
      self,
      ...HERE,
      url: "http://127.0.0.1:1",
      control: bus,
      sys,
      index,
      journal,
      ...COMMON,
    };
    const placement = startPlacement(parts);
    const close = async (): Promise<void> => {
      placement.close();
      await Promise.all([bus.close(), sys.close()]);
    };
    return { placement, close };
  }

  it("keeps nothing of rooms, clients, nodes and replicas that came and went", async () => {
    const { bus: controlBus, journal } = await portsOf("gateway");
    const dataBus = new NatsBus(await stores.connect("gateway-data"));
    const config = { ...GATEWAY_DEFAULTS, ...BRIEF };
    const self = newProcess("gw");
    const core = new GatewayCore({
      ...{ self, controlBus, dataBus, journal, config },
      ...COMMON,
      auth: TRUSTING,
      utilisation: () => 0,
    });
    core.start({ url: "ws://gw", socketsMax: 100 });

    /** A room is activated, somebody works in it, and it is released. */
    const cycle = async (placement: Placement, number: number): Promise<void> => {
      const name = `hall${number}`;
      const room = roomId(`demo/${name}`);
      await placement.createRoom(room, ledger.name);
      const client = new MemoryClient(core, `p${number}`);
      client.join(name);
      const dump = (): string => client.describe();
      await waitUntil(`somebody is in ${name}`, () => client.count("joined") === 1, { dump });
      client.command(1, "put", { token: "t" });
      await waitUntil(`${name} answers`, () => client.count("reply") === 1, { dump });
      if (number % 2) client.leave();
      else client.drop();
      await placement.closeRoom(room);
      client.drop();
    };
    const idle = async (node: Awaited<ReturnType<typeof startNode>>): Promise<void> => {
      const isIdle = (): boolean => node.node.stats().rooms === 0 && core.stats().rooms === 0;
      await waitUntil("node and gateway are idle", isIdle, { dump: () => core.stats() });
    };
    let done = 0;
    let before: Kept | undefined;
    /** A node and a replica live for so many rooms. */
    const round = async (): Promise<void> => {
      const [node, replica] = await Promise.all([startNode(), startReplica()]);
      for (let begun = 0; begun < ROUND; begun += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, () => cycle(replica.placement, ++done)));
      // Without this a page that counts something else would never be noticed.
      const now = await kept(stores);
      for (const count of ["connections", "subscriptions"] as const)
        expect(now[count], count).toBeGreaterThan(before?.[count] ?? 0);
      await idle(node);
      await Promise.all([node.close(), replica.close()]);
    };

    await round();
    await waitUntil("the first round's connections are gone", async () => {
      before = await kept(stores);
      return before.connections === 3;
    });
    // What changes in the index comes by core NATS, and journals are read without consumers.
    expect(before?.consumers).toBe(0);
    const endAt = performance.now() + RUN_MS;
    while (performance.now() < endAt) await round();
    let after: Kept | undefined;
    const dump = (): string => JSON.stringify({ before, after, done });
    const same = async (): Promise<boolean> => {
      after = await kept(stores);
      return JSON.stringify(after) === JSON.stringify(before);
    };
    await waitUntil("all is as before", same, { dump, timeoutMs: 15_000 });
    // 440 on 2 cores that others use as well.
    expect(done, dump()).toBeGreaterThanOrEqual(2 * ROUND);
    core.close();
  }, 90_000);
});
