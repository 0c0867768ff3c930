import type { Clock, Timer } from "../../src/kernel/clock.ts";
import { nextInPhase } from "../../src/kernel/phase.ts";

/** What a node says about the ticks of its rooms. */
export interface Pace {
  /** How much longer than asked for periods are, while the node is behind. */
  stretch(): number;
  /** Of one who begins to tick. */
  phase(): number;
}

/** The ticks of one room, until it is cancelled. */
export class Ticker implements Timer {
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #phase: number;
  readonly #periodMs: number;
  readonly #periodMsMax: number;
  readonly #tick: (tickHz: number) => void;
  #timer: Timer;

  /** `tick` is told how many ticks a second there are now. A stretch ends at `periodMsMax`. */
  constructor(
    clock: Clock,
    pace: Pace,
    periods: { readonly periodMs: number; readonly periodMsMax: number },
    tick: (tickHz: number) => void,
  ) {
    this.#clock = clock;
    this.#pace = pace;
    this.#phase = pace.phase();
    this.#periodMs = periods.periodMs;
    this.#periodMsMax = Math.max(periods.periodMs, periods.periodMsMax);
    this.#tick = tick;
    // The first of its phase, which may be at once.
    this.#timer = this.#after(this.#periodMs, clock.now() - this.#periodMs / 2);
  }

  cancel(): void {
    this.#timer.cancel();
  }

  #after(periodMs: number, last = this.#clock.now()): Timer {
    const dueMs = nextInPhase(last, periodMs, this.#phase) - this.#clock.now();
    return this.#clock.after(dueMs, () => {
      const nextMs = Math.min(this.#periodMs * this.#pace.stretch(), this.#periodMsMax);
      // Before the tick: should it crash the room, it cancels what is set by then.
      this.#timer = this.#after(nextMs);
      this.#tick(1000 / nextMs);
    });
  }
}
