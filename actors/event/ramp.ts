/** Newcomers who may wait for nothing: those of this many ms at the ramp's rate. */
const BURST_MS = 500;

/**
 * How fast newcomers are let in, over all gateways (DESIGN 9): so many a second, each gateway by
 * how many wait there. A seat that was not taken up is not made up for. Pure.
 */
export class Ramp {
  readonly #perS: number;
  #allowance: number;
  #at: number;

  constructor(perS: number, now: number) {
    this.#perS = perS;
    this.#allowance = (perS * BURST_MS) / 1000;
    this.#at = now;
  }

  get perS(): number {
    return this.#perS;
  }

  /** How many of `want` may come now, where `share` (0 to 1) of all who wait are theirs. */
  admit(want: number, share: number, now: number): number {
    const burst = (this.#perS * BURST_MS) / 1000;
    const earned = ((now - this.#at) * this.#perS) / 1000;
    this.#allowance = Math.min(Math.max(1, burst), this.#allowance + Math.max(0, earned));
    this.#at = Math.max(now, this.#at);
    const fair = Math.max(1, Math.ceil(this.#allowance * share));
    return Math.max(0, Math.min(want, fair, Math.floor(this.#allowance)));
  }

  /** They have come. */
  spend(people: number): void {
    this.#allowance -= people;
  }
}
