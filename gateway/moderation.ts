import { type EventPublic, inForce } from "../src/protocol/event-public.ts";
import type { Attendance } from "./attendance.ts";
import type { SpeechRules } from "./speech.ts";

interface Applied {
  /** The stage's room time. */
  readonly at: number;
  readonly now: number;
  /** Undefined while everybody may say what they like. */
  readonly speech: SpeechRules | undefined;
}

/** Bans end by themselves, which is looked at so often. */
const AGAIN_MS = 1_000;

export const BARRED = "this person may not come in";

/**
 * What an event's stage says of persons, carried out on everybody of the event at this gateway: who
 * is banned or kicked goes, who is muted is not heard. People are gone through only where something
 * was said, somebody came, or time has passed.
 */
export class Moderation {
  #event: EventPublic | undefined;
  /** By person: when the kick was said that was carried out last. */
  readonly #kicked = new Map<string, number>();
  #due = false;
  /** Somebody may be kept from speaking who is not to be any more. */
  #silencing = false;
  #appliedAt = Number.NEGATIVE_INFINITY;

  /** The stage's owner said something. */
  hear(event: EventPublic | undefined): void {
    const first = this.#event === undefined;
    this.#event = event;
    this.#due = true;
    // Whom it kicked before this gateway was there has gone already.
    if (first) this.#takeKicks();
  }

  /** Somebody is here who was not. */
  came(): void {
    this.#due = true;
  }

  /** `at`: the stage's room time. */
  bars(person: string, at: number): boolean {
    const bans = this.#event?.bans ?? {};
    return Object.hasOwn(bans, person) && inForce(bans[person], at);
  }

  due(now: number): boolean {
    return this.#event !== undefined && (this.#due || now - this.#appliedAt >= AGAIN_MS);
  }

  /** When it is due. */
  apply(rooms: readonly Attendance[], { at, now, speech }: Applied): void {
    const event = this.#event;
    if (!event) return;
    this.#due = false;
    this.#appliedAt = now;
    const kicked = this.#takeKicks();
    const idle = kicked.size === 0 && Object.keys(event.bans).length === 0;
    if (idle && !speech && !this.#silencing) return;
    this.#silencing = speech !== undefined;
    for (const attendance of rooms)
      for (const session of [...attendance.sessions]) {
        const { person } = session.init;
        if (kicked.has(person) || this.bars(person, at))
          attendance.expel(session, "kicked", BARRED);
        else session.speech = speech;
      }
  }

  /** Who is to go now. */
  #takeKicks(): ReadonlySet<string> {
    const kicks = this.#event?.kicks ?? {};
    const now = new Set<string>();
    for (const [person, at] of Object.entries(kicks)) {
      if (at > (this.#kicked.get(person) ?? 0)) now.add(person);
      this.#kicked.set(person, at);
    }
    for (const person of this.#kicked.keys())
      if (!Object.hasOwn(kicks, person)) this.#kicked.delete(person);
    return now;
  }
}
