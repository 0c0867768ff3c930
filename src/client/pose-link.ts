import type { Clock, Timer } from "../kernel/clock.ts";
import type { Pose } from "../protocol/pose-row.ts";
import { checkPose } from "./arguments.ts";
import type { ClientLimits } from "./limits.ts";
import type { Membership } from "./membership.ts";
import { PoseSender } from "./pose-sender.ts";

type Live = Membership["live"];

/** Sends one's own poses, each when it is time, over whatever binding is live. */
export class PoseLink {
  readonly #clock: Clock;
  readonly #sender: PoseSender;
  readonly #live: () => Live;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    limits: Pick<ClientLimits, "poseHz" | "poseKeepAliveMs">,
    live: () => Live,
  ) {
    this.#clock = clock;
    this.#sender = new PoseSender(limits);
    this.#live = live;
  }

  set(pose: Pose): void {
    checkPose(pose);
    this.#sender.set(pose);
    this.#send();
  }

  /** Another gateway, or another room, has to hear the pose, moved or not. */
  attached(): void {
    this.#sender.reattached();
    this.#send();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Sends the pose if it is time, and comes back when it is the next time. */
  #send(): void {
    const live = this.#live();
    this.#timer?.cancel();
    if (!live) return;
    // Dropped, not queued, when the link is clogged: by then it would be an old pose anyway.
    const payload = this.#sender.take(this.#clock.now(), live.channel);
    if (payload && !live.connection.congested) live.connection.sendRaw(payload);
    const dueMs = this.#sender.nextDueMs();
    if (dueMs === undefined) return;
    const waitMs = Math.max(0, dueMs - this.#clock.now());
    this.#timer = this.#clock.after(waitMs, () => this.#send());
  }
}
