import type { Journal } from "../../src/journal/journal.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { type Random, randomBelow } from "../../src/kernel/random.ts";
import type { StoreEvent } from "./store-history.ts";

/** What one writer takes for the last record. */
interface Belief {
  sequence: number;
  words: string;
}

const REPEATS_MAX = 4;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * Two processes that write to one room in turn, each by what it last heard of the journal, and note
 * what they see. What is undecided they repeat, as owners do, or they look what is there.
 */
export class HistoryLane {
  readonly events: StoreEvent[] = [];
  readonly room: RoomId;
  readonly #journals: readonly [Journal, Journal];
  readonly #random: Random;
  readonly #beliefs: [Belief, Belief] = [nothing(), nothing()];
  #writes = 0;

  constructor(room: RoomId, journals: readonly [Journal, Journal], random: Random) {
    this.room = room;
    this.#journals = journals;
    this.#random = random;
  }

  count(outcome: StoreEvent["outcome"], from = 0): number {
    return this.events.slice(from).filter((event) => event.outcome === outcome).length;
  }

  async step(): Promise<void> {
    const writer = randomBelow(this.#random, 2) as 0 | 1;
    const draw = this.#random.next();
    if (draw < 0.2) await this.#readTail(writer);
    else if (draw < 0.3) await this.#readThrough(writer, draw < 0.25);
    else await this.#write(writer, `w${++this.#writes}`, randomBelow(this.#random, REPEATS_MAX));
  }

  /** After it nothing undecided can land any more, since no earlier write expects this tail. */
  async end(): Promise<readonly string[] | undefined> {
    const before = this.events.length;
    if (!(await this.#readTail(0))) return undefined;
    await this.#write(0, `w${++this.#writes}`, 0);
    if (this.count("accepted", before) === 0) return undefined;
    return this.#readThrough(0, true);
  }

  async #write(writer: 0 | 1, words: string, repeats: number): Promise<void> {
    const belief = { ...this.#beliefs[writer] };
    for (let tries = 0; tries <= repeats; tries++) {
      const journal = this.#journals[writer];
      const done = await journal.append(this.room, belief.sequence, utf8.encode(words));
      this.events.push({ do: "append", words, expected: belief.words, outcome: done.kind });
      if (done.kind === "accepted") this.#beliefs[writer] = { sequence: done.sequence, words };
      if (done.kind === "accepted") return;
      if (done.kind === "refused") break;
    }
    await this.#readTail(writer);
  }

  async #readTail(writer: 0 | 1): Promise<boolean> {
    const tail = await this.#journals[writer].readTail(this.room);
    const words = tail.ok ? text.decode(tail.value.record ?? new Uint8Array(0)) : undefined;
    this.events.push({ do: "readTail", outcome: words });
    if (!tail.ok || words === undefined) return false;
    this.#beliefs[writer] = { sequence: tail.value.sequence, words };
    return true;
  }

  async #readThrough(writer: 0 | 1, leader: boolean): Promise<readonly string[] | undefined> {
    const journal = this.#journals[writer];
    const read = await journal.readThrough(this.room, Number.MAX_SAFE_INTEGER, { leader });
    const outcome = read.ok ? read.value.map(({ data }) => text.decode(data)) : undefined;
    this.events.push({ do: "readThrough", leader, outcome });
    return outcome;
  }
}

const nothing = (): Belief => ({ sequence: 0, words: "" });
