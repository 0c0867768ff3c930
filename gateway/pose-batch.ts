import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { Seat } from "../src/protocol/client-messages.ts";
import { bytesOfRows, ROW_WORDS, rowSlot } from "../src/protocol/pose-row.ts";

/** What a room has ticked, as far as this gateway knows. */
export interface Ticking {
  readonly tickMs: number;
  /** When its last tick was heard. */
  readonly tickedAt: number;
}

/** Of a tick: how long before the next one poses are under way. */
const EARLY_SHARE = 0.2;

/**
 * The latest row of each member of one room that moved, sent on together. Before its next tick a
 * room has no use for them, so they are sent shortly before that: one message a tick, and a pose
 * that comes just in time is as early as one that came long before.
 */
export class PoseBatch {
  readonly #clock: Clock;
  readonly #send: (rows: Uint8Array) => void;
  #due: Timer | undefined;
  #words = new Uint32Array(16 * ROW_WORDS);
  #count = 0;
  /** By slot, one more than the row's place; 0 for none. */
  #places = new Uint16Array(64);

  constructor(clock: Clock, send: (rows: Uint8Array) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Replaces what the same member has waiting. `row` is made that of the seat. */
  put(row: Uint32Array, seat: Seat, ticking: Ticking): void {
    asOf(row, seat);
    this.#due ??= this.#clock.after(this.#waitMs(ticking), () => this.#flush());
    const slot = rowSlot(row, 0);
    if (slot >= this.#places.length) this.#grow(slot);
    let place = this.#places[slot] as number;
    if (place === 0) {
      place = ++this.#count;
      this.#places[slot] = place;
      if (place * ROW_WORDS > this.#words.length) {
        const words = new Uint32Array(this.#words.length * 2);
        words.set(this.#words);
        this.#words = words;
      }
    }
    this.#words.set(row, (place - 1) * ROW_WORDS);
  }

  /** What waits is not sent any more. */
  clear(): void {
    this.#due?.cancel();
    this.#due = undefined;
    for (let at = 0; at < this.#count; at++) this.#places[rowSlot(this.#words, at * ROW_WORDS)] = 0;
    this.#count = 0;
  }

  /** Where the next tick is late or was never heard of, others have a moment to come along. */
  #waitMs({ tickMs, tickedAt }: Ticking): number {
    const earlyMs = tickMs * EARLY_SHARE;
    const untilTickMs = tickedAt + tickMs - this.#clock.now();
    return Math.max(earlyMs, untilTickMs - earlyMs);
  }

  #flush(): void {
    const rows = bytesOfRows(this.#words, this.#count);
    this.clear();
    this.#send(rows);
  }

  #grow(slot: number): void {
    const places = new Uint16Array(Math.max(slot + 1, this.#places.length * 2));
    places.set(this.#places);
    this.#places = places;
  }
}

/** Makes a row that a client sent that of its seat. */
function asOf(row: Uint32Array, { slot, generation }: Seat): void {
  // The upper bit of the animation is the room's own, to show that somebody is away.
  row[0] = (((row[0] as number) & 0x7f000000) | (generation << 16) | slot) >>> 0;
  // Reserved: a later version can give it a meaning only if nobody sends it now.
  row[3] = ((row[3] as number) & 0x7fffffff) >>> 0;
}
