interface PingSample {
  readonly rttMs: number;
  readonly offsetMs: number;
}
const SAMPLES_MAX = 16;

/**
 * The gateway's clock by ping. The sample with the shortest round trip waited least in queues, so
 * its offset is the least wrong (the clock filter of NTP, RFC 5905 §10).
 */
export class PingFilter {
  readonly #samples: PingSample[] = [];
  #smoothedMs = 0;

  note(sentMs: number, serverTimeMs: number, receivedMs: number): void {
    const rttMs = receivedMs - sentMs;
    if (rttMs < 0) return;
    this.#smoothedMs = this.#samples.length === 0 ? rttMs : this.#smoothedMs * 0.75 + rttMs * 0.25;
    this.#samples.push({ rttMs, offsetMs: serverTimeMs + rttMs / 2 - receivedMs });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** The recent round trip, smoothed; 0 before the first pong. */
  get rttMs(): number {
    return this.#smoothedMs;
  }
  get rttMsMin(): number {
    return this.#best?.rttMs ?? 0;
  }
  /** Add it to the local time to get the gateway's; undefined before the first pong. */
  get offsetMs(): number | undefined {
    return this.#best?.offsetMs;
  }

  get #best(): PingSample | undefined {
    let best: PingSample | undefined;
    for (const sample of this.#samples)
      if (best === undefined || sample.rttMs <= best.rttMs) best = sample;
    return best;
  }
}

const WINDOW_MS = 5_000;
/** Past this the clock jumps ahead; nearer, and always backwards, it runs faster or slower. */
const JUMP_MS = 250;
const FASTER = 0.1;
const SLOWER = 0.5;

/**
 * Room time on this machine. Frames carry the time of their tick and arrive late by the way they
 * took; the largest (tick time - arrival) of the last seconds is from the frame that took least.
 */
export class RoomTimeline {
  #windowStartMs = 0;
  #windowMax = Number.NEGATIVE_INFINITY;
  #previousMax = Number.NEGATIVE_INFINITY;
  #offsetMs: number | undefined;
  #shownAtMs = 0;
  #lastLeadMs: number | undefined;
  #jitterMs = 0;

  /** A frame of room time `atMs` arrived at local time `nowMs`. */
  note(atMs: number, nowMs: number): void {
    const leadMs = atMs - nowMs;
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#previousMax = this.#windowMax;
      this.#windowMax = Number.NEGATIVE_INFINITY;
      this.#windowStartMs = nowMs;
    }
    this.#windowMax = Math.max(this.#windowMax, leadMs);
    // RFC 3550 §6.4.1: the mean deviation of the spacing on arrival from the spacing when sent.
    if (this.#lastLeadMs !== undefined)
      this.#jitterMs += (Math.abs(leadMs - this.#lastLeadMs) - this.#jitterMs) / 16;
    this.#lastLeadMs = leadMs;
  }

  get jitterMs(): number {
    return this.#jitterMs;
  }

  /**
   * Room time now; `wayMs` is how long even the fastest frame was on its way, half a round trip.
   * Never goes back and never stands still, whatever the estimate does.
   */
  now(nowMs: number, wayMs: number): number {
    const largest = Math.max(this.#windowMax, this.#previousMax);
    if (largest === Number.NEGATIVE_INFINITY) return 0;
    const target = largest + wayMs;
    if (this.#offsetMs === undefined) this.#offsetMs = target;
    else {
      const elapsedMs = Math.max(0, nowMs - this.#shownAtMs);
      const errorMs = target - this.#offsetMs;
      if (errorMs > JUMP_MS) this.#offsetMs = target;
      else if (errorMs > 0) this.#offsetMs += Math.min(errorMs, elapsedMs * FASTER);
      else this.#offsetMs += Math.max(errorMs, -elapsedMs * SLOWER);
    }
    this.#shownAtMs = Math.max(this.#shownAtMs, nowMs);
    return nowMs + this.#offsetMs;
  }
}
