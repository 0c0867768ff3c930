import { refuse } from "./define-room.ts";
import { type HookOutcome, nothing } from "./hooks.ts";

/** What a hook comes to that asks for more slow work than there are places: it wrote nothing. */
export const LATER_FULL = refuse("later_full");

/**
 * Slow work that was asked for and has not come back. A place is taken when the hook that asks is
 * decided, and free again when the work succeeded or failed; work that never ends keeps its place
 * as long as this ownership lasts.
 */
export class LaterWork {
  readonly #max: number;
  #outstanding = 0;

  constructor(outstandingMax: number) {
    this.#max = outstandingMax;
  }

  get idle(): boolean {
    return this.#outstanding === 0;
  }

  /** The outcome as it is, or where its slow work finds no place, one that did nothing at all. */
  admit(outcome: HookOutcome, before: HookOutcome["document"]): HookOutcome {
    const asked = outcome.later.length;
    if (asked === 0 || this.#outstanding + asked <= this.#max) return outcome;
    return nothing(before, LATER_FULL);
  }

  taken(count: number): void {
    this.#outstanding += count;
  }

  ended(): void {
    this.#outstanding--;
  }
}
