/** Neighbours in this sequence lie far apart, and however many there are, they fill a period. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** A phase for each of many that have the same period, as a share of it. */
export class Phases {
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  take(): number {
    const phase = this.#next;
    this.#next = (phase + GOLDEN) % 1;
    return phase;
  }
}

/**
 * The moment about one period after `now` that is a multiple of the period, shifted by the phase.
 * It depends on nothing before: all whom a pause has held up together, or whose period changes at
 * once, stay as far apart as they were, and what was missed is left out.
 */
export function nextInPhase(now: number, periodMs: number, phase: number): number {
  return (Math.round(now / periodMs + 1 - phase) + phase) * periodMs;
}
