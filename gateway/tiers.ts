/**
 * How often a client is sent a frame: every tick, every second, fifth or tenth one. At 10 Hz those
 * are 10, 5, 2 and 1 a second.
 */
const DIVIDERS = [1, 2, 5, 10] as const;
export const TIER_SLOWEST = DIVIDERS.length - 1;

/** True where clients of this tier are sent this frame of the room. */
export const frameDue = (frame: number, tier: number): boolean =>
  frame % (DIVIDERS[tier] as number) === 0;

/** How many frames of the room there are for one of a tier. */
export const framesFor = (tier: number): number => DIVIDERS[tier] as number;

export interface TierLimits {
  /** Frames that could not be written, within `calmFrames`, before the client is sent fewer. */
  readonly missesMax: number;
  /** An echo this many ticks behind says that the client does not keep up. */
  readonly echoTicksMax: number;
  /** Frames of the room without a miss before it is sent more again. */
  readonly calmFrames: number;
}

/**
 * The tier of one client. It falls by one where frames can not be written because earlier ones are
 * still pending, or where what the client says it has shown is too old; it rises by one after a
 * while without either, and waits twice as long each time it had to fall again soon after that. One
 * that is not heard is sent the fewest frames until it is, and then as many as before.
 */
export class Tier {
  /** The client is not heard. */
  silent = false;
  #at = 0;
  #misses = 0;
  #calm = 0;
  #patience = 1;
  /** The last change was to a faster one. */
  #rose = false;

  get at(): number {
    return this.silent ? TIER_SLOWEST : this.#at;
  }

  /** True where `written` has something to count. */
  get troubled(): boolean {
    return this.#at > 0 || this.#misses > 0 || this.#rose;
  }

  /** A frame went out. */
  written({ calmFrames }: TierLimits): void {
    if (!this.troubled || this.silent) return;
    this.#calm += DIVIDERS[this.#at] as number;
    if (this.#calm < calmFrames * this.#patience) return;
    this.#calm = 0;
    this.#misses = 0;
    this.#rose = this.#at > 0;
    if (this.#at > 0) this.#at--;
    else this.#patience = 1;
  }

  /** A frame was left out, because the last one is not through. */
  missed(limits: TierLimits): void {
    if (this.silent) return;
    this.#misses++;
    if (this.#misses >= limits.missesMax) this.#fall();
  }

  /** The client says how many ticks it is behind. */
  echoed(ageTicks: number, { echoTicksMax }: TierLimits): void {
    if (ageTicks > echoTicksMax) this.#fall();
  }

  #fall(): void {
    this.#misses = 0;
    this.#calm = 0;
    if (this.#at === TIER_SLOWEST) return;
    if (this.#rose) this.#patience = Math.min(8, this.#patience * 2);
    this.#rose = false;
    this.#at++;
  }
}
