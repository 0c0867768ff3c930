import { encode } from "../../src/protocol/msgpack.ts";
import { refuse } from "./define-room.ts";
import type { Document } from "./fold.ts";
import { type HookOutcome, nothing } from "./hooks.ts";

/** What a hook comes to whose writes the room has no place for: it wrote nothing. */
export const STATE_FULL = refuse("state_full");

export interface StateLimits {
  readonly stateBytesMax: number;
  readonly recordBytesMax: number;
}

/** How large state and secret are: measured exactly only when what was added could fill it. */
export class StateSize {
  readonly #limits: StateLimits;
  /** Bytes of the document when last measured, and of the patches since. */
  #measured: number;
  #grown = 0;

  constructor(limits: StateLimits, document: Document) {
    this.#limits = limits;
    this.#measured = encode(document).length;
  }

  /** The outcome as it is, or where the state or a record can not hold it, one that did nothing. */
  admit(outcome: HookOutcome, before: Document): HookOutcome {
    return this.#fits(outcome) ? outcome : nothing(before, STATE_FULL);
  }

  #fits({ patches, events, document, readable }: HookOutcome): boolean {
    // What no decoder reads back is refused for that.
    if (!readable || (patches.length === 0 && events.length === 0)) return true;
    const { stateBytesMax, recordBytesMax } = this.#limits;
    const added = encode(patches).length;
    if (added + encode(events).length > recordBytesMax) return false;
    this.#grown += added;
    if (this.#measured + this.#grown <= stateBytesMax) return true;
    this.#measured = encode(document).length;
    this.#grown = 0;
    return this.#measured <= stateBytesMax;
  }
}
