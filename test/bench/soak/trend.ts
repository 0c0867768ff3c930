/** A figure at a time of a run. */
export interface Point {
  readonly atS: number;
  readonly value: number;
}

/** By how much a figure may grow over a run: a share of its median, and that much in any case. */
export interface GrowthLimit {
  readonly share: number;
  readonly least: number;
}

export interface Trend {
  readonly median: number;
  readonly growth_an_hour: number;
  /** Over the time of the points, by the slope that fits them. */
  readonly growth: number;
  readonly growth_max: number;
  readonly flat: boolean;
}

/** Of fewer points nothing can be said. */
const POINTS_MIN = 5;

/**
 * Where a figure goes, by the median of the slopes between all pairs of its points (Theil and Sen):
 * a few that stick out, as a collection or a neighbour's burst makes them, do not turn it. A figure
 * that falls is flat. Undefined where there are too few points.
 */
export function trendOf(points: readonly Point[], limit: GrowthLimit): Trend | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (points.length < POINTS_MIN || !first || !last) return undefined;
  const slope = medianSlope(points);
  const median = medianOf(points.map(({ value }) => value));
  const growth = slope * (last.atS - first.atS);
  const growthMax = Math.max(limit.least, limit.share * median);
  return {
    median: round(median),
    growth_an_hour: round(slope * 3_600),
    growth: round(growth),
    growth_max: round(growthMax),
    flat: growth <= growthMax,
  };
}

function medianSlope(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [i, from] of points.entries())
    for (const to of points.slice(i + 1))
      if (to.atS > from.atS) slopes.push((to.value - from.value) / (to.atS - from.atS));
  return medianOf(slopes);
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

const round = (value: number): number => Number(value.toFixed(2));
