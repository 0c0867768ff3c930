import { encodePose } from "../protocol/frame.ts";
import { type Pose, packRow, ROW_WORDS } from "../protocol/pose-row.ts";
import type { ClientLimits } from "./limits.ts";

/**
 * What of one's own pose goes out and when: the latest wins, at most `poseHz` a second, and one
 * that stays the same only as a keep-alive. Only decides; the room asks at `nextDueMs`.
 */
export class PoseSender {
  readonly #limits: Pick<ClientLimits, "poseHz" | "poseKeepAliveMs">;
  /** Compared and sent as a row: a change below the quantum is none. */
  readonly #latest = new Uint32Array(ROW_WORDS);
  readonly #sent = new Uint32Array(ROW_WORDS);
  #posed = false;
  #fresh = true;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #counter = 0;

  constructor(limits: Pick<ClientLimits, "poseHz" | "poseKeepAliveMs">) {
    this.#limits = limits;
  }

  set(pose: Pose): void {
    packRow(this.#latest, 0, 0, 0, { ...pose, animation: pose.animation & 0x7f });
    this.#posed = true;
  }

  /** Another gateway serves this session: it has to hear the pose, moved or not. */
  reattached(): void {
    this.#fresh = true;
  }

  /** When there is something to send; undefined before the first pose. */
  nextDueMs(): number | undefined {
    if (!this.#posed) return undefined;
    const changed = this.#fresh || this.#latest.some((word, i) => word !== this.#sent[i]);
    return this.#sentAtMs + (changed ? 1000 / this.#limits.poseHz : this.#limits.poseKeepAliveMs);
  }

  /** The payload to send now, or undefined where it is not time. Counts as sent. */
  take(nowMs: number, channel: number): Uint8Array | undefined {
    const dueMs = this.nextDueMs();
    if (dueMs === undefined || dueMs > nowMs) return undefined;
    this.#sent.set(this.#latest);
    this.#fresh = false;
    this.#sentAtMs = nowMs;
    this.#counter = (this.#counter + 1) & 0xffff;
    return encodePose(channel, this.#counter, this.#latest);
  }
}
