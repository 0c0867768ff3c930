/** A view cell as one integer, or NO_CELL for somebody whose place is not known. */
export type Cell = number;
export const NO_CELL: Cell = -1;
export const CELL_M = 16;

/** Rows reach ±8388 m, so 525 cells either way; the rest is margin. */
const HALF = 640;
const SPAN = 2 * HALF;

export const cellAt = (x: number, z: number): Cell =>
  (Math.floor(x / CELL_M) + HALF) * SPAN + Math.floor(z / CELL_M) + HALF;

const column = (cell: Cell): number => Math.floor(cell / SPAN) - HALF;
const line = (cell: Cell): number => (cell % SPAN) - HALF;

/** The cell of somebody who was in `cell`: it changes only beyond a margin around the old one. */
export function nextCell(cell: Cell, x: number, z: number, hysteresisM: number): Cell {
  if (cell === NO_CELL) return cellAt(x, z);
  const left = column(cell) * CELL_M - hysteresisM;
  const top = line(cell) * CELL_M - hysteresisM;
  const width = CELL_M + 2 * hysteresisM;
  const inside = x >= left && x < left + width && z >= top && z < top + width;
  return inside ? cell : cellAt(x, z);
}

/** Squared distance of two cells' centres, in cells. */
export function cellDistance(a: Cell, b: Cell): number {
  const columns = column(a) - column(b);
  const lines = line(a) - line(b);
  return columns * columns + lines * lines;
}

/** Squared distance in metres of a place from a cell and the margin around it; 0 inside. */
export function distanceToCell2(cell: Cell, x: number, z: number, marginM: number): number {
  const left = column(cell) * CELL_M - marginM;
  const top = line(cell) * CELL_M - marginM;
  const side = CELL_M + 2 * marginM;
  const dx = x < left ? left - x : x > left + side ? x - left - side : 0;
  const dz = z < top ? top - z : z > top + side ? z - top - side : 0;
  return dx * dx + dz * dz;
}
