/** Of durations in ms; zeros where nothing was recorded. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Neighbouring buckets are 2 % apart, so a percentile is off by at most 2 %. */
const GROWTH = Math.log(1.02);
const FLOOR_MS = 0.01;
/** 0.01 ms to 28 hours. */
const BUCKETS = Math.ceil(Math.log(1e8 / FLOOR_MS) / GROWTH);

/** What one process tells another: the buckets that hold something, as pairs of place, count. */
export interface ExportedPercentiles {
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
  readonly sum: number;
  readonly max: number;
}

/** Durations in buckets of rising width: bounded memory, and the sum of two is exact. */
export class Percentiles {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  record(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(ms, FLOOR_MS) / FLOOR_MS) / GROWTH);
    const at = Math.min(bucket, BUCKETS - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    this.#sum += ms;
    this.#max = Math.max(this.#max, ms);
  }

  merge(other: Percentiles): void {
    this.absorb(other.exported());
  }

  exported(): ExportedPercentiles {
    const buckets: [number, number][] = [];
    for (let i = 0; i < BUCKETS; i++) {
      const count = this.#counts[i] as number;
      if (count > 0) buckets.push([i, count]);
    }
    return { buckets, sum: this.#sum, max: this.#max };
  }

  absorb({ buckets, max, sum }: ExportedPercentiles): void {
    for (const [bucket, count] of buckets) {
      this.#counts[bucket] = (this.#counts[bucket] as number) + count;
      this.#count += count;
    }
    this.#sum += sum;
    this.#max = Math.max(this.#max, max);
  }

  /** The duration that a share of all do not exceed. */
  at(share: number): number {
    const wanted = Math.ceil(share * this.#count);
    let seen = 0;
    for (let i = 0; i < BUCKETS && wanted > 0; i++) {
      seen += this.#counts[i] as number;
      if (seen >= wanted) return Math.min(FLOOR_MS * Math.exp((i + 1) * GROWTH), this.#max);
    }
    return 0;
  }

  summary(): Summary {
    return {
      count: this.#count,
      mean: this.#count === 0 ? 0 : this.#sum / this.#count,
      p50: this.at(0.5),
      p90: this.at(0.9),
      p99: this.at(0.99),
      p999: this.at(0.999),
      max: this.#max,
    };
  }
}

/** Exact percentiles (nearest rank) of values that are all at hand. */
export function percentiles(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count: sorted.length,
    mean: sorted.length === 0 ? 0 : sum / sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted.at(-1) ?? 0,
  };
}
