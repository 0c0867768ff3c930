import { describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const microtasks = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

function open(seed = 1): { clock: ManualClock; network: MemoryNetwork; a: Bus; b: Bus } {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, seededRandom(seed));
  return { clock, network, a: network.open("a"), b: network.open("b") };
}

function collect(bus: Bus, subject: string): string[] {
  const heard: string[] = [];
  bus.subscribe(subject, ({ data }) => heard.push(text(data)));
  return heard;
}

describe("MemoryNetwork", () => {
  it("[BU20] needs no time without delays", async () => {
    const { clock, a, b } = open();
    b.subscribe("x", ({ respond }) => respond(bytes("yes")));
    const answer = await a.request("x", bytes("?"), 1_000);
    expect(answer).toEqual({ ok: true, value: bytes("yes") });
    expect(await a.request("nobody", bytes("?"), 1_000)).toEqual({
      ok: false,
      error: "no_responders",
    });
    expect(clock.now()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("[BU20] delays on the clock and lets nothing overtake", async () => {
    const { clock, network, a, b } = open();
    Object.assign(network.faults.everywhere, { delayMsMin: 5, delayMsMax: 50 });
    const heard = collect(b, "x");
    const sent = Array.from({ length: 100 }, (_, i) => String(i));
    for (const one of sent) a.publish("x", bytes(one));
    // A link that gets faster must not let later messages pass those under way.
    network.faults.heal();
    a.publish("x", bytes("last"));
    clock.advance(4.9);
    await microtasks();
    expect(heard).toEqual([]);
    await clock.run(60);
    expect(heard).toEqual([...sent, "last"]);
    expect(network.faults.fired.delayed).toBe(100);
  });

  it("[BU21] [BU23] repeats a seed's losses and repetitions", async () => {
    const run = async (seed: number): Promise<string[]> => {
      const { network, clock, a, b } = open(seed);
      const heard = collect(b, "x");
      Object.assign(network.faults.link("a", "b"), {
        dropRate: 0.2,
        duplicateRate: 0.2,
        delayMsMax: 9,
      });
      for (let i = 0; i < 300; i++) a.publish("x", bytes(String(i)));
      await clock.run(20);
      const { dropped, duplicated } = network.faults.fired;
      expect(dropped).toBeGreaterThan(20);
      expect(duplicated).toBeGreaterThan(20);
      expect(heard).toHaveLength(300 - dropped + duplicated);
      return heard;
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });

  it("[BU22] [BU23] cuts one direction or both", async () => {
    const { network, clock, a, b } = open();
    const [atA, atB] = [collect(a, "to.a"), collect(b, "to.b")];
    const both = (): void => {
      a.publish("to.b", bytes("x"));
      b.publish("to.a", bytes("x"));
    };
    network.faults.partition(["a"], ["b"], "one_way");
    both();
    await microtasks();
    expect([atA.length, atB.length]).toEqual([1, 0]);
    network.faults.partition(["a"], ["b"]);
    both();
    await microtasks();
    expect([atA.length, atB.length]).toEqual([1, 0]);
    expect(network.faults.fired.cut).toBe(3);
    const request = a.request("to.b", bytes("x"), 100);
    clock.advance(100);
    expect(await request).toEqual({ ok: false, error: "timeout" });
    network.faults.heal();
    both();
    await microtasks();
    expect([atA.length, atB.length]).toEqual([2, 1]);
  });

  it("[BU24] loses what is under way to an endpoint that is disconnected", async () => {
    const { network, clock, a, b } = open();
    network.faults.link("a", "b").delayMsMin = 10;
    network.faults.link("a", "b").delayMsMax = 10;
    const heard = collect(b, "x");
    a.publish("x", bytes("lost"));
    network.faults.disconnect("b");
    expect(network.open("b").connected).toBe(false);
    network.faults.reconnect("b");
    a.publish("x", bytes("kept"));
    await clock.run(20);
    expect(heard).toEqual(["kept"]);
    expect(network.faults.fired.lostByDisconnect).toBe(1);
  });

  it("[BU25] takes a copy", async () => {
    const { a, b } = open();
    const heard = collect(b, "x");
    const data = bytes("abc");
    a.publish("x", data);
    data.fill(0);
    await microtasks();
    expect(heard).toEqual(["abc"]);
  });

  it("[BU6] releases what a closed bus held", async () => {
    const { clock, a, b } = open();
    const heard = collect(b, "x");
    b.subscribe("silent", () => undefined);
    const request = b.request("silent", bytes("?"), 1_000);
    a.publish("x", bytes("late"));
    await b.close();
    expect(await request).toEqual({ ok: false, error: "disconnected" });
    await microtasks();
    expect(heard).toEqual([]);
    expect(await a.request("x", bytes("?"), 1_000)).toEqual({ ok: false, error: "no_responders" });
    expect(clock.pending).toBe(0);
  });
});
