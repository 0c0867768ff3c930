import type { Percentiles } from "../../../src/load/percentiles.ts";
import type { Talk } from "./dialect.ts";
import { ageOf, personOf, poseOf, type Steps, samePose } from "./motion.ts";
import { isMover, moversSeen, type Work } from "./work.ts";

/** What one witness saw of one other person. */
interface Sighting {
  readonly person: number;
  stamp: number;
  /** Poses that were new, in the window. */
  fresh: number;
}

export interface WitnessReport {
  /** Others who move. */
  readonly movers: number;
  /** New poses of all movers together, and of the mover who was seen least. */
  readonly fresh: number;
  readonly freshLeast: number;
  readonly rows: number;
  /** Rows that nobody sent so: wrong values, or of the wrong person. */
  readonly wrong: number;
}

/** Decodes everything that one client gets, and compares every row with what its sender sent. */
export class Witness {
  readonly #work: Work;
  readonly #self: number;
  readonly #seen = new Map<number | string, Sighting>();
  readonly #latency: Percentiles;
  #rows = 0;
  #wrong = 0;
  #measuring = false;

  constructor(work: Work, self: number, latency: Percentiles) {
    this.#work = work;
    this.#self = self;
    this.#latency = latency;
  }

  begin(): void {
    this.#measuring = true;
    this.#rows = 0;
    this.#wrong = 0;
    for (const sighting of this.#seen.values()) sighting.fresh = 0;
  }

  hear(talk: Talk, payload: Buffer, nowMs: number): void {
    talk.decode(payload, (key, steps) => this.#row(key, steps, nowMs));
  }

  #row(key: number | string, steps: Steps, nowMs: number): void {
    this.#rows++;
    const person = personOf(steps);
    const real = person < this.#work.roomSize && samePose(steps, poseOf(person, steps.y));
    let sighting = this.#seen.get(key);
    if (!real || (sighting && sighting.person !== person)) {
      this.#wrong++;
      return;
    }
    if (!sighting) {
      sighting = { person, stamp: -1, fresh: 0 };
      this.#seen.set(key, sighting);
    }
    if (sighting.stamp === steps.y) return;
    sighting.stamp = steps.y;
    sighting.fresh++;
    if (this.#measuring && person !== this.#self && isMover(this.#work, person))
      this.#latency.record(ageOf(steps.y, nowMs));
  }

  report(): WitnessReport {
    const { roomSize } = this.#work;
    const counts = new Map<number, number>();
    for (const { person, fresh } of this.#seen.values())
      if (person !== this.#self && person < roomSize && isMover(this.#work, person))
        counts.set(person, (counts.get(person) ?? 0) + fresh);
    const movers = moversSeen(this.#work, this.#self);
    const all = [...counts.values()];
    return {
      movers,
      fresh: all.reduce((sum, count) => sum + count, 0),
      freshLeast: all.length < movers ? 0 : Math.min(...all),
      rows: this.#rows,
      wrong: this.#wrong,
    };
  }
}
