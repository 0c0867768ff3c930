import type { Subscription } from "../bus/bus.ts";
import { type Epoch, epochGeneration } from "../kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";
import type { Result } from "../kernel/result.ts";
import type { StoreError } from "./journal.ts";

/**
 * wanted: exists and should have an owner. closed: refuses members, keeps its journal.
 * quarantined: crashed on too many nodes; an operator must look at it.
 */
export type RoomStatus = "wanted" | "closed" | "quarantined";

/** One room's line in the index: a listing and a hint. The journal's tail settles disagreement. */
export interface IndexEntry {
  readonly room: RoomId;
  readonly world: WorldName;
  readonly status: RoomStatus;
  /** EPOCH_NONE before the first claim. */
  readonly epoch: Epoch;
  readonly owner: ProcessId | undefined;
  /** Processes that gave the room up after its restart budget was spent, most recent last. */
  readonly crashedOn: readonly ProcessId[];
  /** Never moved for load (a live show). */
  readonly immovable: boolean;
  /** Wall time of the last change, ms since 1970. */
  readonly changedAtMs: number;
}

/**
 * The crashes that still count under an ownership of `epoch`. A restored journal has lost what the
 * room noted of the commands that crashed it: it has to find them out anew.
 */
export const crashesUnder = (
  epoch: Epoch,
  entry: Pick<IndexEntry, "epoch" | "crashedOn">,
): readonly ProcessId[] =>
  epochGeneration(epoch) > epochGeneration(entry.epoch) ? [] : entry.crashedOn;

/**
 * One spending of what may be moved for load. Who wants to spend next names the round it has seen
 * stand for long enough, so that of several that want to only one does.
 */
export interface MovesRound {
  /** Counts up by one. */
  readonly round: number;
  readonly by: ProcessId;
  /** What is moved, in reference nodes. */
  readonly load: number;
}

/** Entries by compare-and-set; an adapter refuses to lower an epoch. */
export interface IndexStore {
  read(room: RoomId): Promise<Result<IndexEntry | undefined, StoreError>>;
  list(): Promise<Result<readonly IndexEntry[], StoreError>>;
  /**
   * Reads, decides and writes, again where another writer was faster (`contended` after 16 tries).
   * `decide` returns undefined to leave things as they are; an entry with an older epoch than the
   * stored one is not written either. Answers what is stored in the end.
   */
  change(
    room: RoomId,
    decide: (entry: IndexEntry | undefined) => IndexEntry | undefined,
  ): Promise<Result<IndexEntry | undefined, StoreError | "contended">>;
  /**
   * Removes the entry if `mayGo` says so of what is stored; one that is written meanwhile stays.
   * Nobody is told. Answers whether it is gone.
   */
  remove(room: RoomId, mayGo: (entry: IndexEntry) => boolean): Promise<Result<boolean, StoreError>>;
  /** As `change`, for the one record of rounds, which no listing shows and no watcher hears of. */
  changeRound(
    decide: (round: MovesRound | undefined) => MovesRound | undefined,
  ): Promise<Result<MovesRound | undefined, StoreError | "contended">>;
  /** A hint that an entry changed. It may come late, twice or never: re-read every few seconds. */
  watch(listener: (entry: IndexEntry) => void): Subscription;
}
