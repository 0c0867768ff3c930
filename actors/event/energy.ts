/** How long a burst of applause is felt. */
const HALF_LIFE_MS = 2_000;

/** Reactions a second, over all and smoothed: how loud the crowd is. Pure. */
export class Energy {
  #perS = 0;
  #total: number | undefined;
  #at = 0;

  /** `total`: of all reactions, ever. */
  hear(total: number, now: number): void {
    const elapsed = now - this.#at;
    if (this.#total !== undefined && elapsed > 0) {
      const weight = 1 - 0.5 ** (elapsed / HALF_LIFE_MS);
      const perS = (Math.max(0, total - this.#total) * 1000) / elapsed;
      this.#perS += (perS - this.#perS) * weight;
    }
    if (this.#total === undefined || elapsed > 0) {
      this.#total = total;
      this.#at = now;
    }
  }

  get perS(): number {
    return this.#perS;
  }
}
