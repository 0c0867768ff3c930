import v8 from "node:v8";
import { assert } from "../../src/kernel/assert.ts";
import { BinaryHeap } from "./binary-heap.ts";

export interface Event {
  readonly due: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/** Twenty times what a minute has: beyond it something goes round in a circle. */
const EVENTS_MAX = 1_000_000;

/**
 * The simulation's only time, in ms from its beginning. Nothing happens by itself: `run` takes one
 * event after the other, and lets every promise settle before the next.
 */
export class VirtualTime {
  #now = 0;
  #order = 0;
  #fired = 0;
  readonly #events = new BinaryHeap<Event>(
    (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order),
  );

  get now(): number {
    return this.#now;
  }

  /** How many events there have been. */
  get fired(): number {
    return this.#fired;
  }

  /** Runs `fire` at that moment, or now where it is over; `fire = undefined` takes it back. */
  at(due: number, fire: () => void): Event {
    const event: Event = { due: Math.max(due, this.#now), order: this.#order++, fire };
    this.#events.push(event);
    return event;
  }

  in(delayMs: number, fire: () => void): Event {
    return this.at(this.#now + delayMs, fire);
  }

  /**
   * Up to and including `until`. Must be called from a macrotask: inside of a promise's reaction
   * others can not be made to run.
   */
  run(until: number): void {
    settlePromises();
    for (let next = this.#events.peek(); next && next.due <= until; next = this.#events.peek()) {
      this.#events.pop();
      const { fire } = next;
      if (!fire) continue;
      this.#now = next.due;
      this.#fired++;
      assert(
        this.#fired < EVENTS_MAX,
        () => `${EVENTS_MAX} events, and it is only ${this.#now} ms`,
      );
      fire();
      settlePromises();
    }
    this.#now = until;
  }
}

/**
 * What the host does when the stack is empty. A turn of Node's own loop (setImmediate) takes four
 * times as long, and a seed has some 40,000 events.
 */
const settlePromises: () => void = (() => {
  v8.setFlagsFromString("--allow-natives-syntax");
  const settle = new Function("%PerformMicrotaskCheckpoint()") as () => void;
  v8.setFlagsFromString("--no-allow-natives-syntax");
  return settle;
})();
