import type { IndexStore } from "../journal/index-store.ts";
import type { Journal, Tail } from "../journal/journal.ts";
import { backoffMs } from "../kernel/backoff.ts";
import { type Clock, delay, type Timer } from "../kernel/clock.ts";
import { epochAt } from "../kernel/epoch.ts";
import type { RoomId, WorldName } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { Observer } from "../observe/observer.ts";
import { decodeRecord } from "../protocol/journal-record.ts";
import { ClosedEntries, type ClosedLimits, makeEntry } from "./closed-entries.ts";
import { stageOf } from "./events.ts";
import { changeEntry, type IndexChange } from "./index-changes.ts";
import type { PlannerMessage, TailOwner } from "./planner-types.ts";

/** After a failed reading of the index. */
const REREAD_AGAIN_MS = 1_000;
const TAIL_READS_MAX = 128;
/** Of one index change: longer than the index takes no writes because a leader died. */
const CHANGE_TRIES_MAX = 16;
const CHANGE_RETRY = { baseMs: 500, capMs: 4_000 };

interface Stores {
  readonly index: IndexStore;
  readonly journal: Pick<Journal, "readTail">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  /** Of several replicas one alone takes entries out of the index. */
  readonly isFirst: () => boolean;
}

/** The planner's errands to the stores. Each comes back as a message, unless closed meanwhile. */
export class StoreWork {
  readonly #stores: Stores;
  readonly #tell: (message: PlannerMessage) => void;
  readonly #rereadMs: number;
  readonly #closedEntries: ClosedEntries;
  readonly #tails = new Set<RoomId>();
  #next: Timer | undefined;
  #reading = false;
  #again = false;
  #closed = false;

  constructor(
    stores: Stores,
    tell: (message: PlannerMessage) => void,
    { rereadMs, closed }: { readonly rereadMs: number; readonly closed: ClosedLimits },
  ) {
    this.#stores = stores;
    this.#tell = tell;
    this.#rereadMs = rereadMs;
    this.#closedEntries = new ClosedEntries(stores, closed);
  }

  close(): void {
    this.#closed = true;
    this.#next?.cancel();
  }

  /** Reads the whole index now, and from then on every few seconds. */
  reread(): void {
    if (this.#reading) this.#again = true;
    else void this.#read();
  }

  lookUp(room: RoomId, create: WorldName | undefined): void {
    void this.#lookUp(room, create);
  }

  readTail(room: RoomId): void {
    if (this.#tails.has(room) || this.#tails.size >= TAIL_READS_MAX) return;
    this.#tails.add(room);
    void this.#readTail(room);
  }

  change(change: IndexChange): void {
    void this.#change(change);
  }

  async #read(): Promise<void> {
    const { index, clock, random, observer, isFirst } = this.#stores;
    this.#next?.cancel();
    this.#reading = true;
    const readAt = clock.now();
    const entries = await index.list();
    this.#reading = false;
    if (this.#closed) return;
    // Each replica reads at its own moments.
    const jitter = 0.8 + 0.4 * random.next();
    const delayMs = this.#again ? 0 : entries.ok ? this.#rereadMs * jitter : REREAD_AGAIN_MS;
    this.#again = false;
    this.#next = clock.after(delayMs, () => void this.#read());
    if (!entries.ok) {
      observer.log.warn({ reason: entries.error }, "the index can not be read");
      return;
    }
    this.#tell({ type: "index", entries: entries.value, readAt });
    if (isFirst()) void this.#closedEntries.sweep(entries.value);
  }

  async #lookUp(room: RoomId, create: WorldName | undefined): Promise<void> {
    const found =
      create === undefined
        ? await this.#stores.index.read(room)
        : await makeEntry(this.#stores, { kind: "create", room, world: create, immovable: false });
    const entry = found.ok ? found.value : undefined;
    const stageRoom = found.ok && !entry ? stageOf(room) : undefined;
    const stage = stageRoom && (await this.#stores.index.read(stageRoom));
    if (this.#closed) return;
    const failed = !found.ok || stage?.ok === false;
    this.#tell({
      type: "lookedUp",
      room,
      entry,
      stage: stage?.ok ? stage.value : undefined,
      failed,
    });
  }

  async #readTail(room: RoomId): Promise<void> {
    const tail = await this.#stores.journal.readTail(room);
    this.#tails.delete(room);
    if (this.#closed || !tail.ok) return;
    this.#tell({ type: "tail", room, tail: ownerOf(tail.value) });
  }

  /** Once decided it is not decided again, so it is written until it is, as long as it is true. */
  async #change(change: IndexChange): Promise<void> {
    const { index, clock, random, observer } = this.#stores;
    for (let attempt = 0; attempt < CHANGE_TRIES_MAX; attempt++) {
      if (attempt > 0) await delay(clock, backoffMs(attempt, CHANGE_RETRY, random));
      if (this.#closed) return;
      const changed = await index.change(change.room, (entry) =>
        changeEntry(change, entry, clock.wallNow()),
      );
      if (this.#closed) return;
      if (changed.ok) {
        if (changed.value) this.#tell({ type: "entry", entry: changed.value });
        return;
      }
      observer.log.warn({ ...change, attempt, reason: changed.error }, "index change failed");
    }
  }
}

/** Who the tail says owns the room. */
function ownerOf({ generation, sequence, record: data }: Tail): TailOwner | undefined {
  const record = data && decodeRecord(data);
  if (!record) return undefined;
  const { stateVersion } = record;
  return record.type === "owner"
    ? { epoch: epochAt(generation, sequence), owner: record.owner, stateVersion }
    : { epoch: record.epoch, owner: record.by, stateVersion };
}
