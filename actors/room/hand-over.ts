import type { StoredRecord } from "../../src/journal/journal.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { SINCE_BYTES_MAX, SINCE_MAX } from "../../src/protocol/control-messages.ts";
import { encodeRecord } from "../../src/protocol/journal-record.ts";
import type { Ledger } from "./ledger.ts";
import type { PlacedRecord } from "./recovery.ts";

/** The node that is to own the room next, and the state version it will write. */
export interface NextOwner {
  readonly target: ProcessId;
  readonly stateVersion: number;
}

/**
 * The planned end of an ownership (DESIGN 6): the room comes to rest, so that everything decided is
 * durable, and then one append names the next owner. Poses go on meanwhile. It can be given up only
 * before that append is sent; afterwards the journal decides.
 */
export class HandOver {
  readonly #ledger: Ledger;
  readonly #restMsMax: number;
  #next: NextOwner | undefined;
  #until = 0;
  #sent = false;
  #since: StoredRecord[] | undefined;
  #sinceBytes = 0;

  constructor(ledger: Ledger, restMsMax: number) {
    this.#ledger = ledger;
    this.#restMsMax = restMsMax;
  }

  /** Nothing that would be journaled begins any more. */
  get resting(): boolean {
    return this.#next !== undefined;
  }

  /**
   * The target begins to read the room. What becomes durable from now on is kept for it, so that it
   * need not ask the journal for the end of what it has read.
   */
  prepare(): void {
    if (this.#next) return;
    this.#since = [];
    this.#sinceBytes = 0;
  }

  /** A record is durable. Too many of them, and the target has to read after all. */
  settled({ sequence, record }: PlacedRecord): void {
    if (!this.#since) return;
    const data = encodeRecord(record);
    this.#sinceBytes += data.length;
    const kept = this.#since.length < SINCE_MAX && this.#sinceBytes <= SINCE_BYTES_MAX;
    if (kept) this.#since.push({ sequence, data });
    else this.#since = undefined;
  }

  /** What became durable since the target began to read; undefined where that is too much. */
  get since(): readonly StoredRecord[] | undefined {
    return this.#since;
  }

  /** Once under way it is not changed by another wish. */
  begin(next: NextOwner, now: number): void {
    if (this.#next || this.#ledger.decided.closed) return;
    this.#next = next;
    this.#until = now + this.#restMsMax;
  }

  /** A room that does not come to rest, because its stream is frozen for instance, goes on. */
  expire(now: number): void {
    if (this.#next && !this.#sent && now >= this.#until) this.#next = undefined;
  }

  /** The append, once nothing is on its way. `still`: no command and no slow work is under way. */
  flush(at: number, still: boolean): ReturnType<Ledger["flush"]> {
    if (!this.#next || this.#sent || !still || !this.#ledger.idle) return undefined;
    this.#sent = true;
    return this.#ledger.handOver(this.#next.target, this.#next.stateVersion, at);
  }
}
