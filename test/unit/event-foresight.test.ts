import { describe, expect, it } from "vitest";
import { Foresight } from "../../actors/event/foresight.ts";
import { SEATING_LIMITS, Seating } from "../../actors/event/seating.ts";
import { processId } from "../../src/kernel/ids.ts";
import { shardRoom } from "../../src/protocol/event-names.ts";
import { type EventSpec, specFault } from "../../src/protocol/event-spec.ts";
import { Gala, STAGE } from "../support/gala.ts";

const DOORS = 1_000_000;
const SPEC: EventSpec = {
  ...{ capacity: 1_000, shardSize: 10, admitPerS: 100 },
  ...{ doorsAt: DOORS, startsAt: null, endsAt: null },
  arrivals: [
    { afterMs: 10_000, people: 200 },
    { afterMs: 20_000, people: 250 },
  ],
};
const gateway = (n: number) => processId(`gw-${n}.000000000000000${n}`);

describe("foresight", () => {
  it("[ST10] goes by what operators expect, from 5 s before the doors on", () => {
    const foresight = new Foresight(0);
    const expected = [-9_000, -5_000, -2_500, 0, 5_000, 10_000, 18_000, 30_000];
    const people = expected.map((after) => foresight.people(SPEC, DOORS + after, 0));
    expect(people).toEqual([0, 0, 50, 100, 100, 25, 10, 0]);
    expect(foresight.people({ ...SPEC, doorsAt: null, arrivals: [] }, DOORS, 0)).toBe(0);
  });

  it("[ST10] goes by how many came lately, where that is more, and forgets", () => {
    const foresight = new Foresight(0);
    const spec = { ...SPEC, doorsAt: null, arrivals: [] };
    for (let now = 0; now <= 30_000; now += 100) foresight.came(10, now);
    const soon = foresight.people(spec, 0, 30_000);
    expect(soon).toBeGreaterThan(450);
    expect(soon).toBeLessThan(550);
    expect(foresight.people(spec, 0, 60_000)).toBeLessThan(3);
    foresight.came(1e9, 60_000);
    expect(foresight.people(spec, 0, 60_000), "no more than find seats").toBe(1_000);
  });

  it("[CO37] a list of arrivals rises, and counts from the doors", () => {
    expect(specFault(SPEC)).toBeUndefined();
    const falls = [...SPEC.arrivals, { afterMs: 30_000, people: 249 }];
    const stands = [...SPEC.arrivals, { afterMs: 20_000, people: 300 }];
    for (const arrivals of [falls, stands])
      expect(specFault({ ...SPEC, arrivals })).toContain("one after the other");
    expect(specFault({ ...SPEC, doorsAt: null })).toContain("doorsAt");
  });
});

describe("seating", () => {
  it("[ST10] opens as many empty shards as find seats for them, each gateway its own", () => {
    const seating = new Seating({ ...SEATING_LIMITS, shardSize: 10, shardsMax: 30 });
    seating.report(gateway(1), 0, [], 0);
    expect(seating.ahead(gateway(1), 25, 1, 0)).toEqual([0, 1, 2]);
    expect(seating.ahead(gateway(1), 25, 1, 0), "they are there already").toEqual([0, 1, 2]);
    expect(seating.ahead(gateway(2), 10, 0.5, 0)).toEqual([3]);
    expect(seating.grant(gateway(1), 1, 12, 10)).toEqual([
      { shard: 0, seats: 10 },
      { shard: 1, seats: 2 },
    ]);
    expect(seating.ahead(gateway(1), 25, 1, 10), "half of one is left").toEqual([2, 4]);
    expect(seating.ahead(gateway(1), 1_000, 1, 10), "16 at once").toHaveLength(16);
    expect(seating.ahead(gateway(1), 0, 1, 10)).toEqual([]);
    expect(seating.opened).toBeLessThanOrEqual(30);
  });

  it("[ST3] [ST10] opens none where few are expected and another gateway's has seats for them", () => {
    const seating = new Seating({ ...SEATING_LIMITS, shardSize: 10, shardsMax: 30 });
    const gateways = [1, 2, 3, 4].map(gateway);
    for (const one of gateways) seating.report(one, 0, [], 0);
    const few = gateways.map((one) => seating.ahead(one, 8, 0.25, 0));
    expect(few).toEqual([[0], [], [], []]);
    const more = gateways.map((one) => seating.ahead(one, 25, 0.25, 0));
    expect(more, "three have seats for 25").toEqual([[0], [1], [2], []]);
    const many = gateways.map((one) => seating.ahead(one, 60, 0.25, 0).length);
    expect(many).toEqual([2, 2, 2, 2]);
  });
});

describe("an event's door", () => {
  it("[GW74] [ST10] has shards made before anybody comes", async () => {
    const gala = new Gala(2);
    const { clock } = gala.harness;
    const doorsAt = clock.wallNow() + 8_000;
    const arrivals = [{ afterMs: 1_000, people: 9 }];
    await gala.harness.run(50);
    const spec = { admitPerS: 1_000, startsAt: null, endsAt: null };
    const event = { capacity: 9, shardSize: 3, doorsAt, arrivals, ...spec };
    await gala.operate("event.configure", event);
    const early = await gala.come("ada");
    await gala.come("bo", 1);
    const made = (): boolean[] =>
      [0, 1, 2].map((shard) => gala.harness.journal(shardRoom(STAGE, shard)).length > 0);
    await gala.harness.run(1_500);
    expect(made(), "it is too early").toEqual([false, false, false]);
    await gala.harness.run(5_500);
    expect(early.count("joined")).toBe(0);
    expect(made(), "the doors open in a second").toEqual([true, true, true]);
    await gala.harness.run(2_000);
    expect(early.count("joined")).toBe(1);
  });
});
