import type { NatsClient } from "../bus/nats-client.ts";
import { assert } from "../kernel/assert.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { SNAPSHOT_STREAM, snapshotSubject, snapshotsOf } from "../protocol/subjects.ts";
import type { StoreError } from "./journal.ts";
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES } from "./limits.ts";
import { getMessage, listSubjects, publishExpecting, purge } from "./nats-api.ts";
import { snapshotDigest } from "./snapshot-digest.ts";
import type { SnapshotName, SnapshotStore } from "./snapshot-store.ts";

export interface NatsSnapshotLimits {
  readonly chunkMsMax: number;
  /** Chunks under way at once, in either direction. */
  readonly parallelMax: number;
  /** For listing a room's chunks and for each purge of an old snapshot. */
  readonly removeMsMax: number;
}

export const NATS_SNAPSHOT_LIMITS: NatsSnapshotLimits = {
  chunkMsMax: 3_000,
  parallelMax: 4,
  removeMsMax: 3_000,
};

/** Snapshots on JetStream: one message a chunk, on subjects that say everything about it. */
export class NatsSnapshotStore implements SnapshotStore {
  readonly #client: NatsClient;
  readonly #limits: NatsSnapshotLimits;

  constructor(client: NatsClient, limits: NatsSnapshotLimits = NATS_SNAPSHOT_LIMITS) {
    this.#client = client;
    this.#limits = limits;
  }

  async put(room: RoomId, name: SnapshotName, data: Uint8Array): Promise<Result<void, StoreError>> {
    assert(data.length === name.bytes, "a snapshot is as long as its name says");
    assert(data.length <= SNAPSHOT_BYTES_MAX, `a snapshot of ${data.length} bytes is too large`);
    return this.#eachChunk(name, async (chunk) => {
      const start = chunk * SNAPSHOT_CHUNK_BYTES;
      // A copy: the client may hold the bytes until its next flush.
      const bytes = data.slice(start, start + SNAPSHOT_CHUNK_BYTES);
      const subject = snapshotSubject(room, name.index, name.digest, chunk);
      const options = { expected: 0, timeoutMs: this.#limits.chunkMsMax };
      const stored = await publishExpecting(this.#client, subject, bytes, options);
      // Refused means that it is there already: the digest in the subject makes it the same bytes.
      return stored.kind === "undecided" ? err("unavailable") : ok(undefined);
    });
  }

  async get(room: RoomId, name: SnapshotName): Promise<Result<Uint8Array, StoreError | "missing">> {
    if (name.bytes > SNAPSHOT_BYTES_MAX) return err("missing");
    const data = new Uint8Array(name.bytes);
    const read = await this.#eachChunk<StoreError | "missing">(name, async (chunk) => {
      const bytes = await this.#readChunk(snapshotSubject(room, name.index, name.digest, chunk));
      if (!bytes.ok) return bytes;
      const start = chunk * SNAPSHOT_CHUNK_BYTES;
      if (start + bytes.value.length > data.length) return err("missing");
      data.set(bytes.value, start);
      return ok(undefined);
    });
    if (!read.ok) return read;
    return snapshotDigest(data) === name.digest ? ok(data) : err("missing");
  }

  async removeBelow(room: RoomId, index: number): Promise<Result<void, StoreError>> {
    const all = snapshotsOf(room);
    const { removeMsMax } = this.#limits;
    const subjects = await listSubjects(this.#client, SNAPSHOT_STREAM, `${all}.>`, removeMsMax);
    if (!subjects.ok) return subjects;
    const at = all.split(".").length;
    const indexes = new Set(subjects.value.map((subject) => Number(subject.split(".")[at])));
    for (const old of indexes) {
      // A purge cannot be undone: what is no index names nothing that may go.
      if (!Number.isSafeInteger(old) || old >= index) continue;
      const filter = { subject: `${all}.${old}.>` };
      const gone = await purge(this.#client, SNAPSHOT_STREAM, filter, removeMsMax);
      if (!gone.ok) return gone;
    }
    return ok(undefined);
  }

  /** A follower may not have it yet; then its leader is asked. */
  async #readChunk(subject: string): Promise<Result<Uint8Array, StoreError | "missing">> {
    const timeoutMs = this.#limits.chunkMsMax;
    const direct = await this.#client.request(
      `$JS.API.DIRECT.GET.${SNAPSHOT_STREAM}.${subject}`,
      new Uint8Array(0),
      { timeoutMs },
    );
    if (direct.ok && direct.value.status === 0) return ok(direct.value.data);
    const message = await getMessage(this.#client, SNAPSHOT_STREAM, { last: subject }, timeoutMs);
    if (!message.ok) return message;
    return message.value ? ok(message.value.data) : err("missing");
  }

  /** Runs `work` for every chunk, a few at once; the first failure ends it. */
  async #eachChunk<E>(
    name: SnapshotName,
    work: (chunk: number) => Promise<Result<void, E>>,
  ): Promise<Result<void, E>> {
    const chunks = Math.max(1, Math.ceil(name.bytes / SNAPSHOT_CHUNK_BYTES));
    let next = 0;
    let failure: Result<void, E> | undefined;
    const worker = async (): Promise<void> => {
      while (next < chunks && !failure) {
        const outcome = await work(next++);
        if (!outcome.ok) failure ??= outcome;
      }
    };
    await Promise.all(Array.from({ length: this.#limits.parallelMax }, worker));
    return failure ?? ok(undefined);
  }
}
