import type { AppendOutcome, StoredRecord } from "../../src/journal/journal.ts";
import { assert } from "../../src/kernel/assert.ts";
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from "../../src/protocol/journal-record.ts";

/** What the driver of a register has to do next. */
export type RegisterEffect =
  /** Send these very bytes, expecting this tail, and tell the outcome. */
  | { readonly type: "append"; readonly expected: number; readonly data: Uint8Array }
  /** Send them once more, after a delay: nobody knows yet whether they landed. */
  | { readonly type: "repeat"; readonly expected: number; readonly data: Uint8Array }
  /** Read the first record after this sequence from the leader and tell it. */
  | { readonly type: "readAfter"; readonly sequence: number }
  | { readonly type: "settled"; readonly record: JournalRecord; readonly sequence: number }
  /** Somebody else wrote where this write would have stood. Terminal. */
  | { readonly type: "fenced" };

interface InFlight {
  readonly record: JournalRecord;
  readonly data: Uint8Array;
}

/**
 * One writer of one room's journal (DESIGN 6). One append is in flight at a time. The expected
 * sequence comes from the tail the claim was made on and from then on from its own accepted
 * appends, never from a read. A write of unknown fate is settled only by repeating it, byte for
 * byte, until it is accepted or refused; on refusal the nonce of the record that stands after the
 * expected one tells whose it is.
 */
export class Register {
  #tail: number;
  #inFlight: InFlight | undefined;
  #fenced = false;

  constructor(tail: number) {
    this.#tail = tail;
  }

  /** Sequence of the last record this writer knows to be there. */
  get tail(): number {
    return this.#tail;
  }

  get busy(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Of the write in flight, or empty. */
  get nonce(): string {
    return this.#inFlight?.record.nonce ?? "";
  }

  get fenced(): boolean {
    return this.#fenced;
  }

  submit(record: JournalRecord): RegisterEffect {
    assert(!this.#inFlight, "one append is in flight at a time");
    assert(!this.#fenced, "a fenced writer writes no more");
    assert(record.previous === this.#tail, "a record names its predecessor");
    const data = encodeRecord(record);
    this.#inFlight = { record, data };
    return { type: "append", expected: this.#tail, data };
  }

  /** The answer to an append or a repeat. Late answers of settled writes do nothing. */
  outcome(nonce: string, outcome: AppendOutcome): RegisterEffect | undefined {
    const flying = this.#inFlight;
    if (flying?.record.nonce !== nonce || this.#fenced) return undefined;
    switch (outcome.kind) {
      case "accepted":
        return this.#settle(flying, outcome.sequence);
      case "refused":
        return { type: "readAfter", sequence: this.#tail };
      case "undecided":
        return { type: "repeat", expected: this.#tail, data: flying.data };
    }
  }

  /**
   * What stands after the expected record. Nothing there after a refusal is a leader that lags
   * behind: the write is repeated.
   */
  after(nonce: string, stored: StoredRecord | undefined): RegisterEffect | undefined {
    const flying = this.#inFlight;
    if (flying?.record.nonce !== nonce || this.#fenced) return undefined;
    if (!stored) return { type: "repeat", expected: this.#tail, data: flying.data };
    const there = decodeRecord(stored.data);
    if (there?.nonce === nonce) return this.#settle(flying, stored.sequence);
    this.#fenced = true;
    return { type: "fenced" };
  }

  #settle(flying: InFlight, sequence: number): RegisterEffect {
    assert(sequence > this.#tail, "sequences rise");
    this.#inFlight = undefined;
    this.#tail = sequence;
    return { type: "settled", record: flying.record, sequence };
  }
}
