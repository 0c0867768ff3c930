import type { Subscription } from "../bus/bus.ts";
import { assert } from "../kernel/assert.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { INDEX_BUCKET } from "../protocol/subjects.ts";
import {
  decodeIndexEntry,
  decodeRound,
  encodeIndexEntry,
  encodeRound,
  mayReplace,
} from "./index-entry.ts";
import type { IndexEntry, IndexStore, MovesRound } from "./index-store.ts";
import type { StoreError } from "./journal.ts";
import { INDEX_TRIES_MAX } from "./limits.ts";
import type { StoreLine } from "./memory-store-line.ts";
import type { MemoryStores } from "./memory-stores.ts";

const STREAM = `KV_${INDEX_BUCKET}`;

/** The IndexStore of one process on the memory stores. Entries are kept encoded, as on NATS. */
export class MemoryIndexStore implements IndexStore {
  readonly #stores: MemoryStores;
  readonly #line: StoreLine;

  constructor(stores: MemoryStores, line: StoreLine) {
    this.#stores = stores;
    this.#line = line;
  }

  async read(room: RoomId): Promise<Result<IndexEntry | undefined, StoreError>> {
    const stored = await this.#get(room);
    return stored ? ok(stored.entry) : err("unavailable");
  }

  async list(): Promise<Result<readonly IndexEntry[], StoreError>> {
    const entries = await this.#line.call(STREAM, () =>
      [...this.#stores.entries.values()].map(({ data }) => read(data)),
    );
    return entries ? ok(entries) : err("unavailable");
  }

  async change(
    room: RoomId,
    decide: (entry: IndexEntry | undefined) => IndexEntry | undefined,
  ): Promise<Result<IndexEntry | undefined, StoreError | "contended">> {
    for (let tries = 0; tries < INDEX_TRIES_MAX; tries++) {
      const stored = await this.#get(room);
      if (!stored) return err("unavailable");
      const next = decide(stored.entry);
      if (!next || !mayReplace(stored.entry, next)) return ok(stored.entry);
      const data = encodeIndexEntry(next);
      const written = await this.#line.call(
        STREAM,
        () => this.#write(room, stored.revision, data),
        "write",
      );
      if (written === undefined) return err("unavailable");
      if (written) return ok(next);
    }
    return err("contended");
  }

  async remove(
    room: RoomId,
    mayGo: (entry: IndexEntry) => boolean,
  ): Promise<Result<boolean, StoreError>> {
    const stored = await this.#get(room);
    if (!stored) return err("unavailable");
    const { entry, revision } = stored;
    if (!entry || !mayGo(entry)) return ok(false);
    const { entries } = this.#stores;
    const remove = () => entries.get(room)?.revision === revision && entries.delete(room);
    const removed = await this.#line.call(STREAM, remove, "write");
    return removed === undefined ? err("unavailable") : ok(removed);
  }

  async changeRound(
    decide: (round: MovesRound | undefined) => MovesRound | undefined,
  ): Promise<Result<MovesRound | undefined, StoreError | "contended">> {
    for (let tries = 0; tries < INDEX_TRIES_MAX; tries++) {
      const stored = await this.#line.call(STREAM, () => ({ ...this.#stores.round }));
      if (!stored) return err("unavailable");
      const round = stored.data && decodeRound(stored.data);
      const next = decide(round);
      if (!next) return ok(round);
      const data = encodeRound(next);
      const written = await this.#line.call(
        STREAM,
        () => {
          if (this.#stores.round?.data !== stored.data) return false;
          this.#stores.nextSequence(STREAM);
          this.#stores.round = { data };
          return true;
        },
        "write",
      );
      if (written === undefined) return err("unavailable");
      if (written) return ok(next);
    }
    return err("contended");
  }

  watch(listener: (entry: IndexEntry) => void): Subscription {
    let open = true;
    const watcher = (data: Uint8Array): void =>
      this.#line.hint(() => {
        if (open) listener(read(data));
      });
    this.#stores.watchers.add(watcher);
    return {
      close: () => {
        open = false;
        this.#stores.watchers.delete(watcher);
      },
    };
  }

  #write(room: RoomId, expected: number, data: Uint8Array): boolean {
    const { entries } = this.#stores;
    if ((entries.get(room)?.revision ?? 0) !== expected) return false;
    entries.set(room, { data, revision: this.#stores.nextSequence(STREAM) });
    for (const watcher of [...this.#stores.watchers]) watcher(data);
    return true;
  }

  #get(room: RoomId) {
    return this.#line.call(STREAM, () => {
      const stored = this.#stores.entries.get(room);
      if (!stored) return { entry: undefined, revision: 0 };
      return { entry: read(stored.data), revision: stored.revision };
    });
  }
}

function read(data: Uint8Array): IndexEntry {
  const entry = decodeIndexEntry(data);
  assert(entry !== undefined, "what was encoded here is an entry");
  return entry;
}
