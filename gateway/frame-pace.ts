import { nextInPhase } from "../src/kernel/phase.ts";

/** What a gateway says about the frames of its rooms. */
export interface GatewayPace {
  /** How much longer than ticks frames are apart, while the gateway is behind. */
  stretch(): number;
  /** Of one more room. */
  phase(): number;
}

/** An event makes frames of a shard no more rarely than this, unless the shard ticks so. */
const EASED_MS_MAX = 1_000;

/**
 * Which ticks of a room make frames: every one, and fewer for everybody while this gateway is
 * behind. What the others brought goes into the next frame.
 */
export class FramePace {
  readonly #phase: number;
  readonly #frameMsMax: number;
  /** How much longer than ticks frames are apart because the event asks for less. */
  eased = 1;
  #dueAt = Number.NEGATIVE_INFINITY;
  #tickedAt = Number.NEGATIVE_INFINITY;
  #carried = new Set<number>();

  /** `phase`: rooms that leave ticks out do not all leave out the same ones. */
  constructor(phase: number, frameMsMax: number) {
    this.#phase = phase;
    this.#frameMsMax = frameMsMax;
  }

  /**
   * A tick brought the rows of `touched`: the slots whose rows the frame has to show that it makes,
   * or undefined where it makes none.
   */
  tick(
    touched: readonly number[],
    now: number,
    { tickMs, stretch }: { readonly tickMs: number; readonly stretch: number },
  ): readonly number[] | undefined {
    // The room may tick more rarely itself: then less is left out, or nothing.
    const sinceMs = Math.max(tickMs, Math.min(now - this.#tickedAt, this.#frameMsMax));
    this.#tickedAt = now;
    const behindMs = Math.min(tickMs * stretch, this.#frameMsMax);
    const easedMs = Math.min(tickMs * this.eased, EASED_MS_MAX);
    const frameMs = Math.max(tickMs, behindMs, easedMs);
    if (frameMs > tickMs && now < this.#dueAt - sinceMs / 2) {
      for (const slot of touched) this.#carried.add(slot);
      return undefined;
    }
    this.#dueAt = nextInPhase(now, frameMs, this.#phase);
    if (this.#carried.size === 0) return touched;
    const all = this.#carried;
    this.#carried = new Set();
    for (const slot of touched) all.add(slot);
    return [...all];
  }
}
