import type { Subscription } from "../bus/bus.ts";
import type { NatsClient } from "../bus/nats-client.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { ALL_ROOM_KEYS, INDEX_HINTS, indexKey, ROUNDS_KEY } from "../protocol/subjects.ts";
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
import { getMessage, publishExpecting, purge } from "./nats-api.ts";
import { type ScanLimits, scan } from "./nats-scan.ts";
import { INDEX_STREAM, indexSubject, streamInfo } from "./nats-streams.ts";

export interface NatsIndexLimits {
  readonly requestMsMax: number;
  /** Entries read at once while listing. */
  readonly listParallelMax: number;
  /** A longer index is answered `unavailable`. */
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export const NATS_INDEX_LIMITS: NatsIndexLimits = {
  requestMsMax: 1_500,
  listParallelMax: 32,
  entriesMax: 200_000,
  bytesMax: 256 * 1024 * 1024,
};

/**
 * The index on a key-value bucket. Entries are listed by reading the stream's leader message by
 * message, many at once: a batched direct read would be answered by a follower (and the bucket has
 * no direct reads, because a read may decide), and a consumer would need rights to make consumers,
 * leaks at every reconnect and goes blind when its host dies.
 */
export class NatsIndexStore implements IndexStore {
  readonly #client: NatsClient;
  readonly #limits: NatsIndexLimits;

  constructor(client: NatsClient, limits: NatsIndexLimits = NATS_INDEX_LIMITS) {
    this.#client = client;
    this.#limits = limits;
  }

  async read(room: RoomId): Promise<Result<IndexEntry | undefined, StoreError>> {
    const stored = await this.#get(indexSubject(indexKey(room)), decodeIndexEntry);
    return stored.ok ? ok(stored.value.value) : stored;
  }

  async list(): Promise<Result<readonly IndexEntry[], StoreError>> {
    const { requestMsMax, listParallelMax, entriesMax, bytesMax } = this.#limits;
    const info = await streamInfo(this.#client, INDEX_STREAM, requestMsMax);
    if (!info.ok) return err("unavailable");
    const subject = indexSubject(ALL_ROOM_KEYS);
    const limits: ScanLimits = {
      parallelMax: listParallelMax,
      messagesMax: entriesMax,
      bytesMax,
      requestMsMax,
    };
    const first = Math.max(1, info.value.firstSequence);
    const last = info.value.lastSequence;
    const found = await scan(this.#client, INDEX_STREAM, { subject, first, last }, limits);
    if (!found.ok) return err("unavailable");
    const bySubject = new Map(found.value.map((message) => [message.subject, message.data]));
    // A write moves its entry to the end, maybe past a worker that had been there already: what was
    // written meanwhile is read last, by one reader that stops only where there is nothing more.
    for (let from = last + 1, reads = 0; ; reads++) {
      if (reads > entriesMax) return err("unavailable");
      const query = { next: subject, from };
      const late = await getMessage(this.#client, INDEX_STREAM, query, requestMsMax);
      if (!late.ok) return late;
      if (!late.value) break;
      bySubject.set(late.value.subject, late.value.data);
      from = late.value.sequence + 1;
    }
    return ok(
      [...bySubject.values()].flatMap((data) => this.#decode(data, decodeIndexEntry) ?? []),
    );
  }

  change(
    room: RoomId,
    decide: (entry: IndexEntry | undefined) => IndexEntry | undefined,
  ): Promise<Result<IndexEntry | undefined, StoreError | "contended">> {
    const subject = indexSubject(indexKey(room));
    return this.#change(subject, decodeIndexEntry, encodeIndexEntry, (entry) => {
      const next = decide(entry);
      return next && mayReplace(entry, next) ? next : undefined;
    });
  }

  async remove(
    room: RoomId,
    mayGo: (entry: IndexEntry) => boolean,
  ): Promise<Result<boolean, StoreError>> {
    const subject = indexSubject(indexKey(room));
    const stored = await this.#get(subject, decodeIndexEntry);
    if (!stored.ok) return stored;
    const { value, sequence } = stored.value;
    if (!value || !mayGo(value)) return ok(false);
    // Of what stands below the next sequence: a later write to the entry is not among it.
    const what = { subject, below: sequence + 1 };
    const purged = await purge(this.#client, INDEX_STREAM, what, this.#limits.requestMsMax);
    return purged.ok ? ok(purged.value > 0) : purged;
  }

  changeRound(
    decide: (round: MovesRound | undefined) => MovesRound | undefined,
  ): Promise<Result<MovesRound | undefined, StoreError | "contended">> {
    return this.#change(indexSubject(ROUNDS_KEY), decodeRound, encodeRound, decide);
  }

  watch(listener: (entry: IndexEntry) => void): Subscription {
    return this.#client.subscribe(`${INDEX_HINTS}.${ALL_ROOM_KEYS}`, (message) => {
      const entry = this.#decode(message.data, decodeIndexEntry);
      if (entry) listener(entry);
    });
  }

  async #change<T>(
    subject: string,
    decode: (data: Uint8Array) => T | undefined,
    encode: (value: T) => Uint8Array,
    decide: (stored: T | undefined) => T | undefined,
  ): Promise<Result<T | undefined, StoreError | "contended">> {
    const timeoutMs = this.#limits.requestMsMax;
    for (let tries = 0; tries < INDEX_TRIES_MAX; tries++) {
      const stored = await this.#get(subject, decode);
      if (!stored.ok) return stored;
      const { value, sequence: expected } = stored.value;
      const next = decide(value);
      if (next === undefined) return ok(value);
      const data = encode(next);
      const written = await publishExpecting(this.#client, subject, data, { expected, timeoutMs });
      if (written.kind === "stored") return ok(next);
      if (written.kind === "undecided") return err("unavailable");
    }
    return err("contended");
  }

  async #get<T>(
    subject: string,
    decode: (data: Uint8Array) => T | undefined,
  ): Promise<Result<{ value: T | undefined; sequence: number }, StoreError>> {
    const { requestMsMax } = this.#limits;
    const message = await getMessage(this.#client, INDEX_STREAM, { last: subject }, requestMsMax);
    if (!message.ok) return message;
    if (!message.value) return ok({ value: undefined, sequence: 0 });
    const { sequence, data } = message.value;
    return ok({ value: this.#decode(data, decode), sequence });
  }

  /** An unreadable entry counts as none: the journals are the truth and it is written anew. */
  #decode<T>(data: Uint8Array, decode: (data: Uint8Array) => T | undefined): T | undefined {
    const value = decode(data);
    if (value === undefined) {
      const fields = { bytes: data.length };
      this.#client.observer.log.error(fields, "an index entry is unreadable");
    }
    return value;
  }
}
