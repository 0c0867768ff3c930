import type { AppendOutcome, StoredRecord } from "../../src/journal/journal.ts";
import type { SnapshotName } from "../../src/journal/snapshot-store.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import {
  type JournalEntry,
  type JournalRecord,
  journalEntry,
} from "../../src/protocol/journal-record.ts";
import type { Document, RoomFold } from "./fold.ts";
import type { Register, RegisterEffect } from "./register.ts";

/** A decision on its way into the journal. */
export interface Pending {
  readonly entry: JournalEntry;
  /** The document after it; undefined where the entry changes none. */
  readonly written: Document | undefined;
  readonly bytes: number;
  /**
   * Runs when the entry is durable: the only moment at which anything of it may leave the actor.
   */
  readonly settled: ((index: number) => void) | undefined;
}

/** A record that has become durable. */
export interface Settled {
  readonly record: JournalRecord;
  readonly sequence: number;
  readonly entries: readonly Pending[];
  readonly bytes: number;
}

export interface LedgerLimits {
  /** Decisions waiting for the journal: beyond it commands are answered BUSY. */
  readonly pendingEntriesMax: number;
  readonly pendingBytesMax: number;
  /** A record is cut here, well below NATS's max_payload. */
  readonly recordBytesMax: number;
}

/**
 * What a room has decided, and what of it is durable. Commands are decided on `decided`; `acked` is
 * the fold of the journal. Everything decided while an append is in flight goes into the next one:
 * that is the group commit.
 */
export class Ledger {
  readonly acked: RoomFold;
  readonly decided: RoomFold;
  readonly epoch: Epoch;
  readonly #self: ProcessId;
  readonly #register: Register;
  readonly #limits: LedgerLimits;
  readonly #nonce: () => string;
  #queue: Pending[] = [];
  #queueBytes = 0;
  #flying: Pending[] = [];
  #flyingBytes = 0;
  /** Entries that were decided under this ownership, and those of them that are durable. */
  #decisions = 0;
  #durable = 0;
  #naming: { readonly name: SnapshotName; readonly sequence: number } | undefined;

  constructor(options: {
    readonly self: ProcessId;
    readonly epoch: Epoch;
    readonly fold: RoomFold;
    readonly register: Register;
    readonly limits: LedgerLimits;
    readonly nonce: () => string;
  }) {
    this.#self = options.self;
    this.epoch = options.epoch;
    this.acked = options.fold;
    this.decided = options.fold.copy();
    this.#register = options.register;
    this.#limits = options.limits;
    this.#nonce = options.nonce;
  }

  /** Nothing is in flight or waiting: acked and decided are the same. */
  get idle(): boolean {
    return !this.#register.busy && this.#queue.length === 0 && !this.#naming;
  }

  /** Entries decided so far: what they are is durable once `durable` has come as far. */
  get decisions(): number {
    return this.#decisions;
  }

  get durable(): number {
    return this.#durable;
  }

  get full(): boolean {
    const { pendingEntriesMax, pendingBytesMax } = this.#limits;
    const entries = this.#queue.length + this.#flying.length;
    return entries >= pendingEntriesMax || this.#queueBytes + this.#flyingBytes >= pendingBytesMax;
  }

  get tail(): number {
    return this.#register.tail;
  }

  /** How many bytes an entry takes in a record. */
  static size = (entry: JournalEntry): number => journalEntry.encode(entry).length;

  push(
    entry: JournalEntry,
    options: { readonly written?: Document; readonly settled?: (index: number) => void } = {},
  ): void {
    const bytes = Ledger.size(entry);
    const { written, settled } = options;
    this.decided.apply(entry, 0, written);
    this.#queue.push({ entry, written, bytes, settled });
    this.#decisions++;
    this.#queueBytes += bytes;
  }

  /** The next free append names this snapshot, which the store has taken. */
  name(name: SnapshotName, sequence: number): void {
    this.#naming = { name, sequence };
  }

  /** Starts the next append if none is in flight and there is something to write. */
  flush(at: number): { readonly effect: RegisterEffect; readonly nonce: string } | undefined {
    if (this.#register.busy || this.#register.fenced) return undefined;
    const naming = this.#naming;
    if (!naming && this.#queue.length === 0) return undefined;
    const head = this.#head(at);
    const { nonce } = head;
    if (naming) {
      this.#naming = undefined;
      const { index, digest, bytes } = naming.name;
      const { sequence } = naming;
      const named = {
        type: "named",
        ...head,
        snapshotIndex: index,
        sequence,
        digest,
        bytes,
      } as const;
      return { effect: this.#register.submit(named), nonce };
    }
    this.#cut();
    const entries = this.#flying.map(({ entry }) => entry);
    return { effect: this.#register.submit({ type: "batch", ...head, entries }), nonce };
  }

  /** The last append of this ownership: it names the next owner. The ledger is idle. */
  handOver(owner: ProcessId, stateVersion: number, at: number): ReturnType<Ledger["flush"]> {
    if (this.#register.fenced) return undefined;
    const head = this.#head(at);
    const { world } = this.acked;
    const record = { type: "owner", ...head, stateVersion, owner, world } as const;
    return { effect: this.#register.submit(record), nonce: head.nonce };
  }

  #head(at: number) {
    return {
      index: this.acked.index + 1,
      previous: this.#register.tail,
      epoch: this.epoch,
      by: this.#self,
      nonce: this.#nonce(),
      at: Math.max(at, this.acked.at),
      stateVersion: this.acked.stateVersion,
    };
  }

  outcome(nonce: string, outcome: AppendOutcome): RegisterEffect | undefined {
    return this.#register.outcome(nonce, outcome);
  }

  after(nonce: string, stored: StoredRecord | undefined): RegisterEffect | undefined {
    return this.#register.after(nonce, stored);
  }

  /** Folds a durable record into `acked`; the caller tells the world. */
  settle(record: JournalRecord, sequence: number): Settled {
    const entries = this.#flying;
    const bytes = this.#flyingBytes;
    this.#flying = [];
    this.#flyingBytes = 0;
    this.#durable += entries.length;
    this.acked.index = record.index;
    this.acked.at = record.at;
    this.acked.epoch = record.epoch;
    this.decided.index = record.index;
    this.decided.at = record.at;
    return { record, sequence, entries, bytes };
  }

  #cut(): void {
    let count = 0;
    let bytes = 0;
    for (const pending of this.#queue) {
      if (count > 0 && bytes + pending.bytes > this.#limits.recordBytesMax) break;
      bytes += pending.bytes;
      count++;
    }
    this.#flying = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#flyingBytes = bytes;
    this.#queueBytes -= bytes;
  }
}
