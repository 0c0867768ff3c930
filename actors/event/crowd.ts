/** Doors that are kept apart; of those that are gone for longest only the sum is kept. */
const DOORS_MAX = 256;

/** What one door has counted since it opened: one number for each reaction, which only rise. */
type Counts = readonly number[];

/** What of it is journaled. */
export interface Heard {
  /** By gateway process and the number of its door. */
  doors: Record<string, number[]>;
  /** Of doors that are not kept apart any more. */
  rest: number[];
}

export const newHeard = (): Heard => ({ doors: {}, rest: [] });

/**
 * The reactions of everybody in an event. Gateways count, and tell what they have counted in all,
 * so a lost report costs nothing and a repeated one counts once: in a quiet moment the sums are
 * exact. Pure.
 */
export class Crowd {
  /** In the order in which they were last heard. */
  readonly #doors = new Map<string, Counts>();
  readonly #changed = new Set<string>();
  readonly #rest: number[];

  constructor(heard: Heard = newHeard()) {
    for (const [door, counts] of Object.entries(heard.doors)) this.#doors.set(door, counts);
    this.#rest = [...heard.rest];
  }

  report(door: string, counts: Counts): void {
    const before = this.#doors.get(door) ?? [];
    const now = counts.map((count, at) => Math.max(count, before[at] ?? 0));
    const rose = now.some((count, at) => count > (before[at] ?? 0));
    this.#doors.delete(door);
    this.#doors.set(door, now);
    if (rose) this.#changed.add(door);
  }

  /** Of each reaction. */
  totals(kinds: number): number[] {
    const totals = Array.from({ length: kinds }, (_, at) => this.#rest[at] ?? 0);
    for (const counts of this.#doors.values())
      for (let at = 0; at < kinds; at++) totals[at] = (totals[at] ?? 0) + (counts[at] ?? 0);
    return totals;
  }

  /** Writes down what has risen. Those that were silent longest are added up. */
  writeTo(heard: Heard): void {
    for (const door of this.#changed) {
      const counts = this.#doors.get(door);
      if (counts) heard.doors[door] = [...counts];
    }
    this.#changed.clear();
    for (const [door, counts] of this.#doors) {
      if (this.#doors.size <= DOORS_MAX) break;
      this.#doors.delete(door);
      delete heard.doors[door];
      for (const [at, count] of counts.entries()) this.#rest[at] = (this.#rest[at] ?? 0) + count;
      heard.rest = [...this.#rest];
    }
  }

  get unwritten(): boolean {
    return this.#changed.size > 0;
  }
}
