/** Lets through `perSecond` on average and a burst above it. Full at the start. */
export class TokenBucket {
  #tokens: number;
  #filledAt: number;
  readonly #perMs: number;
  readonly #burst: number;

  constructor(limits: { readonly perSecond: number; readonly burst: number }, now: number) {
    this.#perMs = limits.perSecond / 1000;
    this.#burst = limits.burst;
    this.#tokens = limits.burst;
    this.#filledAt = now;
  }

  /** Takes `count`, or nothing where fewer are left. */
  take(now: number, count = 1): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }
}
