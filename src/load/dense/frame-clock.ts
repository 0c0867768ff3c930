/** Wall time comes in whole ms; this far off it may be before it is read anew. */
const OFF_MS_MAX = 0.1;
const EDGE_TRIES_MAX = 10;

/** How old a frame is when it comes, by the room's time in it. Its own clock counts in ms. */
export interface FrameClock {
  ageMs(readMs: number, at: number): number;
  /** Called once a second. */
  look(): void;
}

/** Rooms on this machine tell its wall time: compared with that in fractions of a ms. */
export class LocalFrameClock implements FrameClock {
  #offsetMs = edge();

  ageMs(readMs: number, at: number): number {
    return readMs + this.#offsetMs - at;
  }

  /** The machine's clock may have been set, or run at another speed for a while. */
  look(): void {
    const ahead = performance.now() + this.#offsetMs - Date.now();
    if (ahead < -OFF_MS_MAX || ahead > 1 + OFF_MS_MAX) this.#offsetMs = edge();
  }
}

/** Clocks of other machines are others: by how much it was slower than the fastest one (PR36). */
export class RemoteFrameClock implements FrameClock {
  #leastMs = Number.POSITIVE_INFINITY;

  ageMs(readMs: number, at: number): number {
    const apart = readMs - at;
    if (apart < this.#leastMs) this.#leastMs = apart;
    return apart - this.#leastMs;
  }

  look(): void {}
}

/** Looks, for 1 ms at most, when a millisecond begins; again where it was kept from looking. */
function edge(): number {
  let offset = 0;
  for (let tries = 0; tries < EDGE_TRIES_MAX; tries++) {
    const first = Date.now();
    let [now, readMs, beforeMs] = [first, performance.now(), 0];
    while (now === first) {
      beforeMs = readMs;
      now = Date.now();
      readMs = performance.now();
    }
    offset = now - readMs;
    if (readMs - beforeMs < OFF_MS_MAX) break;
  }
  return offset;
}
