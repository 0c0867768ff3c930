import { BoundedQueue } from "../kernel/bounded-queue.ts";
import type { Clock, Timer } from "../kernel/clock.ts";

/** Messages on the way from one endpoint to another; more are lost, as at a slow consumer. */
const IN_FLIGHT_MAX = 65_536;

/**
 * The way from one endpoint to another: nothing on it overtakes anything else. What is due at once
 * arrives in a microtask, so that virtual time need not move; else by a timer.
 */
export class Pipe<T extends { due: number }> {
  #due = 0;
  #timer: Timer | undefined;
  #draining = false;
  readonly #clock: Clock;
  readonly #deliver: (item: T) => void;
  readonly #queue = new BoundedQueue<T>({ itemsMax: IN_FLIGHT_MAX });
  readonly #run = (): void => {
    this.#timer = undefined;
    this.#drain();
  };

  constructor(clock: Clock, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** `item.due` is when it would arrive alone. */
  push(item: T): "queued" | "full" {
    this.#due = Math.max(this.#due, item.due);
    item.due = this.#due;
    const pushed = this.#queue.push(item);
    this.#arm();
    return pushed;
  }

  #arm(): void {
    if (this.#timer || this.#draining) return;
    const head = this.#queue.peek();
    if (!head) return;
    const waitMs = head.due - this.#clock.now();
    if (waitMs > 0) this.#timer = this.#clock.after(waitMs, this.#run);
    else {
      this.#draining = true;
      queueMicrotask(this.#run);
    }
  }

  /** What is pushed meanwhile waits for the next turn, so that no pair can talk for ever in one. */
  #drain(): void {
    this.#draining = true;
    const now = this.#clock.now();
    for (let left = this.#queue.length; left > 0; left--) {
      const head = this.#queue.peek();
      if (!head || head.due > now) break;
      this.#queue.shift();
      try {
        this.#deliver(head);
      } catch (bug) {
        queueMicrotask(() => {
          throw bug;
        });
      }
    }
    this.#draining = false;
    this.#arm();
  }
}
