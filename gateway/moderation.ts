import { type EventPublic, inForce } from "../src/protocol/event-public.ts";
import type { Attendance } from "./attendance.ts";

export const BARRED = "this person may not come in";
/** A session that changes gateways while its person is kicked arrives this late at the most. */
const KICK_FOLLOWS_MS = 5_000;

/**
 * Who of an event is to go from this gateway, as its stage says. Whoever comes in is looked at when
 * they do, so people are gone through only where something was said: while thousands come, to look
 * at everybody for each of them would be all that a gateway does.
 */
export class Moderation {
  #event: EventPublic | undefined;
  /** True until the first look at people: whom it kicked long before that has gone already. */
  #fresh = true;
  /** By person: when the kick was said that was carried out last. */
  readonly #kicked = new Map<string, number>();
  #due = false;

  /** The stage's owner said something. */
  hear(event: EventPublic | undefined): void {
    this.#fresh ||= this.#event === undefined;
    this.#event = event;
    this.#due = true;
  }

  /** `at`: the stage's room time. */
  bars(person: string, at: number): boolean {
    const bans = this.#event?.bans ?? {};
    return Object.hasOwn(bans, person) && inForce(bans[person], at);
  }

  /** True where a session that comes from another gateway was kicked on its way. */
  bringsKick(person: string, at: number): boolean {
    const kicks = this.#event?.kicks ?? {};
    return Object.hasOwn(kicks, person) && (kicks[person] as number) > at - KICK_FOLLOWS_MS;
  }

  /** True where people are to be gone through. */
  get due(): boolean {
    return this.#event !== undefined && this.#due;
  }

  apply(rooms: readonly Attendance[], at: number): void {
    this.#due = false;
    const kicked = this.#takeKicks(this.#fresh ? at - KICK_FOLLOWS_MS : 0);
    this.#fresh = false;
    if (kicked.size === 0 && Object.keys(this.#event?.bans ?? {}).length === 0) return;
    for (const attendance of rooms)
      for (const session of [...attendance.sessions]) {
        const { person } = session.init;
        if (kicked.has(person) || this.bars(person, at))
          attendance.expel(session, "kicked", BARRED);
      }
  }

  /** Who is to go now: whose kick is later than the last one, and than `since`. */
  #takeKicks(since: number): ReadonlySet<string> {
    const kicks = this.#event?.kicks ?? {};
    const now = new Set<string>();
    for (const [person, at] of Object.entries(kicks)) {
      if (at > (this.#kicked.get(person) ?? since)) now.add(person);
      this.#kicked.set(person, at);
    }
    for (const person of this.#kicked.keys())
      if (!Object.hasOwn(kicks, person)) this.#kicked.delete(person);
    return now;
  }
}
