import type { RoomId } from "../kernel/ids.ts";
import type { Result } from "../kernel/result.ts";

/**
 * The store did not answer, or not in time. Nothing is known about a write; repeat or read again.
 */
export type StoreError = "unavailable";
/** More records or bytes than one process may hold at once: only a trim makes it readable. */
export type TooLong = "too_long";

/** One stored record and its place in the stream. Sequences rise; they are not consecutive. */
export interface StoredRecord {
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** What stands last in a room's journal. `sequence` 0 and no record: the journal is empty. */
export interface Tail {
  readonly generation: number;
  readonly sequence: number;
  readonly record: Uint8Array | undefined;
}

/**
 * `refused`: the tail was not the expected one. It may still be this very write that moved it: a
 * repeated write is refused by its own first arrival, and any write by a leader that was deposed.
 * `undecided`: the write may have landed, may land later, or never.
 */
export type AppendOutcome =
  | { readonly kind: "accepted"; readonly sequence: number }
  | { readonly kind: "refused" }
  | { readonly kind: "undecided"; readonly reason: string };

/** The durable log of every room: the register that decides who owns a room (DESIGN 6). */
export interface Journal {
  /** Rises whenever the streams were restored or rebuilt. */
  readonly generation: number;
  /** Read from the stream's leader, never from a follower. */
  readTail(room: RoomId): Promise<Result<Tail, StoreError>>;
  /** Writes after the record at `expected` (0: into an empty journal), or not at all. */
  append(room: RoomId, expected: number, record: Uint8Array): Promise<AppendOutcome>;
  /** The first record after `sequence` that is still there; read from the leader. */
  readAfter(room: RoomId, sequence: number): Promise<Result<StoredRecord | undefined, StoreError>>;
  /**
   * Every record there is behind `after` (default: from the first) up to `until`, oldest first. A
   * follower may answer, so the end may be missing: the reader checks the chain and asks again with
   * `leader`.
   */
  readThrough(
    room: RoomId,
    until: number,
    options?: { readonly leader?: boolean; readonly after?: number },
  ): Promise<Result<readonly StoredRecord[], StoreError | TooLong>>;
  /** Removes records up to `upTo`, never the last one. A failed trim is repeated by a later one. */
  trim(room: RoomId, upTo: number): Promise<Result<void, StoreError>>;
  /** Every room that has a journal: what the index can be rebuilt from. */
  rooms(): Promise<Result<readonly RoomId[], StoreError>>;
}
