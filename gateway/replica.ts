import { EPOCH_NONE, type Epoch } from "../src/kernel/epoch.ts";
import {
  type Member,
  PERFORMER,
  type Profile,
  type RoomSnapshot,
  type Seat,
} from "../src/protocol/client-messages.ts";
import { applyPatches, type Patch } from "../src/protocol/patches.ts";
import {
  AWAY_FLAG,
  bytesOfRows,
  ROW_WORDS,
  rowGeneration,
  rowSlot,
  rowsFromBytes,
} from "../src/protocol/pose-row.ts";
import { MEMBERS_MAX, type RoomImage, type RoomRecord } from "../src/protocol/room-messages.ts";
import { clientState } from "./confidential.ts";

/** `gap`: records are missing before this one. `diverged`: the replica needs a snapshot. */
export type RecordOutcome = "applied" | "old" | "gap" | "diverged";

/**
 * The gateway's copy of what is public in one room, at one index. Members and their rows are kept
 * by slot. It believes whatever it is given: fencing happens before.
 */
export class Replica {
  /** Index of the last record applied; 0 before the first snapshot. */
  index = 0;
  /** Room time of the last record or tick. */
  at = 0;
  tick = 0;
  /** Written into what clients are told; moved by the owner's messages, after the floor. */
  epoch: Epoch = EPOCH_NONE;
  world = "";
  tickHz = 10;
  /** Rises with every change that a snapshot would show. */
  version = 0;
  /** Rises when somebody comes, goes or looks different. */
  membersVersion = 0;
  #state: unknown = null;
  #ready = false;
  readonly #members = new Map<number, Member>();
  /** Row of each slot; word 0 is the slot's own number and generation once it has a row. */
  #rows = new Uint32Array(64 * ROW_WORDS);
  #known = new Uint8Array(64);
  /** Both anew where somebody comes or goes. */
  #slots: readonly number[] | undefined;
  #performers: readonly number[] | undefined;
  /** Slots whose row is another one since somebody last asked. */
  #moved: number[] = [];
  #away = false;

  /** False until the first snapshot, and after divergence until the next. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The public state; patches change it in place. */
  get state(): unknown {
    return this.#state;
  }

  get members(): ReadonlyMap<number, Member> {
    return this.#members;
  }

  get rows(): Uint32Array {
    return this.#rows;
  }

  /** Slots of all members, ascending. */
  get slots(): readonly number[] {
    this.#slots ??= [...this.#members.keys()].sort((a, b) => a - b);
    return this.#slots;
  }

  /** Of those, the ones of performers. */
  get performers(): readonly number[] {
    this.#performers ??= this.slots.filter((slot) => this.#members.get(slot)?.role === PERFORMER);
    return this.#performers;
  }

  /** `ms`, or where the room ticks more rarely than that, half a tick more than one. */
  lateMs(ms: number): number {
    return Math.max(ms, 1_500 / this.tickHz);
  }

  hasRow(slot: number): boolean {
    return this.#known[slot] === 1;
  }

  /** True where the seat is held by somebody now. */
  seats(seat: Seat): boolean {
    return this.#members.get(seat.slot)?.generation === seat.generation;
  }

