import { assert } from "../../kernel/assert.ts";

const NONE = -1;

/** Whose turn it is, for everybody of a process: one timer, and nothing made for a turn. */
export class Wheel {
  readonly #next: Int32Array;
  readonly #heads: Int32Array;
  #step = 0;

  /** `slots`: no turn is further away than this, in steps. */
  constructor(clients: number, slots: number) {
    this.#next = new Int32Array(clients).fill(NONE);
    this.#heads = new Int32Array(slots).fill(NONE);
  }

  /** `n` waits for no turn now. */
  put(n: number, inSteps: number): void {
    assert(inSteps > 0 && inSteps < this.#heads.length, `a turn in ${inSteps} steps is too far`);
    const slot = (this.#step + inSteps) % this.#heads.length;
    this.#next[n] = this.#heads[slot] as number;
    this.#heads[slot] = n;
  }

  /** The next step: `act` answers in how many steps it is this one's turn again; 0 is never. */
  step(act: (n: number) => number): void {
    this.#step++;
    const slot = this.#step % this.#heads.length;
    let n = this.#heads[slot] as number;
    this.#heads[slot] = NONE;
    while (n !== NONE) {
      const after = this.#next[n] as number;
      const again = act(n);
      if (again > 0) this.put(n, again);
      n = after;
    }
  }
}

/** How many steps are due. What is too late to be made up for is left out. */
export class Pace {
  readonly #stepMs: number;
  readonly #stepsMax: number;
  #doneUntilMs: number;
  /** How late the latest was since this was last set to 0. */
  lagMs = 0;

  constructor(stepMs: number, stepsMax: number, nowMs: number) {
    this.#stepMs = stepMs;
    this.#stepsMax = stepsMax;
    this.#doneUntilMs = nowMs;
  }

  due(nowMs: number): number {
    const steps = Math.floor((nowMs - this.#doneUntilMs) / this.#stepMs);
    if (steps <= 0) return 0;
    this.lagMs = Math.max(this.lagMs, nowMs - this.#doneUntilMs - this.#stepMs);
    this.#doneUntilMs += steps * this.#stepMs;
    return Math.min(steps, this.#stepsMax);
  }
}
