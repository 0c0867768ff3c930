import type { Member } from "../protocol/client-messages.ts";
import { type Pose, ROW_WORDS, rowGeneration, rowSlot } from "../protocol/pose-row.ts";
import { RoomTimeline } from "./clock-sync.ts";
import type { ClientLimits } from "./limits.ts";
import { PoseBuffer } from "./pose-buffer.ts";

/** While the delay changes, time is drawn so much slower or faster. */
const DELAY_SLEW = 0.2;
/** Nothing was drawn for so long: nobody sees a jump. */
const UNSEEN_MS = 1_000;

export interface PoseOfMember {
  readonly member: Member;
  readonly pose: Pose;
  /** Their connection is gone; the seat is held for a while. */
  readonly away: boolean;
}

/** Everybody's movement in room time: rows go in, poses to draw come out. */
export class Avatars {
  readonly #limits: ClientLimits;
  #timeline = new RoomTimeline();
  #buffer: PoseBuffer;
  /** Half of the shortest round trip: how late even the fastest frame is. */
  readonly #wayMs: () => number;
  #tickMs = 100;
  /** How far in the past it was drawn last, and when. */
  #delayMs: number | undefined;
  #drawnAtMs = 0;

  constructor(limits: ClientLimits, wayMs: () => number) {
    this.#limits = limits;
    this.#buffer = new PoseBuffer(limits);
    this.#wayMs = wayMs;
  }

  get jitterMs(): number {
    return this.#timeline.jitterMs;
  }

  roomTime(nowMs: number): number {
    return this.#timeline.now(nowMs, this.#wayMs());
  }

  joined(tickHz: number): void {
    if (tickHz > 0) this.#tickMs = 1000 / tickHz;
  }

  frame(atMs: number, nowMs: number): void {
    this.#timeline.note(atMs, nowMs);
    this.#buffer.frame(atMs);
  }

  /** Rows of somebody who is not seated there are of a member that is gone or not yet told. */
  rows(words: Uint32Array, atMs: number, seated: (slot: number, generation: number) => boolean) {
    for (let at = 0; at + ROW_WORDS <= words.length; at += ROW_WORDS) {
      const slot = rowSlot(words, at);
      const generation = rowGeneration(words, at);
      if (seated(slot, generation)) this.#buffer.add(slot, generation, atMs, words, at);
    }
  }

  /** From here on it is another room, with a time of its own. */
  clear(): void {
    this.#timeline = new RoomTimeline();
    this.#buffer = new PoseBuffer(this.#limits);
    this.#delayMs = undefined;
    this.#drawnAtMs = 0;
  }

  remove(slot: number, generation: number): void {
    this.#buffer.remove(slot, generation);
  }

  /**
   * What is wanted may change with one frame, when a room begins to tick more rarely. Were it taken
   * at once everybody would be drawn where they stood before.
   */
  #delay(atMs: number): number {
    const wantedMs = this.#buffer.delayMs(this.#tickMs, this.#timeline.jitterMs);
    // Somebody asks for the newest there is, or for a moment of long ago.
    if (!Number.isFinite(atMs)) return wantedMs;
    const elapsedMs = atMs - this.#drawnAtMs;
    const unseen = this.#delayMs === undefined || Math.abs(elapsedMs) > UNSEEN_MS;
    const stepMs = unseen ? Number.POSITIVE_INFINITY : Math.max(0, elapsedMs) * DELAY_SLEW;
    const delayMs = this.#delayMs ?? wantedMs;
    this.#delayMs = delayMs + Math.max(-stepMs, Math.min(stepMs, wantedMs - delayMs));
    this.#drawnAtMs = Math.max(this.#drawnAtMs, atMs);
    return this.#delayMs;
  }

  *poses(members: Iterable<Member>, atMs: number): Iterable<PoseOfMember> {
    const drawnMs = atMs - this.#wayMs() - this.#delay(atMs);
    for (const member of members) {
      const shown = this.#buffer.show(member.slot, member.generation, drawnMs);
      if (shown) yield { member, ...shown };
    }
  }
}
