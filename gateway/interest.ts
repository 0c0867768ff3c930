import type { Seat } from "../src/protocol/client-messages.ts";
import { FRAME_HEADER_BYTES } from "../src/protocol/frame.ts";
import { ROW_BYTES, ROW_WORDS, rowX, rowZ } from "../src/protocol/pose-row.ts";
import { type Cell, distanceToCell2, NO_CELL } from "./cells.ts";
import { Lights } from "./lights.ts";
import type { Replica } from "./replica.ts";
import { selectTop } from "./select-top.ts";

export interface PickedRows {
  readonly words: Uint32Array;
  readonly count: number;
  /** Of each slot the tick of its last row in this view; undefined while everybody fits. */
  readonly shownAt: Uint32Array | undefined;
}

export interface InterestLimits {
  /** Bytes of frames a second at the room's own rate, news not counted. */
  readonly frameBytesPerSecond: number;
  /** What the rows of those whom one client follows may add to that. */
  readonly followedBytesPerSecond: number;
  /** Everybody this near to a view cell is in its every frame, as far as they fit. */
  readonly focusM: number;
  /** Everybody in the room is repeated within so many frames. */
  readonly farFrames: number;
  /** How long whoever gave a signal is in the light, and how many may be in it. */
  readonly speakerMs: number;
  readonly lightsMax: number;
  readonly cellHysteresisM: number;
}

/** What one view (a cell in a tier) was shown: by slot, the tick of its last row there. */
interface View {
  shownAt: Uint32Array<ArrayBuffer>;
  usedAt: number;
}

const TIERS = 4;
/** A frame has room for so many rows, however small the budget is. */
const ROWS_MIN = 8;
/** The WebSocket's own head. */
const HEAD_BYTES = 4;
const VIEW_IDLE_TICKS = 64;
/** Of one room; beyond it the longest unused is forgotten. Clients choose their cells. */
const VIEWS_MAX = 512;
/** So far back a slower tier begins: what was in the frames that could not be written. */
const SKIPPED_TICKS = 32;
/** Above every age in ticks, so that one class of rows goes before the next. */
const FOCUS = 1e9;
/**
 * Who is shown to everybody is in the frames of so many ticks after a move: so those of every tier
 * have it, and who missed one, or changes tiers, has it in the next.
 */
const RECENT_TICKS = 16;
/** The message around a tail's rows (PR58). */
const TAIL_HEAD_BYTES = 5;
const NOBODY: readonly number[] = [];

/**
 * Chooses the rows of a frame, once for each view and tick (SPEC.md GW35). While everybody fits, a
 * frame at the room's rate has what the tick brought. Otherwise it begins with performers and who
 * is in the light, then some take their turn, so that nobody is out of date for long; then come who
 * moved near the cell, and the others who moved, weighed by how long they have waited and how far
 * away they are (the priority accumulator of Fiedler's "State Synchronization"; the waiting is kept
 * as a tick, so nothing is added up).
 */
export class Interest {
  readonly replica: Replica;
  readonly lights: Lights;
  readonly #limits: InterestLimits;
  readonly #views = new Map<number, View>();
  readonly #picked = new Map<number, PickedRows>();
  /** What every frame of a tier begins with, whatever its cell. */
  readonly #openings: (readonly number[] | undefined)[] = [];
  readonly #lastInTurn = new Int32Array(TIERS).fill(-1);
  readonly #lastRelevant = new Int32Array(TIERS).fill(-1);
  #relevant: readonly number[] | undefined;
  /** Of slots: the tick of their last change. */
  #movedAt = new Uint32Array(64);
  #touched: readonly number[] = [];
  #tick = 0;
  /** Of `frameBytesPerSecond`, while an event asks for less. */
  frameShare = 1;
  #rowsMax = ROWS_MIN;
  #keys = new Float64Array(64);
  #slots = new Uint16Array(64);

  constructor(replica: Replica, limits: InterestLimits) {
    this.replica = replica;
    this.#limits = limits;
    this.lights = new Lights(limits.lightsMax);
  }

  /** Views that are remembered. */
  get views(): number {
    return this.#views.size;
  }

  /** Counts the ticks since it began: those of the room begin anew with each owner. */
  get tick(): number {
    return this.#tick;
  }

