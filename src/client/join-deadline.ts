import type { Clock, Timer } from "../kernel/clock.ts";

/** By when a join has to be through. Whoever is told to wait in line has that time once more. */
export class JoinDeadline {
  readonly #clock: Clock;
  readonly #joinMsMax: number;
  readonly #expired: (why: string) => void;
  #timer: Timer | undefined;
  #at: number;
  /** The last refusal, which asking again did not change. */
  #why = "no answer";

  /** `expired` is told what was heard last. */
  constructor(clock: Clock, joinMsMax: number, expired: (why: string) => void) {
    this.#clock = clock;
    this.#joinMsMax = joinMsMax;
    this.#expired = expired;
    this.#at = clock.now() + joinMsMax;
  }

  start(): void {
    this.#timer?.cancel();
    this.#at = this.#clock.now() + this.#joinMsMax;
    this.#timer = this.#clock.after(this.#joinMsMax, () => this.#expired(this.#why));
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  /** Not now, they say. True where nothing that begins so much later can be in time. */
  refused(why: string, ms: number): boolean {
    this.#why = why;
    return this.#clock.now() + ms > this.#at;
  }
}
