import type { SeatsAnswer, SeatsQuestion, SeatWish } from "../src/protocol/room-messages.ts";

export interface SeatPoolLimits {
  /** The owner hears from this gateway at least so often. */
  readonly reportMs: number;
  /** Between two questions: who comes meanwhile is asked for in the next one. */
  readonly askMsMin: number;
  /** A question without an answer is asked again. */
  readonly answerMsMax: number;
  /** Seats that nobody came for are the event's again. */
  readonly holdMsMax: number;
  /** Seats asked for in one question. */
  readonly wantMax: number;
}

export const SEAT_POOL_LIMITS: SeatPoolLimits = {
  reportMs: 1_000,
  askMsMin: 40,
  answerMsMax: 500,
  holdMsMax: 3_000,
  wantMax: 256,
};

type Asked = Omit<SeatsQuestion, "door" | "reactions" | "stretch" | "url">;

/** How many wait, and how many of them for a seat wherever it is. */
interface Wanted {
  readonly waiting: number;
  readonly anywhere: number;
}

interface Held {
  seats: number;
  until: number;
}

/** Who sits in a shard by this gateway, and how many members its replica shows. */
export type Seated = ReadonlyMap<number, { readonly seated: number; readonly members: number }>;

/**
 * Seats of one event that this gateway may give away (DESIGN 9): the stage's owner grants some at a
 * time, so that thousands join in a second without a question for each. Pure.
 */
export class SeatPool {
  readonly #limits: SeatPoolLimits;
  readonly #held = new Map<number, Held>();
  /** Given away, and not yet among those who sit there. */
  readonly #coming = new Map<number, number>();
  #request = 0;
  #answered = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #retryAt = Number.NEGATIVE_INFINITY;

  constructor(limits: SeatPoolLimits = SEAT_POOL_LIMITS) {
    this.#limits = limits;
  }

  /** A seat for somebody, in the shard where most of the granted ones are. */
  take(now: number): number | undefined {
    let best: number | undefined;
    let most = 0;
    for (const [shard, { seats, until }] of this.#held) {
      if (until <= now) this.#held.delete(shard);
      else if (seats > most) [best, most] = [shard, seats];
    }
    const held = best === undefined ? undefined : this.#held.get(best);
    if (best === undefined || !held) return undefined;
    if (--held.seats === 0) this.#held.delete(best);
    this.coming(best);
    return best;
  }

  /** Somebody was given a seat there. */
  coming(shard: number): void {
    this.#coming.set(shard, (this.#coming.get(shard) ?? 0) + 1);
  }

  /** They sit there now, or did not come after all. */
  came(shard: number): void {
    const coming = (this.#coming.get(shard) ?? 0) - 1;
    if (coming > 0) this.#coming.set(shard, coming);
    else this.#coming.delete(shard);
  }

  /** True where the owner is to be asked, or told, now. */
  due(waiting: number, now: number): boolean {
    if (now - this.#askedAt >= this.#limits.reportMs) return true;
    const open = this.#request !== this.#answered;
    if (open && now - this.#askedAt < this.#limits.answerMsMax) return false;
    return waiting > 0 && now >= Math.max(this.#retryAt, this.#askedAt + this.#limits.askMsMin);
  }

  question(
    { anywhere, waiting }: Wanted,
    wishes: readonly SeatWish[],
    seated: Seated,
    now: number,
  ): Asked {
    this.#askedAt = now;
    const shards = new Set([...seated.keys(), ...this.#held.keys(), ...this.#coming.keys()]);
    for (const [shard, { until }] of this.#held) if (until <= now) this.#held.delete(shard);
    return {
      request: ++this.#request,
      answered: this.#answered,
      want: Math.min(anywhere, this.#limits.wantMax),
      waiting,
      wishes,
      shards: [...shards].map((shard) => ({
        shard,
        seated: seated.get(shard)?.seated ?? 0,
        held: (this.#held.get(shard)?.seats ?? 0) + (this.#coming.get(shard) ?? 0),
        members: seated.get(shard)?.members ?? 0,
      })),
    };
  }

  /** Takes the seats in. False where it is the answer to no question that is still open. */
  answer({ grants, request, retryAfterMs, wished }: SeatsAnswer, now: number): boolean {
    if (request !== this.#request || request === this.#answered) return false;
    this.#answered = request;
    const any = grants.length > 0 || wished.some(({ shard }) => shard !== null);
    this.#retryAt = any ? now : now + retryAfterMs;
    const until = now + this.#limits.holdMsMax;
    for (const { shard, seats } of grants) {
      const before = this.#held.get(shard)?.seats ?? 0;
      this.#held.set(shard, { seats: before + seats, until });
    }
    return true;
  }
}
