import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { RoomRuntime } from "./room/runtime.ts";

/** At once on their way to serving. */
const UNDER_WAY_MAX = 128;
/**
 * A room that takes longer than this holds no place any more. A stream whose leader died freezes
 * its rooms for seconds, and rooms of other streams must not wait for them.
 */
const PLACE_MS_MAX = 150;

/**
 * Rooms that are to be taken over, in order. Many at once share their waits; but a node may be heir
 * to thousands, and if all of those began at once, all would be ready only at the end.
 */
export class Takeovers {
  #waiting: RoomRuntime[] = [];
  /** With the moment at which each gives its place up. */
  readonly #underWay = new Map<RoomRuntime, Timer>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(room: RoomRuntime): void {
    this.#waiting.push(room);
    this.#next();
  }

  /** It serves, or it ended, or it is not wanted any more. */
  done(room: RoomRuntime): void {
    const place = this.#underWay.get(room);
    place?.cancel();
    if (this.#underWay.delete(room)) return this.#next();
    this.#waiting = this.#waiting.filter((waiting) => waiting !== room);
  }

  /** Nothing begins any more. */
  close(): void {
    this.#waiting = [];
    for (const place of this.#underWay.values()) place.cancel();
    this.#underWay.clear();
  }

  #next(): void {
    while (this.#underWay.size < UNDER_WAY_MAX) {
      const room = this.#waiting.shift();
      if (!room) return;
      const place = this.#clock.after(PLACE_MS_MAX, () => {
        if (this.#underWay.delete(room)) this.#next();
      });
      this.#underWay.set(room, place);
      room.start();
    }
  }
}
