import { crashesUnder, type IndexEntry, type IndexStore } from "../src/journal/index-store.ts";
import { backoffMs } from "../src/kernel/backoff.ts";
import { type Clock, delay, type Timer } from "../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch, epochCompare } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../src/kernel/ids.ts";
import { type Random, randomBelow } from "../src/kernel/random.ts";
import type { EndReason } from "./room/lifecycle.ts";

export interface IndexNoteParts {
  readonly self: ProcessId;
  readonly index: IndexStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** One ownership of a room by this node. */
export interface Held {
  readonly room: RoomId;
  readonly world: WorldName;
  readonly epoch: Epoch;
}

type Change = (entry: IndexEntry | undefined) => IndexEntry | undefined;

/**
 * The index is written so long after a takeover, or twice that: the room's people come first, and
 * placement hears of the owner by its route.
 */
const WAIT_MS = 500;
const RETRY = { baseMs: 100, capMs: 2_000 };

/** A room that is served and that the index has not heard of. */
const unknownTo = ({ room, world }: Held): IndexEntry => ({
  room,
  world,
  status: "wanted",
  epoch: EPOCH_NONE,
  owner: undefined,
  crashedOn: [],
  immovable: false,
  changedAtMs: 0,
});

/**
 * What a node notes of its rooms in the index. It is only a hint, but one that others wait for:
 * written until it is, while it is true.
 */
export class IndexNotes {
  readonly #parts: IndexNoteParts;
  readonly #waiting = new Set<Timer>();
  /** What is being written of rooms that were given up here. */
  readonly #givenUp = new Map<RoomId, Promise<void>>();
  #closed = false;

  constructor(parts: IndexNoteParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  /** The room is served here. */
  serves(held: Held, stillTrue: () => boolean): void {
    const { clock, random, self } = this.#parts;
    const { epoch } = held;
    const timer = clock.after(WAIT_MS + randomBelow(random, WAIT_MS), () => {
      this.#waiting.delete(timer);
      const write = (): void =>
        void this.#write(held.room, stillTrue, (known) => {
          const entry = known ?? unknownTo(held);
          const crashedOn = crashesUnder(epoch, entry);
          return { ...entry, epoch, owner: self, crashedOn, changedAtMs: this.#stampAfter(entry) };
        });
      // Written first, this would leave the word of the earlier ownership without effect.
      const earlier = this.#givenUp.get(held.room);
      if (earlier) void earlier.then(write);
      else write();
    });
    this.#waiting.add(timer);
  }

  /**
   * What a room came to here, where others have to know. `absent`: it is not back by now. That a
   * room was given up stays true all the same, as long as nobody has noted a later ownership.
   */
  ended(held: Held, reason: EndReason, absent: () => boolean): void {
    const { self } = this.#parts;
    const { room, epoch } = held;
    const outcomeOf = (entry: IndexEntry): Partial<IndexEntry> | undefined => {
      if (reason === "gave_up") return { crashedOn: [...crashesUnder(epoch, entry), self] };
      if (reason === "closed") return { status: "closed" };
      return reason === "journal_broken" ? { status: "quarantined" } : undefined;
    };
    if (!outcomeOf(unknownTo(held))) return;
    const stillTrue = reason === "gave_up" ? () => true : absent;
    const written = this.#write(room, stillTrue, (known) => {
      const entry = known ?? unknownTo(held);
      // Whoever claimed the room since has the word; and what is written already is not repeated.
      if (epochCompare(entry.epoch, epoch) > 0) return undefined;
      if (entry.epoch === epoch && entry.owner === undefined) return undefined;
      const changedAtMs = this.#stampAfter(entry);
      return { ...entry, epoch, owner: undefined, ...outcomeOf(entry), changedAtMs };
    });
    if (reason !== "gave_up") return;
    this.#givenUp.set(room, written);
    void written.then(() => {
      if (this.#givenUp.get(room) === written) this.#givenUp.delete(room);
    });
  }

  /** Writers' clocks differ: hints are ordered by this stamp, so it must rise. */
  #stampAfter = ({ changedAtMs }: IndexEntry): number =>
    Math.max(Math.floor(this.#parts.clock.wallNow()), changedAtMs + 1);

  async #write(room: RoomId, stillTrue: () => boolean, change: Change): Promise<void> {
    const { index, clock, random } = this.#parts;
    for (let attempt = 0; stillTrue() && !this.#closed; attempt++) {
      const changed = await index.change(room, (entry) =>
        stillTrue() ? change(entry) : undefined,
      );
      if (changed.ok) return;
      await delay(clock, backoffMs(attempt, RETRY, random));
    }
  }
}
