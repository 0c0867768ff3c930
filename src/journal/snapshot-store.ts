import type { RoomId } from "../kernel/ids.ts";
import type { Result } from "../kernel/result.ts";
import type { StoreError } from "./journal.ts";

/** A snapshot is named by what it holds: the index it covers and the digest of its bytes. */
export interface SnapshotName {
  readonly index: number;
  /** SHA-256 in hex. */
  readonly digest: string;
  readonly bytes: number;
}

/**
 * Immutable snapshots, stored in chunks. A snapshot counts for nothing until a journal record names
 * it, so a half-written one does no harm.
 */
export interface SnapshotStore {
  put(room: RoomId, name: SnapshotName, data: Uint8Array): Promise<Result<void, StoreError>>;
  /** `missing`: not there, or its bytes do not have the digest. */
  get(room: RoomId, name: SnapshotName): Promise<Result<Uint8Array, StoreError | "missing">>;
  /** Removes every snapshot of the room that covers less than `index`. */
  removeBelow(room: RoomId, index: number): Promise<Result<void, StoreError>>;
}
