import type { Room } from "../../src/client/room.ts";
import type { EventPublic } from "../../src/protocol/event-public.ts";
import type { AuditEntry } from "../../src/protocol/event-spec.ts";
import type { Word } from "./operator.ts";
import type { SimVisitor } from "./sim-visitor.ts";
import type { Accuse } from "./violation.ts";

/** A second, and the way of the word to the person. */
export const ENFORCED_MS = 1_500;
export const LOOK_MS = 250;

/** The stage as its journal has it. */
export interface StageTruth {
  readonly event: EventPublic | undefined;
  readonly audit: readonly AuditEntry[];
  /** Rises with each restore. */
  readonly generation: number;
}

interface Said extends Word {
  generation: number;
  acked: boolean;
  /** How often it may have been done. */
  readonly most: number;
}

interface Kicked {
  readonly visitor: SimVisitor;
  readonly room: Room<unknown>;
  calmMs: number;
}

/** EV4 and GW55: what operators say of persons holds, everywhere and at once; and EV9. */
export class ModerationChecker {
  readonly #truth: () => StageTruth;
  readonly #accuse: Accuse;
  readonly #words: Said[] = [];
  #kicked: Kicked[] = [];
  /** Undisturbed for so long: who is in although banned, and who is muted. */
  readonly #inMs = new Map<SimVisitor, number>();
  readonly #mutedMs = new Map<SimVisitor, number>();
  /** What came true, so that it can be seen that there was something to check. */
  readonly enforced = { acked: 0, refused: 0, kicks: 0, mutes: 0 };

  constructor(truth: () => StageTruth, accuse: Accuse) {
    this.#truth = truth;
    this.#accuse = accuse;
  }

  /** `twice`: the bus may bring it twice, and an order has nothing by which it is known again. */
  asked(word: Word, twice: boolean): void {
    const { generation } = this.#truth();
    this.#words.push({ ...word, generation, acked: false, most: twice ? 2 : 1 });
  }

  acked(word: Word, visitors: readonly SimVisitor[]): void {
    const said = this.#words.find(({ body, what, acked }) => !acked && same(word, { body, what }));
    if (!said) return;
    const { generation } = this.#truth();
    // What was decided before the journals came back may be answered after that.
    if (generation !== said.generation) return;
    said.acked = true;
    this.enforced.acked++;
    this.#audited("when it was acknowledged");
    if (word.what !== "event.kick") return;
    for (const visitor of visitors)
      if (visitor.name === word.person)
        for (const room of visitor.rooms) this.#kicked.push({ visitor, room, calmMs: 0 });
  }

  /** Every `LOOK_MS`. `calm`: whether anything is wrong with anybody whom it concerns. */
  look(visitors: readonly SimVisitor[], calm: (visitor: SimVisitor) => boolean): void {
    const { event } = this.#truth();
    if (!event) return;
    for (const visitor of visitors) {
      const isCalm = calm(visitor);
      const isIn = Object.hasOwn(event.bans, visitor.name) && visitor.rooms.length > 0;
      const inMs = isIn && isCalm ? (this.#inMs.get(visitor) ?? 0) + LOOK_MS : 0;
      this.#inMs.set(visitor, inMs);
      if (inMs === ENFORCED_MS)
        this.#accuse("moderation", `${visitor.name} is in ${names(visitor)}, and banned (GW55)`);
      const muted = Object.hasOwn(event.mutes, visitor.name) && isCalm;
      this.#mutedMs.set(visitor, muted ? (this.#mutedMs.get(visitor) ?? 0) + LOOK_MS : 0);
    }
    this.#kicked = this.#kicked.filter((kicked) => this.#stays(kicked, calm));
  }

  /** Says something; what is answered is told to the function that is given back. */
  said(visitor: SimVisitor): (status: string | undefined) => void {
    const muteNow = (): string => JSON.stringify(this.#truth().event?.mutes[visitor.name] ?? null);
    const longMuted = (this.#mutedMs.get(visitor) ?? 0) >= ENFORCED_MS;
    const mute = muteNow();
    return (status) => {
      if (status === "muted") this.enforced.mutes++;
      // It may have been lifted since the last look, or on the way of what was said.
      if (longMuted && mute !== "null" && muteNow() === mute && status === "ok")
        this.#accuse("moderation", `${visitor.name} is muted, and heard (GW55)`);
      const known = Object.keys(this.#truth().event?.mutes ?? {});
      if (status === "muted" && !known.includes(visitor.name) && !this.#ever("mute", visitor))
        this.#accuse("moderation", `${visitor.name} was never muted, and not heard`);
    };
  }

  /** True where somebody said that this person is to go. */
  expelled(visitor: SimVisitor): boolean {
    const gone = this.#ever("ban", visitor) || this.#ever("kick", visitor);
    if (gone) this.enforced.refused++;
    return gone;
  }

  settled(visitors: readonly SimVisitor[], here: (person: string) => number): void {
    const { event } = this.#truth();
    for (const person of Object.keys(event?.bans ?? {})) {
      const seats = here(person);
      if (seats > 0) this.#accuse("moderation", `${person} is banned, and has ${seats} seats`);
    }
    for (const visitor of visitors)
      if (event && Object.hasOwn(event.bans, visitor.name) && visitor.rooms.length > 0)
        this.#accuse("moderation", `${visitor.name} is banned, and in at the end`);
    this.#audited("at the end");
  }

  #stays(kicked: Kicked, calm: (visitor: SimVisitor) => boolean): boolean {
    const { room, visitor } = kicked;
    if (room.ended || !visitor.rooms.includes(room)) {
      this.enforced.kicks++;
      return false;
    }
    if (!calm(visitor)) return false;
    kicked.calmMs += LOOK_MS;
    if (kicked.calmMs < ENFORCED_MS) return true;
    this.#accuse("moderation", `${visitor.name} was kicked, and is in ${room.name} (GW55)`);
    return false;
  }

  #ever(what: string, { name }: SimVisitor): boolean {
    return this.#words.some(
      ({ person, what: said }) => said === `event.${what}` && person === name,
    );
  }

  /** EV9. Of words that were said more than once it is known how often at least and at most. */
  #audited(when: string): void {
    const { audit, generation } = this.#truth();
    const entries = countBy(audit);
    const asked = countBy(this.#words, ({ most }) => most);
    const acked = countBy(
      this.#words.filter((said) => said.acked && said.generation === generation),
    );
    for (const [word, most] of asked) {
      const found = entries.get(word) ?? 0;
      const least = acked.get(word) ?? 0;
      if (found < least || found > most)
        this.#accuse("audit", `${word} is there ${found} times ${when}, not ${least} to ${most}`);
    }
  }
}

type Spoken = Pick<Word, "what" | "body">;
const textOf = ({ what, body }: Spoken): string => `${what} ${JSON.stringify(body)}`;
const same = (a: Spoken, b: Spoken): boolean => textOf(a) === textOf(b);
const names = ({ rooms }: SimVisitor): string => rooms.map(({ name }) => name).join(" and ");

function countBy<W extends Spoken>(
  words: readonly W[],
  timesOf: (word: W) => number = () => 1,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words)
    counts.set(textOf(word), (counts.get(textOf(word)) ?? 0) + timesOf(word));
  return counts;
}
