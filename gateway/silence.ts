export interface SilenceLimits {
  /** Clients are told again so often. */
  readonly suspendedRepeatMs: number;
  /** Of one silence at most so much is put down to this process. */
  readonly excusedMsMax: number;
}

/** When a room's owner was last heard, and when clients were last told that it is not. */
export class Silence {
  readonly #limits: SilenceLimits;
  #heardAt: number;
  #excusedMs = 0;
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
   * them is still to be read. To call it silent would be to write to thousands just then. Bounded:
   * a gateway that is always late has to find a dead owner's heir too.
   */
  judge(now: number, lateMs: number): number {
    const excusedMs = Math.min(
      lateMs,
      this.forMs(now),
      this.#limits.excusedMsMax - this.#excusedMs,
    );
    this.#excusedMs += excusedMs;
    this.#heardAt += excusedMs;
    return this.forMs(now);
  }

  /** The owner speaks. True where clients believe that it does not. */
  heard(now: number): boolean {
    const resumes = this.#toldAt !== undefined;
    this.#heardAt = now;
    this.#excusedMs = 0;
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
