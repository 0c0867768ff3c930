/**
 * Time as an onlooker may hold it against a gateway: that of the frames that came. A frame that was
 * never sent is told as skipped, so a gap between two frames counts for no more than this.
 */
const GAP_MS_MAX = 250;

export class ViewClock {
  #nowMs = 0;
  #lastAt: number | undefined;

  get now(): number {
    return this.#nowMs;
  }

  /** Another frame, of this room time. */
  frame(at: number): void {
    const gap = this.#lastAt === undefined ? 0 : at - this.#lastAt;
    this.#nowMs += Math.min(GAP_MS_MAX, Math.max(0, gap));
    this.#lastAt = at;
  }
}
