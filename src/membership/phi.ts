import { assert } from "../kernel/assert.ts";

/**
 * Phi-accrual (Hayashibara et al., 2004) with the logistic approximation of the normal distribution
 * that Akka uses: phi 8 means that so long a silence happens by chance about once in 10^8 beats
 * (the approximation overstates phi by 11 % at 5 deviations).
 */
export function phi(silenceMs: number, meanMs: number, deviationMs: number): number {
  return phiAt((silenceMs - meanMs) / deviationMs);
}

function phiAt(deviations: number): number {
  const e = Math.exp(-deviations * (1.5976 + 0.070566 * deviations * deviations));
  // log10(e / (1 + e)) without the overflow that e has far below the mean.
  return Number.isFinite(e) ? -Math.log10(e / (1 + e)) : 0;
}

/** How many deviations above the mean a silence must lie for phi to reach `threshold`. */
export function deviationsAt(threshold: number): number {
  assert(threshold > 0.31 && threshold < 100, "phi thresholds lie between even odds and certainty");
  let low = 0;
  let high = 40;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (phiAt(middle) < threshold) low = middle;
    else high = middle;
  }
  return high;
}

/** The last `samplesMax` intervals between beats, with their mean and deviation in O(1). */
export class Intervals {
  readonly #samples: number[] = [];
  readonly #samplesMax: number;
  #next = 0;
  #sum = 0;
  #squares = 0;

  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax;
  }

  get count(): number {
    return this.#samples.length;
  }

  add(intervalMs: number): void {
    const replaced = this.#samples.length === this.#samplesMax ? this.#samples[this.#next] : 0;
    const old = replaced ?? 0;
    this.#samples[this.#next] = intervalMs;
    this.#next = (this.#next + 1) % this.#samplesMax;
    this.#sum += intervalMs - old;
    this.#squares += intervalMs * intervalMs - old * old;
  }

  clear(): void {
    this.#samples.length = 0;
    this.#next = 0;
    this.#sum = 0;
    this.#squares = 0;
  }

  get meanMs(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  get deviationMs(): number {
    if (this.count === 0) return 0;
    return Math.sqrt(Math.max(0, this.#squares / this.count - this.meanMs ** 2));
  }
}
