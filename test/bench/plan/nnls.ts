/** One thing that was measured: how often each term was there, and what came of all together. */
export interface Row {
  readonly counts: readonly number[];
  readonly value: number;
  /** How much it weighs against the others. */
  readonly weight: number;
}

const SWEEPS_MAX = 200_000;
const STEP_MIN = 1e-10;

/**
 * The least squares of `rows` among coefficients that are not negative: one after the other is set
 * to what is best while the others stay, until none moves. The problem is convex, so that ends at
 * the best there is.
 */
export function nonNegativeLeastSquares(rows: readonly Row[], terms: number): number[] {
  const scale = columns(terms, (j) =>
    Math.sqrt(sum(rows, (row) => (at(row, j) * row.weight) ** 2)),
  );
  const matrix = rows.map((row) =>
    columns(terms, (j) => (scale[j] ? (at(row, j) * row.weight) / (scale[j] as number) : 0)),
  );
  const target = rows.map(({ value, weight }) => value * weight);
  const products = columns(terms, (i) =>
    columns(terms, (j) => sum(matrix, (row) => (row[i] as number) * (row[j] as number))),
  );
  const aims = columns(terms, (j) =>
    sum(matrix, (row, n) => (row[j] as number) * (target[n] as number)),
  );
  const found = columns(terms, () => 0);
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let moved = 0;
    for (let j = 0; j < terms; j++) {
      // Its column is of length 1, or there is nothing to be learned of it.
      if (!scale[j]) continue;
      const row = products[j] as number[];
      const before = found[j] as number;
      const slope = (aims[j] as number) - sum(row, (product, i) => product * (found[i] as number));
      const after = Math.max(0, before + slope);
      found[j] = after;
      moved = Math.max(moved, Math.abs(after - before));
    }
    if (moved < STEP_MIN) break;
  }
  return found.map((value, j) => (scale[j] ? value / (scale[j] as number) : 0));
}

const at = (row: Row, j: number): number => row.counts[j] ?? 0;
const columns = <T>(count: number, of: (j: number) => T): T[] =>
  Array.from({ length: count }, (_, j) => of(j));
const sum = <T>(all: readonly T[], of: (one: T, n: number) => number): number =>
  all.reduce((total, one, n) => total + of(one, n), 0);
