import { ROW_WORDS, rowX, rowZ } from "../src/protocol/pose-row.ts";
import { type Cell, cellAt, cellDistance, NO_CELL } from "./cells.ts";
import type { Replica } from "./replica.ts";

export interface PickedRows {
  readonly words: Uint32Array;
  readonly count: number;
}

/**
 * Chooses the rows of a frame, once per view cell and tick. A room whose members all fit sends what
 * the tick brought. In a larger one everybody takes a turn within a second, whatever that costs,
 * and what is left of the budget (at least a quarter) goes to those who moved nearby.
 */
export class RowPicker {
  #picked = new Map<Cell, PickedRows>();
  #byCell = new Map<Cell, number[]>();
  #touched: readonly number[] = [];
  #turn: readonly number[] = [];
  #lastInTurn = -1;
  #nearMax = 0;
  #marks = new Uint32Array(0);
  #mark = 0;
  readonly #rowsMax: number;
  readonly #replica: Replica;

  constructor(replica: Replica, rowsMax: number) {
    this.#replica = replica;
    this.#rowsMax = rowsMax;
  }

  /** A new tick, which brought the rows of `touched`. */
  begin(touched: readonly number[]): void {
    const { slots, rows, tickHz } = this.#replica;
    this.#picked = new Map();
    this.#touched = touched;
    this.#turn = [];
    this.#byCell = new Map();
    if (slots.length <= this.#rowsMax) return;
    const share = Math.min(slots.length, Math.ceil(slots.length / tickHz));
    // By slot number, so that nobody is skipped when others come and go.
    let from = slots.findIndex((slot) => slot > this.#lastInTurn);
    if (from < 0) from = 0;
    this.#turn = [...slots, ...slots].slice(from, from + share);
    this.#lastInTurn = this.#turn[share - 1] as number;
    this.#nearMax = Math.max(this.#rowsMax - share, this.#rowsMax >> 2);
    for (const slot of touched) {
      const cell = cellAt(rowX(rows, slot * ROW_WORDS), rowZ(rows, slot * ROW_WORDS));
      const inCell = this.#byCell.get(cell);
      if (inCell) inCell.push(slot);
      else this.#byCell.set(cell, [slot]);
    }
  }

  /** False while everyone fits: then it does not matter where one looks from. */
  get crowded(): boolean {
    return this.#turn.length > 0;
  }

  /** What somebody in `cell` is shown. */
  pick(cell: Cell): PickedRows {
    const key = this.crowded ? cell : NO_CELL;
    let picked = this.#picked.get(key);
    if (!picked) {
      picked = this.#copy(this.crowded ? this.#choose(cell) : this.#touched);
      this.#picked.set(key, picked);
    }
    return picked;
  }

  #choose(cell: Cell): readonly number[] {
    const slots = [...this.#turn];
    if (this.#marks.length < this.#replica.rows.length) {
      this.#marks = new Uint32Array(this.#replica.rows.length);
      this.#mark = 0;
    }
    const mark = ++this.#mark;
    for (const slot of slots) this.#marks[slot] = mark;
    let left = this.#nearMax;
    for (const near of this.#nearestFirst(cell)) {
      for (const slot of this.#byCell.get(near) as number[]) {
        if (this.#marks[slot] === mark) continue;
        if (left-- === 0) return slots;
        slots.push(slot);
      }
    }
    return slots;
  }

  #nearestFirst(cell: Cell): Cell[] {
    const cells = [...this.#byCell.keys()];
    if (cell === NO_CELL) return cells;
    return cells.sort((a, b) => cellDistance(a, cell) - cellDistance(b, cell));
  }

  #copy(slots: readonly number[]): PickedRows {
    const { rows } = this.#replica;
    const words = new Uint32Array(slots.length * ROW_WORDS);
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
}
