import { BoundedQueue, type PushOutcome } from "../src/kernel/bounded-queue.ts";

/**
 * control: small and always served, so that a flooded room still watches and is watched.
 * durable: in order, one after the other; held back while a command runs alone.
 * volatile: poses and signals; the oldest are thrown away when there are too many. Held back, too,
 * while such a command is attempted.
 */
export type Lane = "control" | "durable" | "volatile";

export interface MailboxLimits {
  readonly controlMax: number;
  readonly durableMax: number;
  readonly durableBytesMax: number;
  readonly volatileMax: number;
}

export const MAILBOX_DEFAULTS: MailboxLimits = {
  controlMax: 1024,
  durableMax: 1024,
  durableBytesMax: 1024 * 1024,
  volatileMax: 512,
};

/** A room's inbox: three bounded lanes. */
export class Mailbox<T> {
  readonly #limits: MailboxLimits;
  readonly #control: BoundedQueue<T>;
  readonly #durable: BoundedQueue<T>;
  readonly #volatile: BoundedQueue<T>;

  constructor(limits: MailboxLimits, sizeOf: (item: T) => number) {
    this.#limits = limits;
    this.#control = new BoundedQueue({ itemsMax: limits.controlMax });
    const { durableMax, durableBytesMax } = limits;
    this.#durable = new BoundedQueue({ itemsMax: durableMax, bytesMax: durableBytesMax, sizeOf });
    this.#volatile = new BoundedQueue({ itemsMax: limits.volatileMax });
  }

  get length(): number {
    return this.#control.length + this.#durable.length + this.#volatile.length;
  }

  /** Of the fullest lane: 0 is empty, 1 is its limit. */
  get fullness(): number {
    const { controlMax, durableMax, volatileMax } = this.#limits;
    return Math.max(
      this.#control.length / controlMax,
      this.#durable.length / durableMax,
      this.#volatile.length / volatileMax,
    );
  }

  /** `full` is the sender's to answer; the volatile lane makes room instead. */
  push(lane: Lane, item: T): PushOutcome {
    if (lane === "control") return this.#control.push(item);
    if (lane === "durable") return this.#durable.push(item);
    if (this.#volatile.push(item) === "full") {
      this.#volatile.shift();
      this.#volatile.push(item);
    }
    return "queued";
  }

  /** The next message of the lanes that are served; control always is. */
  take(served: { readonly durable: boolean; readonly volatile: boolean }): T | undefined {
    return (
      this.#control.shift() ??
      (served.durable ? this.#durable.shift() : undefined) ??
      (served.volatile ? this.#volatile.shift() : undefined)
    );
  }

  /** What waits in order, taken out. */
  takeDurable(): T[] {
    const taken: T[] = [];
    for (let next = this.#durable.shift(); next; next = this.#durable.shift()) taken.push(next);
    return taken;
  }

  clear(): void {
    this.#control.clear();
    this.#durable.clear();
    this.#volatile.clear();
  }
}
