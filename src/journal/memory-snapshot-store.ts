import { assert } from "../kernel/assert.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { SNAPSHOT_STREAM } from "../protocol/subjects.ts";
import type { StoreError } from "./journal.ts";
import { SNAPSHOT_BYTES_MAX } from "./limits.ts";
import type { StoreLine } from "./memory-store-line.ts";
import type { MemoryStores } from "./memory-stores.ts";
import { snapshotDigest } from "./snapshot-digest.ts";
import type { SnapshotName, SnapshotStore } from "./snapshot-store.ts";

const keyOf = (room: RoomId, name: SnapshotName): string => `${room} ${name.index} ${name.digest}`;

/** The SnapshotStore of one process on the memory stores. */
export class MemorySnapshotStore implements SnapshotStore {
  readonly #stores: MemoryStores;
  readonly #line: StoreLine;

  constructor(stores: MemoryStores, line: StoreLine) {
    this.#stores = stores;
    this.#line = line;
  }

  async put(room: RoomId, name: SnapshotName, data: Uint8Array): Promise<Result<void, StoreError>> {
    assert(data.length === name.bytes, "a snapshot is as long as its name says");
    assert(data.length <= SNAPSHOT_BYTES_MAX, `a snapshot of ${data.length} bytes is too large`);
    const copy = data.slice();
    const { snapshots } = this.#stores;
    const key = keyOf(room, name);
    const stored = await this.#line.call(
      SNAPSHOT_STREAM,
      () => {
        if (!snapshots.has(key)) snapshots.set(key, copy);
        return true;
      },
      "write",
    );
    return stored ? ok(undefined) : err("unavailable");
  }

  async get(room: RoomId, name: SnapshotName): Promise<Result<Uint8Array, StoreError | "missing">> {
    const answer = await this.#line.call(SNAPSHOT_STREAM, () => ({
      data: this.#stores.snapshots.get(keyOf(room, name))?.slice(),
    }));
    if (!answer) return err("unavailable");
    const { data } = answer;
    const whole = data && data.length === name.bytes && snapshotDigest(data) === name.digest;
    return whole ? ok(data) : err("missing");
  }

  async removeBelow(room: RoomId, index: number): Promise<Result<void, StoreError>> {
    const { snapshots } = this.#stores;
    const removed = await this.#line.call(
      SNAPSHOT_STREAM,
      () => {
        for (const key of [...snapshots.keys()]) {
          const [owner, covered] = key.split(" ");
          if (owner === room && Number(covered) < index) snapshots.delete(key);
        }
        return true;
      },
      "write",
    );
    return removed ? ok(undefined) : err("unavailable");
  }
}
