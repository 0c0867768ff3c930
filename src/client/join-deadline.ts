import type { Clock, Timer } from "../kernel/clock.ts";

/** By when a join has to be through. Whoever is told to wait in line has that time once more. */
export class JoinDeadline {
  readonly #clock: Clock;
  readonly #joinMsMax: number;
  readonly #expired: () => void;
  #timer: Timer | undefined;
  #at: number;

  constructor(clock: Clock, joinMsMax: number, expired: () => void) {
    this.#clock = clock;
    this.#joinMsMax = joinMsMax;
    this.#expired = expired;
    this.#at = clock.now() + joinMsMax;
  }

  start(): void {
    this.#timer?.cancel();
    this.#at = this.#clock.now() + this.#joinMsMax;
    this.#timer = this.#clock.after(this.#joinMsMax, this.#expired);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  /** True where nothing that begins so much later can be in time. */
  passedIn(ms: number): boolean {
    return this.#clock.now() + ms > this.#at;
  }
}
