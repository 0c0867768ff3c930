import type { Result } from "../src/kernel/result.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import type { SeatWish } from "../src/protocol/room-messages.ts";

export interface Refusal {
  readonly code: MembershipCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** How far somebody has come who waits to be let in. */
export interface Waiting {
  /** How many are before them. */
  readonly ahead: number;
  /** At all gateways. */
  readonly total: number;
  /** Null where nobody can say: doors are not open, or all seats are taken. */
  readonly etaMs: number | null;
}

/** Somebody who wants a seat. */
export interface Newcomer {
  readonly person: string;
  /** Undefined: they sit anywhere. */
  readonly wish: Omit<SeatWish, "before"> | undefined;
  /** False once they are gone. */
  wanted(): boolean;
  /** Where they wait, every now and then. */
  told(waiting: Waiting): void;
}

export interface Place {
  readonly shard: number;
  /** Another gateway that serves the shard anyway, by what clients dial. */
  readonly servedAt: string | null;
}

export interface InLine {
  readonly newcomer: Newcomer;
  readonly since: number;
  /** True for whom the event has asked over: they make room where they sit, and go first. */
  readonly askedOver: boolean;
  readonly settle: (seat: Result<Place, Refusal>) => void;
}

/** Where in the order of all who wait here; the same for all who were asked over. */
type Numbered = InLine & { readonly order: number };

/** Somebody who has named a place. */
export interface Wishing {
  readonly one: InLine;
  /** Of those who sit anywhere, so many came before them. */
  readonly before: number;
}

/** How all lines of an event move. */
export interface LineNews {
  /** At all gateways. */
  readonly waiting: number;
  /** How many this gateway may expect to seat in a second. */
  readonly perS: number;
}

/** Who waits for a seat at one gateway: one line, in the order they came. */
export class WaitingLine {
  readonly #anywhere: Numbered[] = [];
  /** Who has named a place is asked for one by one. */
  readonly #wishing: Numbered[] = [];
  #orders = 0;
  /** How far down the line people were told, and when. */
  #toldTo = 0;
  #toldAt: number;

  constructor(now: number) {
    this.#toldAt = now;
  }

  get length(): number {
    return this.#anywhere.length + this.#wishing.length;
  }

  /** Of them, those who sit anywhere. */
  get anywhere(): number {
    return this.#anywhere.length;
  }

  push(one: InLine): void {
    const order = one.askedOver ? 0 : ++this.#orders;
    const line = this.#lineOf(one);
    line.splice(countBefore(line, order + 1), 0, { ...one, order });
  }

  /** Everybody at once, to be told that it was in vain. */
  takeAll(): InLine[] {
    return [...this.#wishing.splice(0), ...this.#anywhere.splice(0)];
  }

  /** Those who have waited for so long. */
  takeLate(sinceMax: number): InLine[] {
    const late = [...this.#wishing, ...this.#anywhere].filter(({ since }) => since <= sinceMax);
    return late.filter((one) => this.leave(one));
  }

  /** The first of those who have named a place; they stay in line. */
  wishing(most: number): readonly Wishing[] {
    return this.#wishing
      .slice(0, most)
      .map((one) => ({ one, before: countBefore(this.#anywhere, one.order) }));
  }

  /** The first who sits anywhere. */
  get first(): InLine | undefined {
    return this.#anywhere[0];
  }

  /** False where they are not in line any more. */
  leave(one: InLine): boolean {
    const line: InLine[] = this.#lineOf(one);
    const at = line.indexOf(one);
    if (at >= 0) line.splice(at, 1);
    return at >= 0;
  }

  /**
   * Everybody is told every `everyMs`, some of them at each call: thousands at once would hold the
   * loop up. Answers who has gone meanwhile, for whom nobody is to wait.
   */
  tell(now: number, everyMs: number, news: LineNews | undefined): InLine[] {
    const share = (now - this.#toldAt) / everyMs;
    this.#toldAt = now;
    const gone: InLine[] = [];
    for (let left = Math.ceil(this.length * share); left > 0; left--) {
      if (this.#toldTo >= this.length) this.#toldTo = 0;
      const named = this.#toldTo < this.#wishing.length;
      const at = named ? this.#toldTo : this.#toldTo - this.#wishing.length;
      const next = (named ? this.#wishing : this.#anywhere)[at];
      if (!next) break;
      if (next.newcomer.wanted()) {
        const others = named ? this.#anywhere : this.#wishing;
        next.newcomer.told(this.#standing(at + countBefore(others, next.order), news));
        this.#toldTo++;
      } else if (this.leave(next)) gone.push(next);
    }
    return gone;
  }

  #standing(at: number, { perS = 0, waiting = 0 }: Partial<LineNews> = {}): Waiting {
    const here = this.length;
    const total = Math.max(here, waiting);
    // People wait in as many lines as there are gateways, which move alike.
    const ahead = Math.round((at * total) / here);
    return { ahead, total, etaMs: perS > 0 ? Math.round((at / perS) * 1000) : null };
  }

  #lineOf({ newcomer }: InLine): Numbered[] {
    return newcomer.wish === undefined ? this.#anywhere : this.#wishing;
  }
}

/** How many of a line, which is in order, are before that one. */
function countBefore(line: readonly Numbered[], order: number): number {
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((line[middle] as Numbered).order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}