  /** Rows that fit into one frame. */
  get rowsMax(): number {
    return this.#rowsMax;
  }

  /** A new tick, which brought the rows of `touched`; those of `moved` are other than before. */
  begin(touched: readonly number[], moved: readonly number[]): void {
    const { tickHz, rows } = this.replica;
    const tick = ++this.#tick;
    this.#grow(rows.length / ROW_WORDS);
    this.#touched = touched;
    this.#picked.clear();
    this.#openings.fill(undefined);
    this.#relevant = undefined;
    const perSecond = this.#limits.frameBytesPerSecond * this.frameShare;
    const bytes = perSecond / tickHz - FRAME_HEADER_BYTES - HEAD_BYTES;
    this.#rowsMax = Math.max(ROWS_MIN, Math.floor(bytes / ROW_BYTES));
    for (const slot of moved) this.#movedAt[slot] = tick;
    if (tick % VIEW_IDLE_TICKS === 0) this.#forget(tick);
  }

  /** Whoever gives a signal is shown to all for a while. */
  spoke(seat: Seat): void {
    const { at } = this.replica;
    this.lights.spoke(seat, at + this.#limits.speakerMs, at);
  }

  /** True where the row at `slot` is another one than it was in that tick. */
  movedSince(slot: number, tick: number): boolean {
    return (this.#movedAt[slot] as number) > tick;
  }

  /** Rows that fit behind a frame, for one client alone. */
  get tailRowsMax(): number {
    const bytes = this.#limits.followedBytesPerSecond / this.replica.tickHz - TAIL_HEAD_BYTES;
    return Math.max(0, Math.floor(bytes / ROW_BYTES));
  }

  /** False while everyone fits: then it does not matter where one looks from. */
  get crowded(): boolean {
    return this.replica.slots.length > this.#rowsMax;
  }

  /** What somebody in `cell` is shown, at most `rowsMax` rows. */
  pick(cell: Cell, tier: number): PickedRows {
    const crowded = this.crowded;
    const key = (crowded ? cell : NO_CELL) * TIERS + tier;
    let picked = this.#picked.get(key);
    if (!picked) {
      picked =
        tier === 0 && !crowded
          ? this.#copy(this.#touched, undefined)
          : this.#choose(key, crowded ? cell : NO_CELL, tier);
      this.#picked.set(key, picked);
    }
    return picked;
  }

  #choose(key: number, cell: Cell, tier: number): PickedRows {
    const { shownAt } = this.#view(key, tier);
    const tick = this.#tick;
    const opening = this.#opening(tier);
    // Who is in it anyway needs no place among the others.
    for (const slot of opening) shownAt[slot] = tick;
    const candidates = this.#weigh(cell, shownAt);
    const count = Math.min(candidates, this.#rowsMax - opening.length);
    selectTop(this.#keys, this.#slots, candidates, count);
    const chosen = [...opening];
    for (let at = 0; at < count; at++) {
      const slot = this.#slots[at] as number;
      shownAt[slot] = tick;
      chosen.push(slot);
    }
    return this.#copy(chosen, this.crowded ? shownAt : undefined);
  }

  /** Fills keys and slots with everybody who has news for a view; answers how many there are. */
  #weigh(cell: Cell, shownAt: Uint32Array): number {
    const { rows, slots } = this.replica;
    const { focusM, cellHysteresisM } = this.#limits;
    const focus2 = focusM * focusM;
    const tick = this.#tick;
    let count = 0;
    for (const slot of slots) {
      const shown = shownAt[slot] as number;
      if ((this.#movedAt[slot] as number) <= shown) continue;
      const waited = tick - shown;
      const at = slot * ROW_WORDS;
      const distance2 =
        cell === NO_CELL
          ? 0
          : distanceToCell2(cell, rowX(rows, at), rowZ(rows, at), cellHysteresisM);
      this.#keys[count] = distance2 <= focus2 ? FOCUS + waited : waited / (16 + distance2);
      this.#slots[count++] = slot;
    }
    return count;
  }

  /**
   * At most a third of a frame for who is shown to everybody; then everybody in turn, so many that
   * all are through within `farFrames`. An eighth of what is left by the first is kept for who is
   * near, in a room that turns alone would fill.
   */
  #opening(tier: number): readonly number[] {
    const known = this.#openings[tier];
    if (known) return known;
    const { slots } = this.replica;
    const relevant = this.#relevantIn(tier);
    const left = this.#rowsMax - relevant.length;
    const share = Math.min(Math.ceil(slots.length / this.#limits.farFrames), left - (left >> 3));
    const turn = inTurn(slots, share, this.#lastInTurn[tier] as number);
    this.#lastInTurn[tier] = turn.at(-1) ?? -1;
    const opening =
      relevant.length === 0
        ? turn
        : [...relevant, ...turn.filter((slot) => !relevant.includes(slot))];
    this.#openings[tier] = opening;
    return opening;
  }

  /** Those who are shown to everybody, as far as they may be in this frame. */
  #relevantIn(tier: number): readonly number[] {
    this.#relevant ??= this.#relevantNow();
    const most = Math.floor(this.#rowsMax / 3);
    if (this.#relevant.length <= most) return this.#relevant;
    const some = inTurn(this.#relevant, most, this.#lastRelevant[tier] as number);
    this.#lastRelevant[tier] = some.at(-1) ?? -1;
    return some;
  }

  /** Performers and who is in the light, where they moved lately, by slot. */
  #relevantNow(): readonly number[] {
    const { performers } = this.replica;
    if (!this.crowded || (performers.length === 0 && this.lights.empty)) return NOBODY;
    const since = this.#tick - RECENT_TICKS;
    const all = new Set([...performers, ...this.lights.slots(this.replica)]);
    return [...all]
      .filter((slot) => this.replica.hasRow(slot) && this.movedSince(slot, since))
      .sort((a, b) => a - b);
  }

  #dropOldest(): void {
    for (const key of this.#views.keys()) {
      this.#views.delete(key);
      return;
    }
  }

  #view(key: number, tier: number): View {
    let view = this.#views.get(key);
    if (view) this.#views.delete(key);
    else {
      // Whoever begins to look from here had a snapshot, or looked from nearby.
      const since = this.#tick - (tier > 0 ? SKIPPED_TICKS : 1);
      const shownAt = new Uint32Array(this.#movedAt.length).fill(Math.max(0, since));
      view = { shownAt, usedAt: 0 };
      if (this.#views.size >= VIEWS_MAX) this.#dropOldest();
    }
    // The order of the map is that of their use.
    this.#views.set(key, view);
    if (view.shownAt.length < this.#movedAt.length)
      view.shownAt = grown(view.shownAt, this.#movedAt.length);
    view.usedAt = this.#tick;
    return view;
  }

  /** Views that nobody looks from any more. */
  #forget(tick: number): void {
    for (const [key, { usedAt }] of this.#views)
      if (tick - usedAt > VIEW_IDLE_TICKS) this.#views.delete(key);
  }

  #copy(slots: readonly number[], shownAt: Uint32Array | undefined): PickedRows {
    const { rows } = this.replica;
    const words = new Uint32Array(slots.length * ROW_WORDS);
    let count = 0;
    for (const slot of slots) {
      if (!this.replica.hasRow(slot)) continue;
      const from = slot * ROW_WORDS;
      for (let word = 0; word < ROW_WORDS; word++)
        words[count * ROW_WORDS + word] = rows[from + word] as number;
      count++;
    }
    return { words, count, shownAt };
  }

  #grow(slots: number): void {
    let capacity = this.#movedAt.length;
    if (slots <= capacity) return;
    while (capacity < slots) capacity *= 2;
    this.#movedAt = grown(this.#movedAt, capacity);
    this.#keys = new Float64Array(capacity);
    this.#slots = new Uint16Array(capacity);
  }
}

/**
 * So many of a list in ascending order, from behind `last` on and round: nobody is skipped when
 * others come and go.
 */
function inTurn(slots: readonly number[], count: number, last: number): number[] {
  let from = slots.findIndex((slot) => slot > last);
  if (from < 0) from = 0;
  const turn: number[] = [];
  for (let at = 0; at < count; at++) turn.push(slots[(from + at) % slots.length] as number);
  return turn;
}

function grown(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}
