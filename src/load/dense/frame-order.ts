import { FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import { ROW_BYTES } from "../../protocol/pose-row.ts";

/** What a frame's head can have wrong. */
export type HeadBreach =
  | "frame_malformed"
  | "channel_foreign"
  | "epoch_stale"
  | "tick_not_rising"
  | "index_fell";

const GENERATION = 2 ** 40;
const generationOf = (epoch: number): number => Math.floor(epoch / GENERATION);

/**
 * The heads of all frames of all clients of a process: numbers in arrays, because it is looked at
 * for every frame there is.
 */
export class FrameOrder {
  readonly #ticks: Uint32Array;
  readonly #epochs: Float64Array;
  readonly #indexes: Float64Array;
  /** Ticks that no frame came of: conflated by the gateway, or lower rates than the room's. */
  skipped = 0;
  /** Frames with such a gap before them. */
  gaps = 0;
  epochsRisen = 0;

  constructor(clients: number) {
    this.#ticks = new Uint32Array(clients);
    this.#epochs = new Float64Array(clients);
    this.#indexes = new Float64Array(clients);
  }

  /** A new attach begins with whatever its gateway has. */
  forget(n: number): void {
    this.#epochs[n] = 0;
    this.#ticks[n] = 0;
    this.#indexes[n] = 0;
  }

  /** The last tick that client `n` was sent; 0 before the first. */
  tick(n: number): number {
    return this.#ticks[n] as number;
  }

  /** `length` bytes of a frame from `at` on, which client `n` was sent on `channel`. */
  check(
    n: number,
    channel: number,
    view: DataView,
    at: number,
    length: number,
  ): HeadBreach | undefined {
    if (length < FRAME_HEADER_BYTES) return "frame_malformed";
    if (FRAME_HEADER_BYTES + view.getUint16(at + 2, true) * ROW_BYTES > length)
      return "frame_malformed";
    if (view.getUint8(at + 1) !== channel) return "channel_foreign";
    const tick = view.getUint32(at + 4, true);
    const epoch = view.getFloat64(at + 16, true);
    const index = view.getFloat64(at + 24, true);
    const known = this.#epochs[n] as number;
    const told = this.#indexes[n] as number;
    if (epoch === known) {
      const step = tick - (this.#ticks[n] as number);
      if (step <= 0) return "tick_not_rising";
      if (step > 1) {
        this.skipped += step - 1;
        this.gaps++;
      }
      if (index < told) return "index_fell";
    } else {
      // Also where it is no number at all.
      if (!(epoch > known)) return "epoch_stale";
      if (known > 0) this.epochsRisen++;
      // A restored log begins where its copy ended.
      if (index < told && generationOf(epoch) === generationOf(known)) return "index_fell";
    }
    if (!(index >= 0)) return "frame_malformed";
    this.#epochs[n] = epoch;
    this.#ticks[n] = tick;
    this.#indexes[n] = index;
    return undefined;
  }
}
