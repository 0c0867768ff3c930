import { BoundedQueue } from "../src/kernel/bounded-queue.ts";
import type { ProcessId } from "../src/kernel/ids.ts";
import type { FromRoom } from "../src/protocol/room-messages.ts";

export interface AheadMessage {
  readonly from: ProcessId;
  readonly message: FromRoom;
}

interface Held extends AheadMessage {
  readonly at: number;
}

/**
 * What a room said under an epoch that the tail has not borne out yet. Nothing of it counts before;
 * but an owner that was just named speaks at once, and would have to say all of it again. The
 * newest is kept, each for a while. Senders are nodes of this cluster, whose messages are bounded.
 */
export class Ahead {
  readonly #queue: BoundedQueue<Held>;
  readonly #heldMsMax: number;

  constructor(config: { readonly aheadMax: number; readonly aheadMsMax: number }) {
    this.#queue = new BoundedQueue({ itemsMax: config.aheadMax });
    this.#heldMsMax = config.aheadMsMax;
  }

  /** Answers how many were dropped. An image's parts come to those only who asked for them. */
  hold({ from, message }: AheadMessage, now: number): number {
    if (message.type === "snapshot") return 1;
    const held = { from, message, at: now };
    if (this.#queue.push(held) === "queued") return 0;
    this.#queue.shift();
    this.#queue.push(held);
    return 1;
  }

  /** Everything, in order; nothing is left afterwards. */
  take(): AheadMessage[] {
    const taken: AheadMessage[] = [];
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) taken.push(next);
    return taken;
  }

  /** A claim that the tail does not bear out in time is forgotten. Answers how much it said. */
  expire(now: number): number {
    let expired = 0;
    for (let next = this.#queue.peek(); next; next = this.#queue.peek()) {
      if (now - next.at < this.#heldMsMax) break;
      this.#queue.shift();
      expired++;
    }
    return expired;
  }
}
