import { type Arrive, atOnce } from "../bus/memory-endpoint.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RoomId } from "../kernel/ids.ts";
import { type Random, randomBelow } from "../kernel/random.ts";
import type { IndexStore } from "./index-store.ts";
import type { Journal, StoredRecord } from "./journal.ts";
import { MemoryIndexStore } from "./memory-index-store.ts";
import { MemoryJournal } from "./memory-journal.ts";
import { MemorySnapshotStore } from "./memory-snapshot-store.ts";
import type { SnapshotStore } from "./snapshot-store.ts";

/** What can happen to one append, apart from being answered. */
export type AppendFault =
  /** It lands; its acknowledgement does not come back. */
  | "ack_lost"
  /** It never lands. */
  | "lost"
  /** It is reported undecided and lands some time after that, if it still may. */
  | "late";

/** The faults between one process and the stores. May be changed at any time. */
export interface StoreFaults {
  /** How long each way takes, drawn from this range. 0: answered without the clock moving. */
  latencyMsMin: number;
  latencyMsMax: number;
  /** Nothing arrives and nothing is answered: reads time out, appends are undecided. */
  unreachable: boolean;
  /** What befalls the next appends, in this order, before any rate. `none` lets one pass. */
  readonly nextAppends: (AppendFault | "none")[];
  /** Shares of appends, 0 to 1. */
  ackLostRate: number;
  lostRate: number;
  lateRate: number;
  /** How long after it was reported undecided a late append arrives. */
  lateMsMin: number;
  lateMsMax: number;
  /** Share of readThrough calls answered by a follower that lacks up to `staleRecordsMax`. */
  staleRate: number;
  staleRecordsMax: number;
  /** What waiting in vain takes. */
  timeoutMs: number;
}

export interface StoreFaultsFired {
  unreachable: number;
  frozen: number;
  ackLost: number;
  lost: number;
  late: number;
  /** Late ones that were still accepted when they arrived. */
  lateLanded: number;
  stale: number;
}

/** What one process holds of the stores. */
export interface StoreAccess {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly index: IndexStore;
  readonly faults: StoreFaults;
}

interface RoomLog {
  readonly records: StoredRecord[];
}

/**
 * Journal, snapshots and index of one cluster in memory, for all processes that live in this one.
 * It keeps what the ports promise, so two owners are as impossible here as on JetStream.
 */
export class MemoryStores {
  /** Streams (JRN0 to JRN7, SNP, KV_own) that have lost their leader: they answer nothing. */
  readonly frozen = new Set<string>();
  readonly fired: StoreFaultsFired = {
    unreachable: 0,
    frozen: 0,
    ackLost: 0,
    lost: 0,
    late: 0,
    lateLanded: 0,
    stale: 0,
  };
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

  constructor(clock: Clock, random: Random, generation = 1) {
    this.clock = clock;
    this.random = random;
    this.#generation = generation;
  }

  get generation(): number {
    return this.#generation;
  }

  /** One process's way to the stores; answers and hints come in by `arrive`. */
  open(arrive: Arrive = atOnce): StoreAccess {
    const faults: StoreFaults = {
      latencyMsMin: 0,
      latencyMsMax: 0,
      unreachable: false,
      nextAppends: [],
      ackLostRate: 0,
      lostRate: 0,
      lateRate: 0,
      lateMsMin: 0,
      lateMsMax: 1_000,
      staleRate: 0,
      staleRecordsMax: 8,
      timeoutMs: 1_500,
    };
    const line = new StoreLine(this, faults, arrive);
    return {
      journal: new MemoryJournal(this, line),
      snapshots: new MemorySnapshotStore(this, line),
      index: new MemoryIndexStore(this, line),
      faults,
    };
  }

  /** The next sequence of a stream; all rooms of a stream share it. */
  nextSequence(stream: string): number {
    const sequence = (this.sequences.get(stream) ?? 0) + 1;
    this.sequences.set(stream, sequence);
    return sequence;
  }
}

/** The way of one process's requests to the stores and of the answers back. */
export class StoreLine {
  readonly faults: StoreFaults;
  readonly arrive: Arrive;
  readonly #stores: MemoryStores;

  constructor(stores: MemoryStores, faults: StoreFaults, arrive: Arrive) {
    this.#stores = stores;
    this.faults = faults;
    this.arrive = arrive;
  }

  /**
   * Takes a request to a stream, runs `work` there, and brings the answer back. Undefined where
   * either was lost; then the work may have been done.
   */
  async call<T>(stream: string, work: () => T): Promise<T | undefined> {
    await this.travel();
    if (this.#isDeaf(stream)) return this.timeOut();
    const answer = work();
    await this.travel();
    if (this.#isUnreachable()) return this.timeOut();
    await this.#arrival();
    return answer;
  }

  /** One way. */
  travel(): Promise<void> {
    const { latencyMsMin, latencyMsMax } = this.faults;
    if (latencyMsMax <= 0) return Promise.resolve();
    const range = latencyMsMax - latencyMsMin;
    return this.wait(latencyMsMin + this.#stores.random.next() * range);
  }

  async timeOut(): Promise<undefined> {
    await this.wait(this.faults.timeoutMs);
    await this.#arrival();
    return undefined;
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => this.arrive(resolve));
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#stores.clock.after(ms, resolve));
  }

  /** What befalls the next append. */
  appendFault(): AppendFault | "none" {
    const scripted = this.faults.nextAppends.shift();
    if (scripted) return scripted;
    const { ackLostRate, lostRate, lateRate } = this.faults;
    if (ackLostRate + lostRate + lateRate === 0) return "none";
    const draw = this.#stores.random.next();
    if (draw < ackLostRate) return "ack_lost";
    if (draw < ackLostRate + lostRate) return "lost";
    return draw < ackLostRate + lostRate + lateRate ? "late" : "none";
  }

  lateMs(): number {
    const { lateMsMin, lateMsMax } = this.faults;
    return lateMsMin + this.#stores.random.next() * (lateMsMax - lateMsMin);
  }

  /** How many of the newest records a follower's answer lacks this time. */
  staleRecords(): number {
    const { staleRate, staleRecordsMax } = this.faults;
    if (staleRate <= 0 || this.#stores.random.next() >= staleRate) return 0;
    this.#stores.fired.stale++;
    return 1 + randomBelow(this.#stores.random, staleRecordsMax);
  }

  #isDeaf(stream: string): boolean {
    if (this.#isUnreachable()) return true;
    if (!this.#stores.frozen.has(stream)) return false;
    this.#stores.fired.frozen++;
    return true;
  }

  #isUnreachable(): boolean {
    if (this.faults.unreachable) this.#stores.fired.unreachable++;
    return this.faults.unreachable;
  }
}
