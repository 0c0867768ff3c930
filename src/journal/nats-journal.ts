import type { NatsClient, NatsMessage } from "../bus/nats-client.ts";
import { assert } from "../kernel/assert.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  JOURNAL_SHARDS,
  journalShard,
  journalStream,
  journalSubject,
  journalSubjects,
  roomOfTokens,
} from "../protocol/subjects.ts";
import type { AppendOutcome, Journal, StoredRecord, StoreError, Tail, TooLong } from "./journal.ts";
import { RECORD_BYTES_MAX } from "./limits.ts";
import { getMessage, listSubjects, natural, publishExpecting, purge } from "./nats-api.ts";
import { type ScanLimits, scan } from "./nats-scan.ts";
import { readGeneration, WAIT_LIMITS, type WaitLimits, waitForStreams } from "./nats-streams.ts";

export interface NatsJournalLimits {
  /** A read; also how long a lost stream leader is waited for. */
  readonly readMsMax: number;
  /** Until an append is undecided. Its owner repeats it, so shorter means only earlier repeats. */
  readonly appendMsMax: number;
  readonly trimMsMax: number;
  /** Rooms of a stream come in pages of up to 100,000. */
  readonly roomsMsMax: number;
  /** Records asked for with one batched read, and their bytes. */
  readonly batchRecords: number;
  readonly batchBytes: number;
  /**
   * What one read may hold in memory, 250 bytes a record beside its own. A room whose snapshots are
   * not taken gets here: it is `too_long` then, so this is far above what a snapshot comes after.
   */
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** Requests under way at once when a room is read through from the leader. */
  readonly leaderParallelMax: number;
  /** Generations are read again at most this often because of an unexpected answer. */
  readonly generationMsMin: number;
}

export const NATS_JOURNAL_LIMITS: NatsJournalLimits = {
  readMsMax: 1_500,
  appendMsMax: 1_500,
  trimMsMax: 3_000,
  roomsMsMax: 5_000,
  batchRecords: 256,
  batchBytes: 4 * 1024 * 1024,
  recordsMax: 1_048_576,
  bytesMax: 256 * 1024 * 1024,
  leaderParallelMax: 8,
  generationMsMin: 1_000,
};

/** Waits until the journal streams serve, then reads their generation. */
export async function openNatsJournal(
  client: NatsClient,
  limits: NatsJournalLimits = NATS_JOURNAL_LIMITS,
  wait: WaitLimits = WAIT_LIMITS,
): Promise<Result<NatsJournal, StoreError>> {
  const ready = await waitForStreams(client, "journal", wait);
  return ready.ok ? ok(new NatsJournal(client, ready.value.generation, limits)) : ready;
}

/** The Journal on JetStream: one subject per room in the stream of its shard. */
export class NatsJournal implements Journal {
  #generation: number;
  #checking: Promise<boolean> | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  readonly #client: NatsClient;
  readonly #limits: NatsJournalLimits;

  constructor(client: NatsClient, generation: number, limits: NatsJournalLimits) {
    this.#client = client;
    this.#generation = generation;
    this.#limits = limits;
    client.onConnection((connected) => {
      // While it was away, the streams may have been restored.
      if (connected) void this.#checkGeneration();
    });
  }

  get generation(): number {
    return this.#generation;
  }

