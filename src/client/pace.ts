/**
 * A token bucket. Gateways count what a socket sends and at last close it for good, so this side
 * stays below: a queue here is answered in order, a refusal there costs a second and a strike.
 */
export class Pace {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = 0;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes `cost` tokens, at most what the bucket holds; false where they are not there yet. */
  take(cost: number, nowMs: number): boolean {
    this.#refill(nowMs);
    const wanted = Math.min(cost, this.#burst);
    // Time is a float: a wait computed to the token may come back a rounding error short.
    if (this.#tokens < wanted - 1e-6) return false;
    this.#tokens -= wanted;
    return true;
  }

  /** When `take` would say yes. */
  readyMs(cost: number, nowMs: number): number {
    this.#refill(nowMs);
    const missing = Math.min(cost, this.#burst) - this.#tokens;
    return missing <= 0 ? nowMs : nowMs + (missing / this.#perSecond) * 1000;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#perSecond);
    this.#atMs = nowMs;
  }
}
