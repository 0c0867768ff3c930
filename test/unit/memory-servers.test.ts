import { describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import type { Arrive, ConnectionLoss } from "../../src/bus/memory-endpoint.ts";
import { MemoryServers } from "../../src/bus/memory-servers.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const microtasks = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

function open(seed = 1) {
  const clock = new ManualClock();
  const servers = new MemoryServers(["n1", "n2", "n3"], seededRandom(seed));
  const network = new MemoryNetwork(clock, seededRandom(seed), servers);
  const losses: ConnectionLoss[] = [];
  network.onLoss((loss) => losses.push(loss));
  return { clock, servers, network, losses, faults: network.faults };
}

/** As many endpoints as it takes until one is on each of the servers; in their order. */
function onEach({ network, servers }: ReturnType<typeof open>): Bus[] {
  const found = new Map<string, Bus>();
  for (let i = 0; found.size < servers.names.length && i < 200; i++) {
    const bus = network.open(`e${i}`);
    for (const name of servers.names)
      if (!found.has(name) && servers.guestsOf(name).includes(bus as never)) found.set(name, bus);
  }
  return servers.names.map((name) => found.get(name) as Bus);
}

function collect(bus: Bus, subject: string): string[] {
  const heard: string[] = [];
  bus.subscribe(subject, ({ data }) => heard.push(text(data)));
  return heard;
}

/** The way into a process that can be frozen. */
function process() {
  const held: (() => void)[] = [];
  let frozen = false;
  const arrive: Arrive = (happen) => {
    if (frozen) held.push(happen);
    else happen();
  };
  const setFrozen = (now: boolean): void => {
    frozen = now;
    while (!frozen && held.length > 0) held.shift()?.();
  };
  return { arrive, freeze: () => setFrozen(true), thaw: () => setFrozen(false) };
}

describe("Interest", () => {
  it("[BU32] travels between servers, and is at once on one's own", async () => {
    const cluster = open();
    const { clock, faults } = cluster;
    const [a, b] = onEach(cluster) as [Bus, Bus, Bus];
    Object.assign(faults, { interestLagMsMin: 20, interestLagMsMax: 20 });
    const heard = collect(a, "x");
    a.subscribe("asked", ({ respond }) => respond(bytes("yes")));
    a.publish("x", bytes("own"));
    b.publish("x", bytes("too soon"));
    expect(await b.request("asked", bytes("?"), 1_000)).toEqual({
      ok: false,
      error: "no_responders",
    });
    expect(faults.fired.interestLate).toBe(2);
    clock.advance(20);
    b.publish("x", bytes("later"));
    expect(await b.request("asked", bytes("?"), 1_000)).toMatchObject({ ok: true });
    expect(heard).toEqual(["own", "later"]);
    expect(faults.fired.interestLate).toBe(2);
  });

  it("[BU32] travels again when a process comes back", async () => {
    const { clock, network, faults } = open();
    const [a, b] = [network.open("a"), network.open("b")];
    const heard = collect(b, "x");
    Object.assign(faults, { interestLagMsMin: 20, interestLagMsMax: 20 });
    faults.disconnect("b");
    faults.reconnect("b");
    const own = network.open("b");
    for (const bus of [a, own]) bus.publish("x", bytes("too soon"));
    clock.advance(20);
    a.publish("x", bytes("later"));
    await microtasks();
    expect(heard.at(-1)).toBe("later");
    expect(faults.fired.interestLate).toBe(3 - heard.length);
    expect(faults.fired.interestLate).toBeGreaterThan(0);
  });

  it("[BU33] of a subscription that is gone leaves requests without an answer", async () => {
    const cluster = open();
    const { clock, faults } = cluster;
    const [a, b, c] = onEach(cluster) as [Bus, Bus, Bus];
    const first = a.subscribe("gone", () => undefined);
    c.subscribe("closed", () => undefined);
    Object.assign(faults, { interestLagMsMin: 20, interestLagMsMax: 20 });
    first.close();
    await c.close();
    const own = await a.request("gone", bytes("?"), 100);
    expect(own).toEqual({ ok: false, error: "no_responders" });
    const asked = ["gone", "closed"].map((subject) => b.request(subject, bytes("?"), 100));
    await microtasks();
    clock.advance(20);
    for (const subject of ["gone", "closed"])
      expect(await b.request(subject, bytes("?"), 1_000)).toEqual({
        ok: false,
        error: "no_responders",
      });
    clock.advance(80);
    const timeout = { ok: false, error: "timeout" };
    expect(await Promise.all(asked)).toEqual([timeout, timeout]);
    expect(faults.fired.interestStale).toBe(2);
    expect(clock.pending).toBe(0);
  });
});

describe("A process that takes nothing", () => {
  it("[BU34] [BU37] is disconnected by what waits for it, and gets what its sockets held", async () => {
    const { clock, network, faults, losses } = open();
    Object.assign(faults.pending, { socketBytes: 5_000, bytesMax: 20_000, writeMsMax: 60_000 });
    const slow = process();
    const a = network.open("a");
    const b = network.open("b", { arrive: slow.arrive, label: "data" });
    const heard: number[] = [];
    const connections: boolean[] = [];
    b.subscribe("x", ({ data }) => heard.push(data[0] as number));
    b.onConnection((connected) => connections.push(connected));
    slow.freeze();
    const publish = async (i: number): Promise<void> => {
      a.publish("x", new Uint8Array(1_000).fill(i));
      await microtasks();
    };
    for (let i = 0; i < 19; i++) await publish(i);
    expect(losses).toEqual([]);
    for (let i = 19; i < 25; i++) await publish(i);
    expect(losses).toEqual([{ name: "b", label: "data", reason: "slow_consumer" }]);
    expect([b.connected, connections]).toEqual([true, []]);
    slow.thaw();
    await microtasks();
    expect(heard).toEqual([0, 1, 2, 3]);
    expect(connections).toEqual([false, true]);
    await publish(99);
    expect(heard.at(-1)).toBe(99);
    expect(faults.fired.slowConsumers).toBe(1);
    // The 20th was the straw; those after it had nowhere to go.
    expect(faults.fired.lostByDisconnect).toBe(16);
    expect(clock.pending).toBe(0);
  });

  it("[BU34] is disconnected when its full sockets do not move", async () => {
    const { clock, network, faults } = open();
    Object.assign(faults.pending, { socketBytes: 5_000, bytesMax: 1_000_000, writeMsMax: 2_000 });
    const slow = process();
    const a = network.open("a");
    const b = network.open("b", { arrive: slow.arrive });
    const heard = collect(b, "x");
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) a.publish("x", bytes("x".repeat(1_000)));
      await microtasks();
    };
    slow.freeze();
    await fill();
    clock.advance(1_900);
    slow.thaw();
    slow.freeze();
    await fill();
    clock.advance(1_900);
    expect(faults.fired.slowConsumers).toBe(0);
    clock.advance(200);
    expect(faults.fired.slowConsumers).toBe(1);
    slow.thaw();
    await microtasks();
    expect(heard).toHaveLength(14);
    expect(b.connected).toBe(true);
  });
});

