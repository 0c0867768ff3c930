import type { IndexEntry, IndexStore } from "../journal/index-store.ts";
import type { Journal, StoreError, Tail } from "../journal/journal.ts";
import type { Clock } from "../kernel/clock.ts";
import { EPOCH_NONE } from "../kernel/epoch.ts";
import type { Result } from "../kernel/result.ts";
import type { Observer } from "../observe/observer.ts";
import { decodeRecord } from "../protocol/journal-record.ts";
import { changeEntry, type IndexChange } from "./index-changes.ts";

export interface ClosedLimits {
  /** So long after its closing a room keeps its entry. */
  readonly keepMs: number;
  /** Entries that one reading of the index may take away. */
  readonly removalsMax: number;
}

export const CLOSED_LIMITS: ClosedLimits = { keepMs: 600_000, removalsMax: 256 };

export interface ClosedParts {
  readonly index: Pick<IndexStore, "change" | "read" | "remove">;
  readonly journal: Pick<Journal, "readTail">;
  readonly clock: Pick<Clock, "wallNow">;
  readonly observer: Observer;
}

/** The last record of a room that was closed says so, whoever owned it since (SV8). */
function isClosed({ record: data }: Tail): boolean {
  const record = data && decodeRecord(data);
  return record?.type === "batch" && record.entries.some(({ type }) => type === "close");
}

/** There is nothing that an owner could bring back. */
const isEmpty = ({ sequence }: Tail): boolean => sequence === 0;

/**
 * Takes entries of closed rooms out of the index: it would grow with every show there ever was, and
 * is read every few seconds. From then on the journal says that the room is closed.
 */
export class ClosedEntries {
  readonly #parts: ClosedParts;
  readonly #limits: ClosedLimits;
  #sweeping = false;
  /** The last room that was looked at: some can never be removed, and others stand behind them. */
  #last = "";

  constructor(parts: ClosedParts, limits: ClosedLimits = CLOSED_LIMITS) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** After a reading of the index. Two replicas that do so at once do no harm. */
  async sweep(entries: readonly IndexEntry[]): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const { clock, observer } = this.#parts;
    const before = clock.wallNow() - this.#limits.keepMs;
    const over = (entry: IndexEntry): boolean =>
      entry.status === "closed" && entry.changedAtMs < before;
    let removed = 0;
    const due = entries.filter(over).sort((a, b) => (a.room < b.room ? -1 : 1));
    const from = due.findIndex(({ room }) => room > this.#last);
    const turn = [...due.slice(Math.max(0, from)), ...due.slice(0, Math.max(0, from))];
    for (const entry of turn.slice(0, this.#limits.removalsMax)) {
      this.#last = entry.room;
      if (await this.#remove(entry, over)) removed++;
    }
    if (removed > 0) observer.metrics.add("roomcluster_placement_entries_removed_total", removed);
    this.#sweeping = false;
  }

  /** Only what its journal keeps closed. */
  async #remove({ room, epoch }: IndexEntry, over: (entry: IndexEntry) => boolean) {
    const { index, journal } = this.#parts;
    const tail = await journal.readTail(room);
    if (!tail.ok) return false;
    const isNobodys = isEmpty(tail.value) && epoch === EPOCH_NONE;
    if (!isNobodys && !isClosed(tail.value)) return false;
    const removed = await index.remove(room, over);
    return removed.ok && removed.value;
  }
}

/**
 * Makes a room's entry, as closed where its journal says so: then the entry was taken away. Answers
 * what is there in the end, and calls `made` where it was not there before.
 */
export async function makeEntry(
  { index, journal, clock }: Omit<ClosedParts, "observer">,
  change: Extract<IndexChange, { kind: "create" }>,
  made: (created: boolean) => void = () => undefined,
): Promise<Result<IndexEntry | undefined, StoreError | "contended">> {
  const { room } = change;
  made(false);
  const known = await index.read(room);
  if (!known.ok || known.value) return known;
  const tail = await journal.readTail(room);
  if (!tail.ok) return tail;
  const closed = isClosed(tail.value);
  return index.change(room, (entry) => {
    const next = changeEntry(change, entry, clock.wallNow());
    made(next !== undefined && !closed);
    return next && closed ? { ...next, status: "closed" } : next;
  });
}
