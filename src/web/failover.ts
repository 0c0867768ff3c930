/** One change of owner as this page lived through it. */
export interface Failover {
  readonly fromEpoch: number;
  readonly toEpoch: number;
  /** Between the last frame of the old owner and the first of the new one. */
  readonly tookMs: number;
}

interface FrameTime {
  readonly epoch: number;
  /** Room time of the frame, which goes on across owners. */
  readonly atMs: number;
}

/**
 * Measures how long the picture stood still when the room changed owners. Told of each frame that
 * counted, it answers with a failover when a frame is the first of a higher epoch.
 */
export class FailoverWatch {
  #last: FrameTime | undefined;
  #lastHeardAt = 0;

  frame({ epoch, atMs }: FrameTime, nowMs: number): Failover | undefined {
    const last = this.#last;
    if (last && epoch < last.epoch) return undefined;
    const heardMs = nowMs - this.#lastHeardAt;
    this.#last = { epoch, atMs };
    this.#lastHeardAt = nowMs;
    if (!last || epoch === last.epoch) return undefined;
    // A page busy with drawing hears frames in bunches, which would hide the gap between them;
    // their room time tells it. The longer of both is never too short.
    const tookMs = Math.max(heardMs, atMs - last.atMs);
    return { fromEpoch: last.epoch, toEpoch: epoch, tookMs };
  }
}

const SEQUENCE_SPAN = 2 ** 40;

/** An epoch as people read it: its sequence, after the generation once there were several. */
export function epochText(epoch: number): string {
  const generation = Math.floor(epoch / SEQUENCE_SPAN);
  const sequence = epoch % SEQUENCE_SPAN;
  return generation > 1 ? `${generation}.${sequence}` : String(sequence);
}
