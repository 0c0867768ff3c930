import { type Random, randomBelow } from "../../kernel/random.ts";
import type { Pose } from "../../protocol/pose-row.ts";
import { type WalkArea, Walker } from "../walker.ts";

/** How lively a crowd is. */
export interface GaitMix {
  /** Of all people at any time, how many are on their feet. */
  readonly movingShare: number;
  /** Between two poses of somebody who is, and of somebody who stands. */
  readonly movingMs: number;
  readonly standingMs: number;
}

const STANDING = 0;
/** People change between the two after 5 to 25 s, each at a time of their own. */
const TERM_MS_MIN = 5_000;
const TERM_MS_SPREAD = 20_000;

/** Somebody who walks about for a while, stands for a while, and says where they are each time. */
export class Gait {
  readonly #random: Random;
  readonly #mix: GaitMix;
  readonly #walker: Walker;
  #moving: boolean;
  #untilMs: number;
  #lastMs: number;
  pose: Pose;

  constructor(random: Random, area: WalkArea, mix: GaitMix, nowMs: number) {
    this.#random = random;
    this.#mix = mix;
    this.#walker = new Walker(random, area);
    this.#moving = random.next() < mix.movingShare;
    // The first term has partly gone by, so that not all change together.
    this.#untilMs = nowMs + random.next() * TERM_MS_SPREAD;
    this.#lastMs = nowMs;
    this.pose = { ...this.#walker.step(0), animation: STANDING };
  }

  get moving(): boolean {
    return this.#moving;
  }

  /** Moves on to now; answers in how many ms the next pose is due. */
  step(nowMs: number): number {
    if (nowMs >= this.#untilMs) {
      this.#untilMs = nowMs + TERM_MS_MIN + randomBelow(this.#random, TERM_MS_SPREAD);
      this.#moving = this.#random.next() < this.#mix.movingShare;
      this.#lastMs = nowMs;
    }
    if (!this.#moving) {
      // Who stands still says so at once, not when the next pose is due.
      if (this.pose.animation !== STANDING) this.pose = { ...this.pose, animation: STANDING };
      return this.#mix.standingMs;
    }
    this.pose = this.#walker.step(nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    return this.#mix.movingMs;
  }
}
