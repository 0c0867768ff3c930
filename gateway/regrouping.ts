import { isOnStage } from "../src/protocol/client-messages.ts";
import type { Attendance } from "./attendance.ts";
import type { Session } from "./session.ts";

/** Who was asked to move, and is still there, is asked again after so long. */
const ASK_AGAIN_MS = 20_000;

/** Asks people of a shard over to another one. Who cannot go, or will not, stays. */
export class Movers {
  readonly #askedAt = new WeakMap<Session, number>();
  /** Where people were asked over to, the earliest first. */
  readonly #expected = new Map<string, { readonly room: string; readonly until: number }>();

  /** `room`: where to, by the name that a client joins it with. */
  ask({ sessions }: Pick<Attendance, "sessions">, room: string, people: number, now: number): void {
    let left = people;
    for (const [person, { until }] of this.#expected)
      if (until <= now) this.#expected.delete(person);
    for (const session of sessions) {
      if (left === 0) return;
      const { channel, person, role } = session.init;
      const asked = this.#askedAt.get(session) ?? Number.NEGATIVE_INFINITY;
      if (isOnStage(role) || !session.viewer.admitted || now - asked < ASK_AGAIN_MS) continue;
      this.#askedAt.set(session, now);
      this.#expected.set(person, { room, until: now + ASK_AGAIN_MS });
      session.link.tell({ type: "moveTo", channel, room });
      left--;
    }
  }

  /** True where they come because they were asked. */
  expects(person: string, room: string, now: number): boolean {
    const expected = this.#expected.get(person);
    return expected !== undefined && expected.room === room && now < expected.until;
  }
}
