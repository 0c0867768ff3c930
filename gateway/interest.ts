import { FRAME_HEADER_BYTES } from "../src/protocol/frame.ts";
import { ROW_BYTES, ROW_WORDS, rowX, rowZ } from "../src/protocol/pose-row.ts";
import { type Cell, distanceToCell2, NO_CELL } from "./cells.ts";
import type { Replica } from "./replica.ts";
import { selectTop } from "./select-top.ts";

export interface PickedRows {
  readonly words: Uint32Array;
  readonly count: number;
}

export interface InterestLimits {
  /** Bytes of frames a second at the room's own rate, news not counted. */
  readonly frameBytesPerSecond: number;
  /** Everybody this near to a view cell is in its every frame, as far as they fit. */
  readonly focusM: number;
  /** Everybody in the room is repeated within so many frames. */
  readonly farFrames: number;
  /** How long whoever spoke counts as near to all. */
  readonly speakerMs: number;
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
const RELEVANT = 1e12;

/**
 * Chooses the rows of a frame, once for each view and tick (SPEC.md GW35). While everybody fits, a
 * frame at the room's rate has what the tick brought. Otherwise some take their turn, so that
 * nobody is out of date for long; then come performers and who has just spoken, then who moved near
 * the cell, then the others who moved, weighed by how long they have waited and how far away they
 * are (the priority accumulator of Fiedler's "State Synchronization"; the waiting is kept as a
 * tick, so nothing is added up).
 */
export class Interest {
  readonly #replica: Replica;
  readonly #limits: InterestLimits;
  readonly #views = new Map<number, View>();
  readonly #picked = new Map<number, PickedRows>();
  readonly #turns: (readonly number[] | undefined)[] = [];
  readonly #lastInTurn = new Int32Array(TIERS).fill(-1);
  /** Of slots: the tick of their last change, and until when they count as speaking. */
  #movedAt = new Uint32Array(64);
  #spokeUntil = new Uint32Array(64);
  #touched: readonly number[] = [];
  #tick = 0;
  #rowsMax = ROWS_MIN;
  #keys = new Float64Array(64);
  #slots = new Uint16Array(64);

  constructor(replica: Replica, limits: InterestLimits) {
    this.#replica = replica;
    this.#limits = limits;
  }

  /** Views that are remembered. */
  get views(): number {
    return this.#views.size;
  }

  /** Rows that fit into one frame. */
  get rowsMax(): number {
    return this.#rowsMax;
  }

  /** A new tick, which brought the rows of `touched`; those of `moved` are other than before. */
  begin(touched: readonly number[], moved: readonly number[]): void {
    const { tickHz, rows } = this.#replica;
    const tick = ++this.#tick;
    this.#grow(rows.length / ROW_WORDS);
    this.#touched = touched;
    this.#picked.clear();
    this.#turns.fill(undefined);
    const bytes = this.#limits.frameBytesPerSecond / tickHz - FRAME_HEADER_BYTES - HEAD_BYTES;
    this.#rowsMax = Math.max(ROWS_MIN, Math.floor(bytes / ROW_BYTES));
    for (const slot of moved) this.#movedAt[slot] = tick;
    if (tick % VIEW_IDLE_TICKS === 0) this.#forget(tick);
  }

  /** Whoever sits there is shown to all for a while. */
  spoke(slot: number): void {
    const { tickHz } = this.#replica;
    this.#grow(slot + 1);
    this.#spokeUntil[slot] = this.#tick + Math.ceil((this.#limits.speakerMs / 1000) * tickHz);
  }

  /** False while everyone fits: then it does not matter where one looks from. */
  get crowded(): boolean {
    return this.#replica.slots.length > this.#rowsMax;
  }

  /** What somebody in `cell` is shown, at most `rowsMax` rows. */
  pick(cell: Cell, tier: number): PickedRows {
    const crowded = this.crowded;
    const key = (crowded ? cell : NO_CELL) * TIERS + tier;
    let picked = this.#picked.get(key);
    if (!picked) {
      picked =
        tier === 0 && !crowded
          ? this.#copy(this.#touched, this.#touched.length)
          : this.#choose(key, crowded ? cell : NO_CELL, tier);
      this.#picked.set(key, picked);
    }
    return picked;
  }

  #choose(key: number, cell: Cell, tier: number): PickedRows {
    const shownAt = this.#view(key, tier).shownAt;
    const tick = this.#tick;
    const turn = this.#turn(tier);
    // Whose turn it is needs no place among the others.
    for (const slot of turn) shownAt[slot] = tick;
    const candidates = this.#weigh(cell, shownAt);
    const count = Math.min(candidates, this.#rowsMax - turn.length);
    selectTop(this.#keys, this.#slots, candidates, count);
    const chosen = [...turn];
    for (let at = 0; at < count; at++) {
      const slot = this.#slots[at] as number;
      shownAt[slot] = tick;
      chosen.push(slot);
    }
    return this.#copy(chosen, chosen.length);
  }

  /** Fills keys and slots with everybody who has news for a view; answers how many there are. */
  #weigh(cell: Cell, shownAt: Uint32Array): number {
    const { members, rows, slots } = this.#replica;
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
      let key = waited / (16 + distance2);
      if (distance2 <= focus2) key = FOCUS + waited;
      if ((this.#spokeUntil[slot] as number) > tick) key += RELEVANT;
      else if (members.get(slot)?.role === "performer") key += RELEVANT;
      this.#keys[count] = key;
      this.#slots[count++] = slot;
    }
    return count;
  }

  /** Everybody in a fixed order, so many a frame that all are through within `farFrames`. */
  #turn(tier: number): readonly number[] {
    const known = this.#turns[tier];
    if (known) return known;
    const { slots } = this.#replica;
    const wanted = Math.ceil(slots.length / this.#limits.farFrames);
    // In a room that turns alone would fill, an eighth is left for who is near.
    const share = Math.min(wanted, this.#rowsMax - (this.#rowsMax >> 3));
    // By slot number, so that nobody is skipped when others come and go.
    const last = this.#lastInTurn[tier] as number;
    let from = slots.findIndex((slot) => slot > last);
    if (from < 0) from = 0;
    const turn: number[] = [];
    for (let at = 0; at < share; at++) turn.push(slots[(from + at) % slots.length] as number);
    this.#lastInTurn[tier] = turn[share - 1] ?? -1;
    this.#turns[tier] = turn;
    return turn;
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

  #copy(slots: readonly number[], length: number): PickedRows {
    const { rows } = this.#replica;
    const words = new Uint32Array(length * ROW_WORDS);
    let count = 0;
    for (const slot of slots) {
      if (!this.#replica.hasRow(slot)) continue;
      const from = slot * ROW_WORDS;
      for (let word = 0; word < ROW_WORDS; word++)
        words[count * ROW_WORDS + word] = rows[from + word] as number;
      count++;
    }
    return { words, count };
  }

  #grow(slots: number): void {
    let capacity = this.#movedAt.length;
    if (slots <= capacity) return;
    while (capacity < slots) capacity *= 2;
    this.#movedAt = grown(this.#movedAt, capacity);
    this.#spokeUntil = grown(this.#spokeUntil, capacity);
    this.#keys = new Float64Array(capacity);
    this.#slots = new Uint16Array(capacity);
  }
}

function grown(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}
