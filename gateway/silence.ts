export interface SilenceLimits {
  /** Clients are told again so often. */
  readonly suspendedRepeatMs: number;
}

/** When a room's owner was last heard, and when clients were last told that it is not. */
export class Silence {
  readonly #limits: SilenceLimits;
  #heardAt: number;
  #toldAt: number | undefined;

  constructor(limits: SilenceLimits, now: number) {
    this.#limits = limits;
    this.#heardAt = now;
  }

  forMs(now: number): number {
    return now - this.#heardAt;
  }

  /**
   * For how long, but for the `lateMs` for which this process had no time: what the owner said in
   * them is still to be read. To call it silent would be to write to thousands just then.
   */
  judge(now: number, lateMs: number): number {
    this.#heardAt = Math.min(now, this.#heardAt + lateMs);
    return this.forMs(now);
  }

  /** The owner speaks. True where clients believe that it does not. */
  heard(now: number): boolean {
    const resumes = this.#toldAt !== undefined;
    this.#heardAt = now;
    this.#toldAt = undefined;
    return resumes;
  }

  /** True where clients are to be told now that it has been silent for `silentMs`. */
  due(now: number, silentMs: number): boolean {
    if (this.forMs(now) < silentMs) return false;
    const told = this.#toldAt;
    if (told !== undefined && now - told < this.#limits.suspendedRepeatMs) return false;
    this.#toldAt = now;
    return true;
  }
}
