import type { Clock, Timer } from "../src/kernel/clock.ts";

const LOOK_MS = 250;
/** A loop that came round so much later than it should was stopped, not busy. */
const PAUSE_MS_MIN = 750;
/** What had piled up meanwhile is read within this time. */
const BACKLOG_MS = 250;

/** Notices that this process did not run for a while: what it reads was said long ago. */
export class PauseWatch {
  #lookedAt: number;
  #resumedAt = Number.NEGATIVE_INFINITY;
  readonly #clock: Clock;
  readonly #timer: Timer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.now();
    this.#timer = clock.every(LOOK_MS, () => this.#look());
  }

  /** Whether what arrives now may be from before a pause. Either may come first: it, or a look. */
  get readsBacklog(): boolean {
    this.#look();
    return this.#clock.now() - this.#resumedAt < BACKLOG_MS;
  }

  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const now = this.#clock.now();
    if (now - this.#lookedAt > LOOK_MS + PAUSE_MS_MIN) this.#resumedAt = now;
    this.#lookedAt = now;
  }
}
