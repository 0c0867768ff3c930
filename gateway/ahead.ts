import { BoundedQueue } from "../src/kernel/bounded-queue.ts";
import type { ProcessId } from "../src/kernel/ids.ts";
import type { FromRoom } from "../src/protocol/room-messages.ts";

export interface AheadMessage {
  readonly from: ProcessId;
  readonly message: FromRoom;
}

/**
 * What a room said under an epoch that the tail has not borne out yet. Nothing of it counts before;
 * but an owner that was just named speaks at once, and would have to say all of it again.
 */
export class Ahead {
  readonly #queue: BoundedQueue<AheadMessage>;
  readonly #heldMsMax: number;
  #heldAt = 0;

  constructor(config: { readonly aheadMax: number; readonly aheadMsMax: number }) {
    this.#queue = new BoundedQueue({ itemsMax: config.aheadMax });
    this.#heldMsMax = config.aheadMsMax;
  }

  /** False where it is not kept: too much is, or it is large and only comes to who asked for it. */
  hold(ahead: AheadMessage, now: number): boolean {
    this.#heldAt = now;
    return ahead.message.type !== "snapshot" && this.#queue.push(ahead) === "queued";
  }

  /** Everything, in order; nothing is left afterwards. */
  *take(): Iterable<AheadMessage> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) yield next;
  }

  /** A claim that the tail does not bear out for so long is forgotten. Answers how much it said. */
  expire(now: number): number {
    if (now - this.#heldAt < this.#heldMsMax) return 0;
    const { length } = this.#queue;
    this.#queue.clear();
    return length;
  }
}
