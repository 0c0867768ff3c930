import type { PersonId } from "../src/kernel/ids.ts";
import { type EventPublic, inForce, type Silenced } from "../src/protocol/event-public.ts";
import type { SessionInit } from "./session.ts";

/** People whose last words are remembered; whoever said something longest ago is forgotten. */
const SPEAKERS_MAX = 20_000;

interface Said {
  readonly session: string;
  readonly seq: number;
  readonly at: number;
}

/** A command; a signal has no number. */
export interface Utterance {
  readonly name: string;
  readonly seq?: number;
}

/** What an event lets somebody say now; undefined where they may. */
export interface SpeechRules {
  refuses(who: SessionInit, utterance: Utterance): Silenced | undefined;
}

/** Who may say something now, of all who are in one event by this gateway (GW55, GW68). */
export class Speech {
  #event: EventPublic | undefined;
  #names: ReadonlySet<string> = new Set();
  /** Of everybody in the audience, as the event and its ladder say. */
  #slowMs = 0;
  /** In the order in which they spoke. */
  readonly #said = new Map<PersonId, Said>();

  hear(event: EventPublic | undefined, slowMs: number): void {
    this.#event = event;
    this.#names = new Set(event?.speech);
    this.#slowMs = Math.max(slowMs, event?.slowMs ?? 0);
    if (!this.#slow) this.#said.clear();
  }

  /** Undefined where it may be said, and then it counts as said. `at`: the stage's room time. */
  refuses(who: SessionInit, { name, seq }: Utterance, at: number): Silenced | undefined {
    const event = this.#event;
    if (!event || !this.#names.has(name)) return undefined;
    const { person, role, session } = who;
    const mute = Object.hasOwn(event.mutes, person) ? event.mutes[person] : undefined;
    if (inForce(mute, at)) return "muted";
    const own = Object.hasOwn(event.slows, person) ? (event.slows[person] ?? 0) : 0;
    const everyMs = Math.max(own, role === "audience" ? this.#slowMs : 0);
    if (everyMs === 0) return undefined;
    const last = this.#said.get(person);
    // It may be sent again until it is answered.
    if (last && last.session === session && seq !== undefined && last.seq === seq) return undefined;
    if (last && at - last.at < everyMs) return "slow_mode";
    this.#said.delete(person);
    this.#said.set(person, { session, seq: seq ?? 0, at });
    if (this.#said.size > SPEAKERS_MAX)
      for (const oldest of this.#said.keys()) {
        this.#said.delete(oldest);
        break;
      }
    return undefined;
  }

  get #slow(): boolean {
    return this.#slowMs > 0 || Object.keys(this.#event?.slows ?? {}).length > 0;
  }
}
