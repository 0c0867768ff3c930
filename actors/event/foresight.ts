import type { EventSpec } from "../../src/protocol/event-spec.ts";

/** A shard that is asked for so early is served when somebody sits down there. */
const LEAD_MS = 5_000;

/**
 * How many people are about to come (DESIGN 9): by what operators expect, and by how many have come
 * lately, whichever is more. Shards are made for them before they are there. Pure.
 */
export class Foresight {
  /** People a ms, smoothed over about the lead. */
  #rate = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** So many were given seats. */
  came(people: number, now: number): void {
    this.#fade(now);
    this.#rate += people / LEAD_MS;
  }

  /** In the next few seconds, over all gateways. `at`: room time. */
  people(spec: EventSpec, at: number, now: number): number {
    this.#fade(now);
    const { arrivals, capacity, doorsAt } = spec;
    const sinceMs = doorsAt === null ? Number.NEGATIVE_INFINITY : at - doorsAt;
    const expected = comeBy(arrivals, sinceMs + LEAD_MS) - comeBy(arrivals, sinceMs);
    return Math.min(capacity, Math.max(expected, Math.round(this.#rate * LEAD_MS)));
  }

  #fade(now: number): void {
    this.#rate *= Math.exp(-Math.max(0, now - this.#at) / LEAD_MS);
    this.#at = Math.max(now, this.#at);
  }
}

/** Who has come by then, as a line from point to point. */
function comeBy(arrivals: EventSpec["arrivals"], afterMs: number): number {
  let before = { afterMs: 0, people: 0 };
  if (afterMs <= 0) return 0;
  for (const point of arrivals) {
    if (afterMs < point.afterMs) {
      const share = (afterMs - before.afterMs) / (point.afterMs - before.afterMs);
      return Math.round(before.people + share * (point.people - before.people));
    }
    before = point;
  }
  return before.people;
}
