import { backoffMs } from "../kernel/backoff.ts";
import { type Random, randomBelow } from "../kernel/random.ts";
import type { ClientLimits } from "./limits.ts";

/** Which gateway to try next, and when. The first is chosen at random, so that crowds spread. */
export class DialPlan {
  readonly #backoff: ClientLimits["backoff"];
  readonly #random: Random;
  #last: string | undefined;
  #attempt = 0;
  #notBeforeMs = 0;
  #preferred: string | undefined;

  constructor(backoff: ClientLimits["backoff"], random: Random) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** Failures since the last connection that held. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Where the next attempt goes, if the application knows that gateway too; else nowhere. */
  prefer(url: string): void {
    this.#preferred = url;
  }

  /** The one after the last: every other url comes before the same one again. */
  next(urls: readonly string[]): string | undefined {
    const preferred = this.#preferred;
    this.#preferred = undefined;
    if (preferred !== undefined && !urls.includes(preferred)) return undefined;
    if (preferred !== undefined) {
      this.#last = preferred;
      return preferred;
    }
    const last = this.#last === undefined ? -1 : urls.indexOf(this.#last);
    const at = last < 0 ? randomBelow(this.#random, urls.length) : (last + 1) % urls.length;
    this.#last = urls[at];
    return this.#last;
  }

  /** How long to wait before the next attempt. A server's word is a floor; jitter comes on top. */
  delayMs(nowMs: number): number {
    const jitterMs = backoffMs(this.#attempt++, this.#backoff, this.#random);
    return Math.max(0, this.#notBeforeMs - nowMs) + jitterMs;
  }

  /** A gateway asked not to be called, nor any other, before that time. */
  notBefore(atMs: number): void {
    this.#notBeforeMs = atMs;
  }

  /** A connection held: what failed before it counts no more. */
  held(): void {
    this.#attempt = 0;
  }
}
