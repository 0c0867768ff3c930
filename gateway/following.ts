import type { PersonId } from "../src/kernel/ids.ts";
import type { Seat } from "../src/protocol/client-messages.ts";
import { ROW_BYTES, ROW_WORDS } from "../src/protocol/pose-row.ts";
import type { Interest, PickedRows } from "./interest.ts";
import type { Replica } from "./replica.ts";

/** A seat may be named before the record that gives it to somebody is here, by so much. */
const EARLY_MS = 5_000;

/** Somebody whom one client follows. */
interface Followed {
  readonly slot: number;
  readonly generation: number;
  /** Who sits there; undefined while nobody does. Generations come round after 256 people. */
  person: PersonId | undefined;
  /** The tick of the last row of theirs that this client was sent. */
  shownAt: number;
}

/**
 * Whom one client follows: their rows go to it at the rate of its frames, wherever they are. What a
 * frame holds that it shares with others is not sent twice. Gateways keep it for one membership on
 * one socket; the client says it again to the next.
 */
export class Following {
  #followed: Followed[];
  readonly #namedAt: number;

  constructor(seats: readonly Seat[], replica: Replica) {
    const bySlot = new Map(seats.map((seat) => [seat.slot, seat]));
    this.#namedAt = replica.at;
    this.#followed = [...bySlot.values()].map(({ slot, generation }) => {
      return { slot, generation, person: holder({ slot, generation }, replica), shownAt: 0 };
    });
  }

  /**
   * The rows to send behind a frame with those `picked`: of those who moved since their last row
   * here, as many as fit, who have waited longest first. Undefined where there is none.
   */
  tail(picked: PickedRows, interest: Interest): Uint8Array | undefined {
    const { replica, tailRowsMax, tick } = interest;
    this.#forgetGone(replica);
    const due: Followed[] = [];
    for (const followed of this.#followed) {
      const { slot, person, shownAt } = followed;
      if (person === undefined || !replica.hasRow(slot)) continue;
      if (picked.shownAt?.[slot] === tick) followed.shownAt = tick;
      else if (interest.movedSince(slot, shownAt)) due.push(followed);
    }
    if (due.length > tailRowsMax) due.sort((a, b) => a.shownAt - b.shownAt);
    const count = Math.min(due.length, tailRowsMax);
    if (count === 0) return undefined;
    const words = new Uint32Array(count * ROW_WORDS);
    for (let at = 0; at < count; at++) {
      const followed = due[at] as Followed;
      followed.shownAt = tick;
      const from = followed.slot * ROW_WORDS;
      words.set(replica.rows.subarray(from, from + ROW_WORDS), at * ROW_WORDS);
    }
    return new Uint8Array(words.buffer, 0, count * ROW_BYTES);
  }

  #forgetGone(replica: Replica): void {
    const early = replica.at - this.#namedAt <= EARLY_MS;
    const stays = (followed: Followed): boolean => {
      const person = holder(followed, replica);
      if (followed.person === undefined && early) followed.person = person;
      else return person !== undefined && person === followed.person;
      return true;
    };
    if (!this.#followed.every(stays)) this.#followed = this.#followed.filter(stays);
  }
}

const holder = ({ slot, generation }: Seat, replica: Replica): PersonId | undefined => {
  const member = replica.members.get(slot);
  return member?.generation === generation ? member.person : undefined;
};
