/** Wall time comes in whole ms; this far off it may be before it is read anew. */
const OFF_MS_MAX = 0.1;

/** Wall time, which rooms tell in their frames, in fractions of a ms. */
export class WallClock {
  /** What to add to `performance.now()`. */
  offsetMs = edge();

  /** The machine's clock may have been set, or run at another speed for a while. */
  look(): void {
    const ahead = performance.now() + this.offsetMs - Date.now();
    if (ahead < -OFF_MS_MAX || ahead > 1 + OFF_MS_MAX) this.offsetMs = edge();
  }
}

/** Waits, for 1 ms at most, until a millisecond begins. */
function edge(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now - performance.now();
}
