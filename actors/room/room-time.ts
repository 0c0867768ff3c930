import type { Moment } from "./effects.ts";

/** Behind what was told before, room time goes at half the speed until the wall clock is there. */
const SLOWER = 0.5;

/**
 * A room's time under one owner: the wall clock's where that is ahead of all that was told before.
 * It never goes back, and it never stands still: clients draw movement by it, so rows that all have
 * one time are one moment, in which nobody can be seen to move.
 */
export class RoomTime {
  #at: number;
  #now: number;

  /** `at`: of the last record. */
  constructor(at: number, { now }: Moment) {
    this.#at = at;
    this.#now = now;
  }

  read({ now, wallNow }: Moment): number {
    const elapsedMs = Math.max(0, now - this.#now);
    this.#at = Math.max(wallNow, this.#at + elapsedMs * SLOWER);
    this.#now = now;
    return this.#at;
  }
}