  async readTail(room: RoomId): Promise<Result<Tail, StoreError>> {
    for (;;) {
      const generation = this.#generation;
      const last = await this.#get(room, { last: journalSubject(generation, room) });
      if (!last.ok) return last;
      const { value } = last;
      if (value) return ok({ generation, sequence: value.sequence, record: value.data });
      // Nothing there is also how a journal of an older generation looks after a restore.
      if (!(await this.#checkGeneration())) return err("unavailable");
      if (this.#generation === generation)
        return ok({ generation, sequence: 0, record: undefined });
    }
  }

  async append(room: RoomId, expected: number, record: Uint8Array): Promise<AppendOutcome> {
    assert(record.length <= RECORD_BYTES_MAX, `a record of ${record.length} bytes is too large`);
    const subject = journalSubject(this.#generation, room);
    const timeoutMs = this.#limits.appendMsMax;
    const outcome = await publishExpecting(this.#client, subject, record, { expected, timeoutMs });
    if (outcome.kind === "stored") return { kind: "accepted", sequence: outcome.sequence };
    if (outcome.kind === "lost_race") return { kind: "refused" };
    this.#doubtGeneration();
    return outcome;
  }

  async readAfter(
    room: RoomId,
    sequence: number,
  ): Promise<Result<StoredRecord | undefined, StoreError>> {
    const subject = journalSubject(this.#generation, room);
    const next = await this.#get(room, { next: subject, from: sequence + 1 });
    if (!next.ok || !next.value) return next;
    return ok({ sequence: next.value.sequence, data: next.value.data });
  }

  async readThrough(
    room: RoomId,
    until: number,
    options?: { readonly leader?: boolean; readonly after?: number },
  ): Promise<Result<readonly StoredRecord[], StoreError | TooLong>> {
    const first = (options?.after ?? 0) + 1;
    const read = options?.leader ? this.#readLeader : this.#readBatches;
    const records = await read.call(this, room, first, until);
    if (!records.ok && records.error === "too_long") {
      const { recordsMax, bytesMax } = this.#limits;
      const fields = { room, recordsMax, bytesMax };
      this.#client.observer.log.error(fields, "a journal is too long to be read");
    }
    return records;
  }

  async trim(room: RoomId, upTo: number): Promise<Result<void, StoreError>> {
    const generation = this.#generation;
    // Tails only rise, so what is below this one never includes the last record.
    const tail = await this.readTail(room);
    if (!tail.ok) return tail;
    // In a restored journal the same sequence is another record's.
    if (tail.value.generation !== generation) return err("unavailable");
    const below = Math.min(upTo + 1, tail.value.sequence);
    if (below <= 1) return ok(undefined);
    const subject = journalSubject(tail.value.generation, room);
    const stream = journalStream(journalShard(room));
    const purged = await purge(this.#client, stream, { subject, below }, this.#limits.trimMsMax);
    return purged.ok ? ok(undefined) : purged;
  }

  async rooms(): Promise<Result<readonly RoomId[], StoreError>> {
    const rooms: RoomId[] = [];
    for (let shard = 0; shard < JOURNAL_SHARDS; shard++) {
      const filter = journalSubjects(this.#generation, shard);
      const stream = journalStream(shard);
      const subjects = await listSubjects(this.#client, stream, filter, this.#limits.roomsMsMax);
      if (!subjects.ok) return subjects;
      for (const subject of subjects.value) rooms.push(roomOfTokens(subject));
    }
    return ok(rooms);
  }

  async #readLeader(
    room: RoomId,
    from: number,
    until: number,
  ): Promise<Result<readonly StoredRecord[], StoreError | TooLong>> {
    const subject = journalSubject(this.#generation, room);
    const first = await this.#get(room, { next: subject, from });
    if (!first.ok) return first;
    if (!first.value || first.value.sequence > until) return ok([]);
    const rest = { subject, first: first.value.sequence + 1, last: until };
    const limits: ScanLimits = {
      parallelMax: this.#limits.leaderParallelMax,
      messagesMax: this.#limits.recordsMax - 1,
      bytesMax: this.#limits.bytesMax - first.value.data.length,
      requestMsMax: this.#limits.readMsMax,
    };
    const found = await scan(this.#client, journalStream(journalShard(room)), rest, limits);
    return found.ok ? ok([first.value, ...found.value].map(toRecord)) : found;
  }

  async #readBatches(
    room: RoomId,
    first: number,
    until: number,
  ): Promise<Result<readonly StoredRecord[], StoreError | TooLong>> {
    const records: StoredRecord[] = [];
    const { recordsMax, bytesMax } = this.#limits;
    let bytes = 0;
    const subject = journalSubject(this.#generation, room);
    for (let from = first; from <= until; ) {
      const batch = await this.#readBatch(room, { subject, from, until });
      if (!batch.ok) return batch;
      for (const record of batch.value.records) {
        records.push(record);
        bytes += record.data.length;
      }
      if (records.length > recordsMax || bytes > bytesMax) return err("too_long");
      const last = records.at(-1);
      if (!batch.value.more || !last) return ok(records);
      from = last.sequence + 1;
    }
    return ok(records);
  }

  /** ADR-31 of nats-architecture-and-design: answers follow each other and end with status 204. */
  async #readBatch(
    room: RoomId,
    range: { readonly subject: string; readonly from: number; readonly until: number },
  ): Promise<Result<{ records: StoredRecord[]; more: boolean }, StoreError>> {
    const { batchRecords, batchBytes, readMsMax } = this.#limits;
    const asked = {
      seq: range.from,
      next_by_subj: range.subject,
      batch: batchRecords,
      max_bytes: batchBytes,
    };
    const records: StoredRecord[] = [];
    let state: "reading" | "more" | "end" | "failed" = "reading";
    const receive = (message: NatsMessage): boolean => {
      if (message.status === 204)
        state = records.length === 0 || noneLeft(message) ? "end" : "more";
      else if (message.status === 404) state = "end";
      else if (message.status !== 0) state = "failed";
      else {
        const sequence = natural(Number(message.header("Nats-Sequence")));
        if (sequence > range.until) state = "end";
        else if (sequence === 0) state = "failed";
        // While a server comes back, two replicas may answer the one request, each from the start.
        else if (sequence > (records.at(-1)?.sequence ?? 0))
          records.push({ sequence, data: message.data.slice() });
      }
      return state !== "reading";
    };
    const stream = journalStream(journalShard(room));
    const data = new TextEncoder().encode(JSON.stringify(asked));
    const options = { timeoutMs: readMsMax };
    const get = `$JS.API.DIRECT.GET.${stream}`;
    const heard = await this.#client.collect(get, data, options, receive);
    if (!heard.ok || (state as string) === "failed") return err("unavailable");
    return ok({ records, more: (state as string) === "more" });
  }

  #get(room: RoomId, query: Parameters<typeof getMessage>[2]) {
    const stream = journalStream(journalShard(room));
    return getMessage(this.#client, stream, query, this.#limits.readMsMax);
  }

  /** A subject that no stream hears any more is how a new generation shows to a writer. */
  #doubtGeneration(): void {
    if (this.#client.clock.now() - this.#checkedAt < this.#limits.generationMsMin) return;
    void this.#checkGeneration();
  }

  /** True where the generation is now known to be right; several callers share one look. */
  #checkGeneration(): Promise<boolean> {
    this.#checking ??= readGeneration(this.#client, this.#limits.readMsMax).then((generation) => {
      this.#checking = undefined;
      this.#checkedAt = this.#client.clock.now();
      if (!generation.ok) return false;
      if (generation.value < this.#generation) return false;
      this.#generation = generation.value;
      return true;
    });
    return this.#checking;
  }
}

const noneLeft = (message: NatsMessage): boolean => message.header("Nats-Num-Pending") === "0";

const toRecord = ({ sequence, data }: StoredRecord): StoredRecord => ({ sequence, data });
