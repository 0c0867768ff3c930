import { describe, expect, it } from "vitest";
import { newAudit } from "../../actors/event/audit.ts";
import { newHeard } from "../../actors/event/crowd.ts";
import { EventDesk } from "../../actors/event/event-desk.ts";
import { newEvent } from "../../actors/event/event-state.ts";
import { REGROUPING_LIMITS } from "../../actors/event/regrouping.ts";
import { processId } from "../../src/kernel/ids.ts";
import type { EventSpec } from "../../src/protocol/event-spec.ts";
import type { SeatsAnswer, SeatsQuestion } from "../../src/protocol/room-messages.ts";

const GATEWAY = processId("gw-1.0000000000000001");
const SPEC: EventSpec = {
  ...{ capacity: 40, shardSize: 10, admitPerS: 10, arrivals: [] },
  ...{ doorsAt: null, startsAt: null, endsAt: null },
};
const QUESTION: SeatsQuestion = {
  ...{ request: 0, answered: 0, want: 0, waiting: 0, wishes: [], shards: [], url: "ws://one" },
  ...{ door: 1, reactions: [], stretch: 1 },
};

/** An owner that has listened, of an event whose doors are open, and one gateway that asks it. */
class Owner {
  readonly #desk = new EventDesk(0);
  readonly #secret = { event: newHeard(), audit: newAudit() };
  readonly #event = newEvent({ reactions: [], speech: [] });
  #request = 0;
  now = 2_000;

  constructor(spec: Partial<EventSpec> = {}) {
    this.#event.phase = "doors_open";
    this.configure(spec);
  }

  configure(spec: Partial<EventSpec>): void {
    this.#event.spec = { ...SPEC, ...spec };
  }

  /** `seated`: by shard, at this gateway. */
  ask(question: Partial<SeatsQuestion>, seated: readonly number[] = []): SeatsAnswer {
    const shards = seated.map((people, shard) => {
      return { shard, seated: people, held: 0, members: people };
    });
    const asked = { ...QUESTION, shards, ...question };
    const numbers = { request: ++this.#request, answered: this.#request - 1 };
    const view = { at: this.now, now: this.now, secret: this.#secret };
    const state = { event: this.#event };
    return this.#desk.seats(GATEWAY, { ...asked, ...numbers }, { ...view, state });
  }
}

const beside = (name: string, before: number) => ({ beside: name, shard: null, before });
const at = (shard: number) => ({ beside: null, shard, before: 0 });

describe("an event's desk", () => {
  it("[ST6] [ST7] seats people in the order in which they came, whatever place they name", () => {
    const owner = new Owner();
    const wishes = [beside("us", 0), beside("you", 2), beside("late", 4), beside("us", 4)];
    const answer = owner.ask({ want: 200, waiting: 204, wishes });
    const wished = answer.wished.map(({ shard }) => shard);
    expect(wished, "five are let in: us, two others, you and one more").toEqual([0, 0, null, null]);
    expect(answer.grants).toEqual([{ shard: 0, seats: 3 }]);
  });

  it("[ST7] gives a seat in a shard by its name where it is open and has one, and opens none", () => {
    const owner = new Owner();
    expect(owner.ask({ wishes: [at(0)], waiting: 1 }).wished).toMatchObject([{ full: true }]);
    owner.now += 1_000;
    const wishes = [at(0), at(1), at(2), { ...at(0), before: 500 }];
    const { shards, wished } = owner.ask({ wishes, waiting: 504 }, [3, 10]);
    expect(wished.map(({ full, shard }) => [shard, full])).toEqual([
      [0, false],
      [null, true],
      [null, true],
      [null, false],
    ]);
    expect(shards).toBe(2);
  });

  it("[ST10] follows what an operator expects by now", () => {
    const owner = new Owner();
    const idle = owner.ask({});
    owner.configure({ doorsAt: owner.now, arrivals: [{ afterMs: 5_000, people: 25 }] });
    const busy = owner.ask({});
    expect([idle.ahead, busy.ahead]).toEqual([[], [0, 1, 2]]);
  });

  it("[ST8] nobody is asked over while friends come, nor are people sent where others leave", () => {
    const owner = new Owner();
    const { calmMs } = REGROUPING_LIMITS;
    const asked = (wishes: SeatsQuestion["wishes"]): number => {
      let moves = 0;
      for (const end = owner.now + calmMs + 5_000; owner.now < end; owner.now += 1_000) {
        const friend = owner.now % 10_000 === 0 ? wishes : [];
        const answer = owner.ask({ wishes: friend, waiting: friend.length }, [2, 5]);
        moves += answer.moves.length;
      }
      return moves;
    };
    expect(asked([beside("us", 0)])).toBe(0);
    owner.now += 1_000;
    expect(asked([]), "nobody came").toBeGreaterThan(0);
    const { wished } = owner.ask({ wishes: [at(0), at(1)], waiting: 2 }, [2, 5]);
    expect(
      wished.map(({ shard }) => shard),
      "the first is emptied",
    ).toEqual([null, 1]);
  });
});
