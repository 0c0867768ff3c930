import { assert } from "./assert.ts";
import { assertDelay, type Clock, type Timer } from "./clock.ts";

interface Scheduled {
  due: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Virtual time: nothing happens until `advance`. Timers due at once fire in the order set. */
export class ManualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #scheduled = new Set<Scheduled>();
  readonly #wallStart: number;

  constructor(wallStart = 1_700_000_000_000) {
    this.#wallStart = wallStart;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallStart + this.#now;
  }

  after(delayMs: number, fire: () => void): Timer {
    assertDelay(delayMs);
    const timer: Scheduled = { due: this.#now + Math.max(0, delayMs), order: this.#order++, fire };
    this.#scheduled.add(timer);
    return { cancel: () => this.#scheduled.delete(timer) };
  }

  every(periodMs: number, fire: () => void, firstMs = periodMs): Timer {
    // Virtual time would never get past a period of nothing.
    assert(periodMs > 0, `a period is positive, not ${periodMs}`);
    let timer = this.after(firstMs, tick.bind(this));
    function tick(this: ManualClock): void {
      timer = this.after(periodMs, tick.bind(this));
      fire();
    }
    return { cancel: () => timer.cancel() };
  }

  /** How many timers are set: a released part must leave none behind. */
  get pending(): number {
    return this.#scheduled.size;
  }

  /** The loop stands: time goes on, and what falls due meanwhile fires late, with `advance`. */
  stall(forMs: number): void {
    this.#now += forMs;
  }

  /** Moves time on, firing what falls due, each at its own moment. */
  advance(byMs: number): void {
    const end = this.#now + byMs;
    for (let next = this.#first(end); next; next = this.#first(end)) {
      this.#scheduled.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.fire();
    }
    this.#now = end;
  }

  /** Like `advance`, but lets promises settle between timers. */
  async run(byMs: number, stepMs = 1): Promise<void> {
    const end = this.#now + byMs;
    while (this.#now < end) {
      this.advance(Math.min(stepMs, end - this.#now));
      for (let i = 0; i < 4; i++) await Promise.resolve();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #first(end: number): Scheduled | undefined {
    let first: Scheduled | undefined;
    for (const timer of this.#scheduled) {
      if (timer.due > end) continue;
      if (!first || timer.due < first.due || (timer.due === first.due && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}