describe("Servers", () => {
  it("[BU36] [BU37] take with them who was on them, and nobody else", async () => {
    const cluster = open();
    const { clock, servers, losses, faults } = cluster;
    const [a, b, c] = onEach(cluster) as [Bus, Bus, Bus];
    const heard = [a, b, c].map((bus) => collect(bus, "x"));
    const dead = servers.guestsOf("n2").length;
    faults.redialMsMin = faults.redialMsMax = 30;
    servers.kill("n2");
    expect([a, b, c].map((bus) => bus.connected)).toEqual([true, false, true]);
    expect(losses.map(({ reason }) => reason)).toEqual(Array(dead).fill("server"));
    expect(servers.fired).toMatchObject({ killed: 1, sentAway: dead });
    a.publish("x", bytes("1"));
    await clock.run(40);
    expect(b.connected).toBe(true);
    expect(servers.guestsOf("n2")).toEqual([]);
    a.publish("x", bytes("2"));
    await microtasks();
    expect(heard).toEqual([["1", "2"], ["2"], ["1", "2"]]);
  });

  it("[BU35] lose what they had, and what was published in ignorance", async () => {
    const cluster = open();
    const { clock, servers, network, faults } = cluster;
    const each = onEach(cluster);
    const sleeper = process();
    const asleep = network.open("asleep", { arrive: sleeper.arrive });
    const isHome = (name: string): boolean => servers.guestsOf(name).includes(asleep as never);
    const home = servers.names.findIndex(isHome);
    const heard = collect(each[(home + 1) % 3] as Bus, "x");
    Object.assign(faults.everywhere, { delayMsMin: 10, delayMsMax: 10 });
    asleep.publish("x", bytes("passed on"));
    clock.advance(6);
    asleep.publish("x", bytes("with its server"));
    sleeper.freeze();
    servers.kill(servers.names[home] as string);
    expect(asleep.connected).toBe(true);
    asleep.publish("x", bytes("in ignorance"));
    await clock.run(20);
    expect(heard).toEqual(["passed on"]);
    expect(faults.fired.lostByDisconnect).toBe(2);
    sleeper.thaw();
    asleep.publish("x", bytes("knowingly"));
    expect(faults.fired.unsent).toBe(1);
  });

  it("[BU35] are looked for until one is up", async () => {
    const { clock, servers, network } = open();
    const a = network.open("a");
    const changes: boolean[] = [];
    a.onConnection((connected) => changes.push(connected));
    for (const name of servers.names) servers.kill(name);
    await clock.run(3_000, 50);
    expect(network.open("late").connected).toBe(false);
    expect(changes).toEqual([false]);
    servers.restart("n3");
    await clock.run(300, 50);
    expect(changes).toEqual([false, true]);
    expect(servers.guestsOf("n3")).toHaveLength(2);
  });

  it("[BU36] can be cut from each other", async () => {
    const cluster = open();
    const { servers, network } = cluster;
    const [a, b] = onEach(cluster) as [Bus, Bus, Bus];
    let neighbour = network.open("neighbour");
    for (let i = 0; !servers.guestsOf("n1").includes(neighbour as never); i++)
      neighbour = network.open(`neighbour ${i}`);
    const [atA, atB, atNeighbour] = [a, b, neighbour].map((bus) => collect(bus, "x"));
    servers.cut("n1", "n2", "one_way");
    a.publish("x", bytes("from a"));
    b.publish("x", bytes("from b"));
    await microtasks();
    expect([atA, atB, atNeighbour]).toEqual([
      expect.arrayContaining(["from a", "from b"]),
      ["from b"],
      expect.arrayContaining(["from a", "from b"]),
    ]);
    expect(servers.fired.cut).toBe(1);
    servers.heal();
    a.publish("x", bytes("again"));
    await microtasks();
    expect(atB).toEqual(["from b", "again"]);
  });

  it("[BU38] tell nothing to an endpoint that is cut off from them", async () => {
    const { clock, network, faults } = open();
    const a = network.open("a");
    for (const cut of ["mute", "deafen"] as const) {
      faults[cut]("a", true);
      const asked = a.request("nobody", bytes("?"), 100);
      clock.advance(100);
      expect(await asked).toEqual({ ok: false, error: "timeout" });
      faults[cut]("a", false);
    }
    const asked = await a.request("nobody", bytes("?"), 100);
    expect(asked).toEqual({ ok: false, error: "no_responders" });
  });
});
