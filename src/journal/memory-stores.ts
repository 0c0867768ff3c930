import { type Arrive, atOnce } from "../bus/memory-endpoint.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RoomId } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { IndexStore } from "./index-store.ts";
import type { Journal, StoredRecord } from "./journal.ts";
import { MemoryIndexStore } from "./memory-index-store.ts";
import { MemoryJournal } from "./memory-journal.ts";
import { MemorySnapshotStore } from "./memory-snapshot-store.ts";
import { type StoreConnection, StoreLine } from "./memory-store-line.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import {
  noStoreFaults,
  nothingFired,
  type OutageFaults,
  type SlowStream,
  type StoreFaults,
  type StoreFaultsFired,
} from "./store-faults.ts";

/** What one process holds of the stores. */
export interface StoreAccess {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly index: IndexStore;
  readonly faults: StoreFaults;
}

/** What was copied of the stores at one moment. */
export interface StoresBackup {
  readonly logs: ReadonlyMap<RoomId, readonly StoredRecord[]>;
  readonly snapshots: ReadonlyMap<string, Uint8Array>;
}

interface RoomLog {
  readonly records: StoredRecord[];
}

/**
 * Journal, snapshots and index of one cluster in memory, for all processes that live in this one.
 * It keeps what the ports promise, so two owners are as impossible here as on JetStream.
 */
export class MemoryStores {
  /** Streams (JRN0 to JRN7, SNP, KV_own) that have lost their leader; taken out: it has another. */
  readonly frozen: Set<string> = new Leaderless((stream) => this.#recover(stream));
  readonly outage: OutageFaults = { keptRate: 0, refusedRate: 0, answerLostRate: 0 };
  /** Streams on slow storage. */
  readonly slow = new Map<string, SlowStream>();
  readonly fired: StoreFaultsFired = nothingFired();
  readonly clock: Clock;
  readonly random: Random;
  /** The stores' contents, for the adapters and for checkers that look behind them. */
  readonly logs = new Map<RoomId, RoomLog>();
  readonly sequences = new Map<string, number>();
  readonly snapshots = new Map<string, Uint8Array>();
  readonly entries = new Map<RoomId, { readonly data: Uint8Array; readonly revision: number }>();
  /** The record of rounds, new bytes for each. */
  round: { readonly data: Uint8Array } | undefined;
  readonly watchers = new Set<(data: Uint8Array) => void>();
  /** Hears of every record at the moment it is stored, for checkers. */
  landed: (room: RoomId, record: StoredRecord) => void = () => {};
  #generation: number;
  /** Writes that the next leader of a stream finds. */
  readonly #kept = new Map<string, (() => unknown)[]>();
  /** Until when a slow stream works on what it has been given. */
  readonly #busyUntil = new Map<string, number>();

  constructor(clock: Clock, random: Random, generation = 1) {
    this.clock = clock;
    this.random = random;
    this.#generation = generation;
  }

  get generation(): number {
    return this.#generation;
  }

  /**
   * One process's way to the stores; answers and hints come in by `arrive`. With a connection, a
   * request ends when it is lost, and at once where there is none.
   */
  open(arrive: Arrive = atOnce, connection?: StoreConnection): StoreAccess {
    const faults = noStoreFaults();
    const line = new StoreLine(this, faults, arrive, connection);
    return {
      journal: new MemoryJournal(this, line),
      snapshots: new MemorySnapshotStore(this, line),
      index: new MemoryIndexStore(this, line),
      faults,
    };
  }

  backup(): StoresBackup {
    const logs = new Map([...this.logs].map(([room, { records }]) => [room, [...records]]));
    return { logs, snapshots: new Map(this.snapshots) };
  }

  /**
   * The journals come back as they were, and with them the snapshots that they name: a new
   * generation, in which records have the sequences that they had, and what came later is gone.
   */
  restore({ logs, snapshots }: StoresBackup): void {
    for (const [room, { records }] of [...this.logs]) {
      const last = logs.get(room)?.at(-1)?.sequence ?? 0;
      this.fired.restoredWithout += records.filter(({ sequence }) => sequence > last).length;
      this.logs.delete(room);
    }
    for (const [room, records] of logs) this.logs.set(room, { records: [...records] });
    for (const [key, data] of snapshots) this.snapshots.set(key, data);
    this.#generation++;
  }

  /** The next sequence of a stream; all rooms of a stream share it. */
  nextSequence(stream: string): number {
    const sequence = (this.sequences.get(stream) ?? 0) + 1;
    this.sequences.set(stream, sequence);
    return sequence;
  }

  /** For lines: how long a request is held by a stream on slow storage. */
  holdMs(stream: string): number {
    if (this.slow.size === 0) return 0;
    const range = this.slow.get(stream);
    if (!range) return 0;
    this.fired.slowed++;
    const now = this.clock.now();
    const takesMs = range.msMin + this.random.next() * (range.msMax - range.msMin);
    const until = Math.max(now, this.#busyUntil.get(stream) ?? 0) + takesMs;
    this.#busyUntil.set(stream, until);
    return until - now;
  }

  /** For lines: what becomes of a write that finds no leader. */
  mayKeep(stream: string, write: () => unknown): void {
    if (!this.#strikes(this.outage.keptRate)) return;
    this.fired.kept++;
    const kept = this.#kept.get(stream);
    if (kept) kept.push(write);
    else this.#kept.set(stream, [write]);
  }

  /** For lines: whether the servers tell a request at once that there is no leader. */
  refuses(): boolean {
    const refuses = this.#strikes(this.outage.refusedRate);
    if (refuses) this.fired.refused++;
    return refuses;
  }

  /** For lines: whether the leader died before it sent an answer that seems on its way. */
  losesAnswer(stream: string): boolean {
    const loses = this.frozen.has(stream) && this.#strikes(this.outage.answerLostRate);
    if (loses) this.fired.answerLost++;
    return loses;
  }

  #recover(stream: string): void {
    const kept = this.#kept.get(stream) ?? [];
    this.#kept.delete(stream);
    for (const write of kept) {
      const outcome = write() as { readonly kind?: unknown } | undefined;
      if (outcome?.kind === "accepted") this.fired.keptLanded++;
    }
  }

  #strikes(rate: number): boolean {
    return rate > 0 && this.random.next() < rate;
  }
}

class Leaderless extends Set<string> {
  readonly #recovered: (stream: string) => void;

  constructor(recovered: (stream: string) => void) {
    super();
    this.#recovered = recovered;
  }

  override delete(stream: string): boolean {
    const was = super.delete(stream);
    if (was) this.#recovered(stream);
    return was;
  }

  override clear(): void {
    for (const stream of [...this]) this.delete(stream);
  }
}
