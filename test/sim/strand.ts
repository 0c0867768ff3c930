import type { Arrive } from "../../src/bus/memory-endpoint.ts";
import { assertDelay, type Clock, type Timer } from "../../src/kernel/clock.ts";
import type { Event, VirtualTime } from "./virtual-time.ts";

/**
 * One thread of a simulated process: its clock, and the way in for everything from outside. Frozen,
 * it does nothing, and makes up for it when it goes on; killed, nothing ever happens in it again.
 */
export class Strand {
  readonly clock: Clock;
  readonly arrive: Arrive = (happen) => this.#happen(happen);
  readonly #time: VirtualTime;
  #state: "running" | "frozen" | "dead" = "running";
  #held: (() => void)[] = [];
  /** Its monotonic clock at virtual time `#setAt`, and how fast it goes. */
  #base: number;
  #setAt: number;
  #rate = 1;
  #wallOffset = 0;
  #timers = 0;

  /** `startedAt`: what its monotonic clock shows now. No two processes agree on it. */
  constructor(time: VirtualTime, startedAt: number) {
    this.#time = time;
    this.#base = startedAt;
    this.#setAt = time.now;
    this.clock = {
      now: () => this.#base + (time.now - this.#setAt) * this.#rate,
      wallNow: () => WALL_START + time.now + this.#wallOffset,
      after: (delayMs, fire) => this.#after(delayMs, fire),
      every: (periodMs, fire, firstMs) => this.#every(periodMs, fire, firstMs ?? periodMs),
    };
  }

  get frozen(): boolean {
    return this.#state === "frozen";
  }

  get dead(): boolean {
    return this.#state === "dead";
  }

  /** Timers that are set: a part that was released leaves none behind. */
  get timers(): number {
    return this.#timers;
  }

  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  resume(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    // One event each: what it promises settles in between, and it may be frozen again meanwhile.
    for (const happen of held) this.#time.in(0, () => this.#happen(happen));
  }

  kill(): void {
    this.#state = "dead";
    this.#held = [];
  }

  /** From now on its clock goes so much faster than time does. */
  setRate(rate: number): void {
    this.#base = this.clock.now();
    this.#setAt = this.#time.now;
    this.#rate = rate;
  }

  /** Somebody sets the wall clock. */
  jumpWall(byMs: number): void {
    this.#wallOffset += byMs;
  }

  #happen(happen: () => void): void {
    if (this.#state === "running") happen();
    else if (this.#state === "frozen") this.#held.push(happen);
  }

  #after(delayMs: number, fire: () => void): Timer {
    assertDelay(delayMs);
    this.#timers++;
    // As Node's: at once, or in a millisecond at the earliest. Less may be less than a float tells.
    const waitMs = delayMs <= 0 ? 0 : Math.max(1, delayMs);
    let event: Event | undefined = this.#time.in(waitMs / this.#rate, () => {
      // Most timers find their process running.
      if (this.#state === "running") due();
      else this.#happen(due);
    });
    const due = (): void => {
      if (!event) return;
      event = undefined;
      this.#timers--;
      fire();
    };
    const cancel = (): void => {
      if (!event) return;
      event.fire = undefined;
      event = undefined;
      this.#timers--;
    };
    return { cancel };
  }

  #every(periodMs: number, fire: () => void, firstMs: number): Timer {
    let due = this.clock.now() + firstMs;
    const tick = (): void => {
      due = Math.max(due + periodMs, this.clock.now());
      timer = this.#after(due - this.clock.now(), tick);
      fire();
    };
    let timer = this.#after(firstMs, tick);
    return { cancel: () => timer.cancel() };
  }
}

const WALL_START = 1_800_000_000_000;
