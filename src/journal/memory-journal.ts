import { assert } from "../kernel/assert.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { journalShard, journalStream } from "../protocol/subjects.ts";
import type { AppendOutcome, Journal, StoredRecord, StoreError, Tail } from "./journal.ts";
import { RECORD_BYTES_MAX } from "./limits.ts";
import type { StoreLine } from "./memory-store-line.ts";
import type { MemoryStores } from "./memory-stores.ts";

/**
 * The Journal of one process on the memory stores. As on JetStream, records carry no id by which a
 * server would know a repeated write: nothing in the product sends a Nats-Msg-Id, so there is no
 * window in which one is recognised, and the expected sequence alone refuses it.
 */
export class MemoryJournal implements Journal {
  /** Behind the stores' own after a restore that this process has not noticed yet. */
  #generation: number;
  readonly #stores: MemoryStores;
  readonly #line: StoreLine;

  constructor(stores: MemoryStores, line: StoreLine) {
    this.#stores = stores;
    this.#line = line;
    this.#generation = stores.generation;
    line.onReturn(() => void this.#learnGeneration());
  }

  get generation(): number {
    return this.#generation;
  }

  async readTail(room: RoomId): Promise<Result<Tail, StoreError>> {
    const tail = await this.#ask(room, () => {
      const last = this.#records(room).at(-1);
      const { generation } = this.#stores;
      return { generation, sequence: last?.sequence ?? 0, record: last?.data.slice() };
    });
    if (tail.ok) this.#heard(tail.value.generation);
    return tail;
  }

  async append(room: RoomId, expected: number, record: Uint8Array): Promise<AppendOutcome> {
    assert(record.length <= RECORD_BYTES_MAX, `a record of ${record.length} bytes is too large`);
    // Whoever changes the bytes after this call must not change what is stored.
    const data = record.slice();
    const { generation } = this;
    const land = (): AppendOutcome =>
      generation === this.#stores.generation ? this.#land(room, expected, data) : UNHEARD;
    const { fired } = this.#stores;
    const fault = this.#line.appendFault();
    if (fault === "late" || fault === "lost") {
      fired[fault]++;
      if (fault === "late") this.#landLate(streamOf(room), land);
      await this.#line.timeOut();
      return TIMEOUT;
    }
    const outcome = await this.#line.call(streamOf(room), land, "write");
    if (fault === "ack_lost" && outcome) {
      fired.ackLost++;
      await this.#line.timeOut();
      return TIMEOUT;
    }
    if (fault === "refused" && outcome?.kind === "accepted") {
      fired.refusedLanded++;
      return { kind: "refused" };
    }
    if (outcome === UNHEARD) void this.#learnGeneration();
    return outcome ?? TIMEOUT;
  }

  readAfter(room: RoomId, sequence: number): Promise<Result<StoredRecord | undefined, StoreError>> {
    return this.#ask(room, () => {
      const next = this.#records(room).find((record) => record.sequence > sequence);
      return next && copyOf(next);
    });
  }

  readThrough(
    room: RoomId,
    until: number,
    options?: { readonly leader?: boolean; readonly after?: number },
  ): Promise<Result<readonly StoredRecord[], StoreError>> {
    return this.#ask(room, () => {
      const all = this.#records(room);
      const lacking = options?.leader ? 0 : this.#line.staleRecords();
      const known = lacking === 0 ? all : all.slice(0, -lacking);
      const after = options?.after ?? 0;
      return known.filter(({ sequence }) => sequence > after && sequence <= until).map(copyOf);
    });
  }

  async trim(room: RoomId, upTo: number): Promise<Result<void, StoreError>> {
    const { generation } = this;
    const trimmed = await this.#ask(room, () => {
      // In a restored journal the same sequence is another record's.
      if (generation !== this.#stores.generation) return false;
      const records = this.#records(room);
      const kept = records.findIndex((record) => record.sequence > upTo);
      const removed = kept < 0 ? records.length - 1 : Math.min(kept, records.length - 1);
      if (removed > 0) records.splice(0, removed);
      return true;
    });
    if (trimmed.ok && trimmed.value) return ok(undefined);
    if (trimmed.ok) void this.#learnGeneration();
    return err("unavailable");
  }

  /** All streams are asked; one that is frozen makes the whole unknown. */
  async rooms(): Promise<Result<readonly RoomId[], StoreError>> {
    for (const stream of this.#stores.frozen)
      if (stream.startsWith("JRN")) {
        await this.#line.timeOut();
        return err("unavailable");
      }
    const rooms = await this.#line.call("", () => [...this.#stores.logs.keys()]);
    return rooms ? ok(rooms) : err("unavailable");
  }

  #land(room: RoomId, expected: number, data: Uint8Array): AppendOutcome {
    const records = this.#records(room);
    if ((records.at(-1)?.sequence ?? 0) !== expected) return { kind: "refused" };
    const sequence = this.#stores.nextSequence(streamOf(room));
    if (records.length === 0) this.#stores.logs.set(room, { records });
    const record = { sequence, data };
    records.push(record);
    this.#stores.landed(room, record);
    return { kind: "accepted", sequence };
  }

  /** Whatever has become of its process. */
  #landLate(stream: string, land: () => AppendOutcome): void {
    this.#line.wait(this.#line.faults.timeoutMs + this.#line.lateMs(), () => {
      if (this.#stores.frozen.has(stream)) this.#stores.mayKeep(stream, land);
      else if (land().kind === "accepted") this.#stores.fired.lateLanded++;
    });
  }

  async #learnGeneration(): Promise<void> {
    const generation = await this.#line.call(FIRST_STREAM, () => this.#stores.generation);
    if (generation !== undefined) this.#heard(generation);
  }

  /** Answers may overtake each other. */
  #heard(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
  }

  #records(room: RoomId): StoredRecord[] {
    return this.#stores.logs.get(room)?.records ?? [];
  }

  async #ask<T>(room: RoomId, work: () => T): Promise<Result<T, StoreError>> {
    const answer = await this.#line.call(streamOf(room), () => ({ value: work() }));
    return answer ? ok(answer.value) : err("unavailable");
  }
}

const FIRST_STREAM = journalStream(0);
const TIMEOUT: AppendOutcome = { kind: "undecided", reason: "timeout" };
/** Of a generation that is over. */
const UNHEARD: AppendOutcome = { kind: "undecided", reason: "no_responders" };

const streamOf = (room: RoomId): string => journalStream(journalShard(room));

const copyOf = (record: StoredRecord): StoredRecord => ({
  sequence: record.sequence,
  data: record.data.slice(),
});
