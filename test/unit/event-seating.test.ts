import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ramp } from "../../actors/event/ramp.ts";
import { SEATING_LIMITS, Seating, type ShardHeld } from "../../actors/event/seating.ts";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { GRANTS_MAX } from "../../src/protocol/room-messages.ts";

const gatewayAt = (n: number): ProcessId => processId(`gw-${n}.${String(n).padStart(16, "0")}`);
const [ONE, TWO] = [gatewayAt(1), gatewayAt(2)];

const seatingOf = (shardSize: number, shardsMax: number): Seating =>
  new Seating({ ...SEATING_LIMITS, shardSize, shardsMax });

/** A gateway as it should be: it reports what it has, and asks. */
class Asker {
  readonly #seats = new Map<number, { seated: number; held: number }>();
  #request = 0;
  readonly id: ProcessId;
  readonly #seating: Seating;

  constructor(seating: Seating, id: ProcessId) {
    this.#seating = seating;
    this.id = id;
  }

  report(now: number): void {
    const shards: ShardHeld[] = [...this.#seats].map(([shard, at]) => {
      return { shard, ...at, members: at.seated };
    });
    this.#seating.report(this.id, this.#request, shards, now);
  }

  /** Asks, and seats whom it got a seat for. */
  seat(people: number, now: number): number {
    this.report(now);
    const grants = this.#seating.grant(this.id, ++this.#request, people, now);
    for (const { shard, seats } of grants) this.#at(shard).seated += seats;
    return grants.reduce((sum, { seats }) => sum + seats, 0);
  }

  /** Asks, and keeps the seats for whoever comes. */
  hold(people: number, now: number): void {
    this.report(now);
    for (const { shard, seats } of this.#seating.grant(this.id, ++this.#request, people, now))
      this.#at(shard).held += seats;
  }

  leave(shard: number, people: number): void {
    const at = this.#at(shard);
    at.seated -= Math.min(at.seated, people);
  }

  get shards(): number[] {
    return [...this.#seats].filter(([, { seated }]) => seated > 0).map(([shard]) => shard);
  }

  all(shard: number): number {
    const { held, seated } = this.#at(shard);
    return held + seated;
  }

  #at(shard: number) {
    const at = this.#seats.get(shard) ?? { seated: 0, held: 0 };
    this.#seats.set(shard, at);
    return at;
  }
}

describe("seating", () => {
  it("[ST2] whatever gateways ask, hold, seat and let go, no shard is given away twice", () => {
    const step = fc.record({
      who: fc.nat(3),
      what: fc.constantFrom("seat", "hold", "leave", "report"),
      people: fc.integer({ min: 1, max: 30 }),
      shard: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const seating = seatingOf(20, 6);
        const askers = [1, 2, 3, 4].map((n) => new Asker(seating, gatewayAt(n)));
        let now = 0;
        for (const { people, shard, what, who } of steps) {
          now += 100;
          const asker = askers[who] as Asker;
          if (what === "seat") asker.seat(people, now);
          else if (what === "hold") asker.hold(people, now);
          else if (what === "leave") asker.leave(shard, people);
          for (const one of askers) one.report(now);
          for (let at = 0; at < 6; at++) {
            const taken = askers.reduce((sum, one) => sum + one.all(at), 0);
            expect(taken).toBeLessThanOrEqual(20);
          }
        }
      }),
    );
  });

  it("[ST2] an event fills to its last seat and no further", () => {
    const seating = seatingOf(50, 4);
    const askers = [new Asker(seating, ONE), new Asker(seating, TWO)];
    let seated = 0;
    for (let now = 0; now < 2_000; now += 100)
      for (const asker of askers) seated += asker.seat(17, now);
    expect(seated).toBe(200);
    expect(seating.seated()).toEqual([50, 50, 50, 50]);
  });

  it("[ST2] who is away keeps the seat that no gateway counts", () => {
    const seating = seatingOf(10, 1);
    const held = { shard: 0, seated: 2, held: 0, members: 9 };
    seating.report(ONE, 0, [held], 0);
    seating.report(TWO, 0, [{ ...held, seated: 3 }], 0);
    expect(seating.grant(ONE, 1, 5, 10)).toEqual([{ shard: 0, seats: 1 }]);
  });

  it("[ST1] gives no more at once than an answer holds, and the rest to who asks again", () => {
    const seating = seatingOf(1, 200);
    const one = new Asker(seating, ONE);
    expect(seating.grant(ONE, 1, 200, 0)).toHaveLength(GRANTS_MAX);
    let seated = 0;
    for (let now = 20_000; now < 21_000; now += 100) {
      seating.expire(now);
      seated += one.seat(200, now);
    }
    expect(seated).toBe(200);
  });

  it("[ST3] few people sit together, many by their gateway", () => {
    const seating = seatingOf(50, 100);
    const [one, two] = [new Asker(seating, ONE), new Asker(seating, TWO)];
    one.report(0);
    two.report(0);
    one.seat(10, 10);
    two.seat(10, 20);
    one.report(30);
    two.report(30);
    expect(seating.seated()).toEqual([20]);
    for (let now = 100; now < 1_100; now += 100) {
      one.seat(20, now);
      two.seat(20, now);
    }
    const shared = one.shards.filter((shard) => two.shards.includes(shard));
    expect(shared.length).toBeLessThanOrEqual(2);
    const open = seating.seated().filter((people) => people < 50);
    expect(open.length).toBeLessThanOrEqual(2);
  });

  it("[ST4] an unconfirmed grant is taken back, and a silent gateway's people keep their seats", () => {
    const seating = seatingOf(10, 1);
    const one = new Asker(seating, ONE);
    expect(one.seat(6, 0)).toBe(6);
    one.report(10);
    // Two asks for more than is left and is never heard of again.
    expect(seating.grant(TWO, 1, 10, 20)).toEqual([{ shard: 0, seats: 4 }]);
    expect(one.seat(1, 5_000)).toBe(0);
    seating.expire(20 + SEATING_LIMITS.grantMsMax);
    expect(one.seat(2, 20 + SEATING_LIMITS.grantMsMax)).toBe(2);
    const later = 20 + SEATING_LIMITS.grantMsMax + SEATING_LIMITS.silentMs;
    seating.expire(later);
    expect(seating.grant(TWO, 2, 10, later)).toEqual([{ shard: 0, seats: 2 }]);
    seating.expire(later + SEATING_LIMITS.holdMs);
    expect(seating.seated()).toEqual([0]);
  });

  it("[ST7] friends get a seat in their shard while it has one", () => {
    const seating = seatingOf(3, 5);
    const one = new Asker(seating, ONE);
    one.seat(2, 0);
    one.report(0);
    expect(seating.grantAt(TWO, 1, 0, 10)).toEqual({ shard: 0, seats: 1 });
    expect(seating.grantAt(TWO, 2, 0, 20)).toBeUndefined();
    expect(seating.grantAt(TWO, 3, 4, 30)).toBeUndefined();
  });

  it("[ST6] the ramp lets so many in a second, each gateway by how many wait there", () => {
    const ramp = new Ramp(100, 0);
    let admitted = 0;
    for (let now = 0; now <= 10_000; now += 50) {
      const people = ramp.admit(1_000, 1, now);
      ramp.spend(people);
      admitted += people;
    }
    expect(admitted).toBe(1_050);
    const shared = new Ramp(100, 0);
    expect(shared.admit(1_000, 0.1, 0)).toBe(5);
    expect(shared.admit(3, 1, 0)).toBe(3);
  });
});