  /** True where the seat's last row says that no socket is behind it. */
  showsAway(seat: Seat): boolean {
    const { slot } = seat;
    if (!this.seats(seat) || !this.hasRow(slot)) return false;
    return (((this.#rows[slot * ROW_WORDS] as number) >>> 24) & AWAY_FLAG) !== 0;
  }

  /** Starts over from an image at `index`. */
  reset(index: number, image: RoomImage): void {
    this.#members.clear();
    this.#known.fill(0);
    this.#changed();
    this.#state = image.state;
    this.#ready = true;
    this.index = index;
    this.at = image.at;
    this.world = image.world;
    this.tickHz = image.tickHz;
    this.version++;
    for (const member of image.members) this.#seat(member);
    const rows = rowsFromBytes(image.rows);
    if (rows) this.applyRows(rows);
    // Clients are told all of it by a snapshot.
    this.#moved = [];
  }

  /** Forgets where it is: the next snapshot counts, whatever its index. */
  invalidate(): void {
    this.#ready = false;
    this.index = 0;
    this.version++;
  }

  applyRecord(record: RoomRecord): RecordOutcome {
    if (!this.#ready) return "gap";
    if (record.index <= this.index) return "old";
    if (record.index > this.index + 1) return "gap";
    this.version++;
    if (!applyPatches(this.#state, ownValues(record.patches))) return "diverged";
    // In the order that clients keep to (PR18), so that both know the same members.
    for (const seat of record.left) if (this.seats(seat)) this.#members.delete(seat.slot);
    for (const member of record.joined) this.#seat(member);
    if (record.left.length > 0) this.#changed();
    if (this.#members.size > MEMBERS_MAX) return "diverged";
    this.index = record.index;
    this.at = record.at;
    return "applied";
  }

  applyProfile(seat: Seat, profile: Profile): boolean {
    const member = this.#members.get(seat.slot);
    if (!member || member.generation !== seat.generation) return false;
    this.#members.set(seat.slot, { ...member, profile });
    this.membersVersion++;
    this.version++;
    return true;
  }

  /** Takes the rows of present members; answers their slots. Others are ignored. */
  applyRows(rows: Uint32Array): number[] {
    const touched: number[] = [];
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const slot = rowSlot(rows, at);
      const member = this.#members.get(slot);
      if (!member || member.generation !== rowGeneration(rows, at)) continue;
      const to = slot * ROW_WORDS;
      let moved = this.#known[slot] !== 1;
      for (let word = 0; word < ROW_WORDS; word++) {
        if (this.#rows[to + word] !== rows[at + word]) moved = true;
        this.#rows[to + word] = rows[at + word] as number;
      }
      this.#known[slot] = 1;
      touched.push(slot);
      if (moved) this.#moved.push(slot);
      if (((rows[at] as number) >>> 24) & AWAY_FLAG) this.#away = true;
    }
    if (touched.length > 0) this.version++;
    return touched;
  }

  /** True where a row since the last call showed somebody as away. */
  takeAway(): boolean {
    const away = this.#away;
    this.#away = false;
    return away;
  }

  /** Slots whose rows have changed since the last call. */
  takeMoved(): readonly number[] {
    const moved = this.#moved;
    this.#moved = [];
    return moved;
  }

  /** Everything public at this index, as a client is told it. */
  snapshot(): RoomSnapshot {
    const slots = this.slots.filter((slot) => this.hasRow(slot));
    const rows = new Uint32Array(slots.length * ROW_WORDS);
    slots.forEach((slot, at) => {
      const from = slot * ROW_WORDS;
      rows.set(this.#rows.subarray(from, from + ROW_WORDS), at * ROW_WORDS);
    });
    return {
      epoch: this.epoch,
      index: this.index,
      at: this.at,
      state: clientState(this.#state),
      members: [...this.#members.values()],
      rows: bytesOfRows(rows, slots.length),
    };
  }

  #seat(member: Member): void {
    this.#grow(member.slot);
    const before = this.#members.get(member.slot);
    if (before?.generation !== member.generation) this.#known[member.slot] = 0;
    this.#members.set(member.slot, member);
    this.#changed();
  }

  /** Somebody came or went. */
  #changed(): void {
    this.membersVersion++;
    this.#slots = undefined;
    this.#performers = undefined;
  }

  /** Slots are dealt from 0 up, so the arrays follow the room's size. */
  #grow(slot: number): void {
    let capacity = this.#known.length;
    if (slot < capacity) return;
    while (capacity <= slot) capacity *= 2;
    const rows = new Uint32Array(capacity * ROW_WORDS);
    rows.set(this.#rows);
    const known = new Uint8Array(capacity);
    known.set(this.#known);
    this.#rows = rows;
    this.#known = known;
  }
}

/**
 * Later patches change values inside the state in place. The record keeps its own, because it may
 * still be told to somebody who is behind.
 */
const ownValues = (patches: readonly Patch[]): Patch[] =>
  patches.map(([op, path, value]) => [
    op,
    path,
    typeof value === "object" && value !== null ? structuredClone(value) : value,
  ]);
