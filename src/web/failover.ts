/** One change of owner as this page lived through it. */
export interface Failover {
  readonly fromEpoch: number;
  readonly toEpoch: number;
  /** Between the last frame of the old owner and the first of the new one. */
  readonly tookMs: number;
}

/**
 * Measures how long the picture stood still when the room changed owners. Told of each frame that
 * counted, it answers with a failover when a frame is the first of a higher epoch.
 */
export class FailoverWatch {
  #epoch = 0;
  #lastFrameAt = 0;

  frame(epoch: number, nowMs: number): Failover | undefined {
    const before = this.#epoch;
    const tookMs = nowMs - this.#lastFrameAt;
    if (epoch < before) return undefined;
    this.#epoch = epoch;
    this.#lastFrameAt = nowMs;
    return before > 0 && epoch > before ? { fromEpoch: before, toEpoch: epoch, tookMs } : undefined;
  }
}

const SEQUENCE_SPAN = 2 ** 40;

/** An epoch as people read it: its sequence, after the generation once there were several. */
export function epochText(epoch: number): string {
  const generation = Math.floor(epoch / SEQUENCE_SPAN);
  const sequence = epoch % SEQUENCE_SPAN;
  return generation > 1 ? `${generation}.${sequence}` : String(sequence);
}
