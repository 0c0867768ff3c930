/** Of sums of times that can not be told exactly, in ms. */
const ROUNDING_MS = 0.001;

/**
 * `perSecond` on average, and a burst above it. What was taken of it is one number, the time at
 * which all of it is there again: so there can be very many who share an allowance.
 */
export class Allowance {
  readonly #eachMs: number;
  readonly #burstMs: number;

  constructor({ burst, perSecond }: { readonly perSecond: number; readonly burst: number }) {
    this.#eachMs = 1000 / perSecond;
    this.#burstMs = burst * this.#eachMs + ROUNDING_MS;
  }

  /** Takes `count`: answers when all is there again. Takes nothing where fewer are left. */
  take(fullAt: number, now: number, count: number): number | undefined {
    const after = (fullAt > now ? fullAt : now) + count * this.#eachMs;
    return after - now > this.#burstMs ? undefined : after;
  }
}

/** An allowance of one's own. Full at the start. */
export class TokenBucket {
  readonly #allowance: Allowance;
  #fullAt: number;

  constructor(limits: { readonly perSecond: number; readonly burst: number }, now: number) {
    this.#allowance = new Allowance(limits);
    this.#fullAt = now;
  }

  /** Takes one, or nothing where none is left. */
  take(now: number): boolean {
    const fullAt = this.#allowance.take(this.#fullAt, now, 1);
    if (fullAt !== undefined) this.#fullAt = fullAt;
    return fullAt !== undefined;
  }
}
