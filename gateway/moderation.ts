import { type EventPublic, inForce } from "../src/protocol/event-public.ts";
import type { Attendance } from "./attendance.ts";

export const BARRED = "this person may not come in";

/**
 * Who of an event is to go from this gateway, as its stage says. Whoever comes in is looked at when
 * they do, so people are gone through only where something was said: while thousands come, to look
 * at everybody for each of them would be all that a gateway does.
 *
 * A kick ends what its person began before it, wherever that is by now: a session takes the moment
 * of its beginning along from gateway to gateway. So it strikes once, and nobody escapes it.
 */
export class Moderation {
  #event: EventPublic | undefined;
  /** The kicks that people here were gone through for, as text. */
  #carriedOut = "{}";
  #due = false;

  /** The stage's owner said something. */
  hear(event: EventPublic | undefined): void {
    this.#event = event;
    this.#due = true;
  }

  /** `at`: the stage's room time. */
  bars(person: string, at: number): boolean {
    const bans = this.#event?.bans ?? {};
    return Object.hasOwn(bans, person) && inForce(bans[person], at);
  }

  /** True where what the person began at `began`, by the stage's room time, was kicked since. */
  kicked(person: string, began: number): boolean {
    const kicks = this.#event?.kicks ?? {};
    return Object.hasOwn(kicks, person) && (kicks[person] as number) > began;
  }

  /** True where people are to be gone through. */
  get due(): boolean {
    return this.#event !== undefined && this.#due;
  }

  apply(rooms: readonly Attendance[], at: number): void {
    this.#due = false;
    const { bans = {}, kicks = {} } = this.#event ?? {};
    const said = JSON.stringify(kicks);
    const kicking = said !== this.#carriedOut;
    this.#carriedOut = said;
    if (!kicking && Object.keys(bans).length === 0) return;
    for (const attendance of rooms)
      for (const session of [...attendance.sessions]) {
        const { began, person } = session.init;
        if (this.kicked(person, began) || this.bars(person, at))
          attendance.expel(session, "kicked", BARRED);
      }
  }
}
