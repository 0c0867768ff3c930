import type { SeatMove } from "../../src/protocol/room-messages.ts";
import type { ShardHeld } from "./seating.ts";

export interface RegroupingLimits {
  readonly shardSize: number;
  /** A shard is emptied into others only after nobody has come for so long. */
  readonly calmMs: number;
  /** Whoever has not gone from a shard by then stays. */
  readonly emptyMsMax: number;
  /** People asked to move in a second, over the whole event. */
  readonly movesPerS: number;
  /** Of a shard's seats, those that people who are asked over may fill: newcomers have the rest. */
  readonly fillMax: number;
  /** Who was asked has gone by then, or has not. */
  readonly goMsMax: number;
}

export const REGROUPING_LIMITS: Omit<RegroupingLimits, "shardSize"> = {
  calmMs: 30_000,
  emptyMsMax: 60_000,
  movesPerS: 20,
  fillMax: 0.75,
  goMsMax: 3_000,
};

/** What is known when one gateway reports. */
export interface Regroup {
  /** What that gateway has of its shards. */
  readonly held: Iterable<ShardHeld>;
  /** People in each shard, over all gateways. */
  readonly seated: readonly number[];
  /** The same, with the seats that are promised. */
  readonly taken: readonly number[];
  /** A shard with a seat, for those of whom one has too many; may open one. */
  readonly elsewhere: () => number | undefined;
  readonly now: number;
}

/**
 * Which people are asked over to another shard as the crowd changes (DESIGN 9): out of one that has
 * more than it may, since an operator made shards smaller, and out of the one with the fewest once
 * the crowd has thinned so far that the others hold them with seats to spare. One shard is emptied
 * at a time, and gently: each move is a join to whom moves, and those before whom they appear see a
 * person come. All of it is asked, nothing is forced, and a lost word is asked again. Pure.
 */
export class Regrouping {
  readonly #limits: RegroupingLimits;
  #emptying: { readonly shard: number; readonly until: number } | undefined;
  #calmSince: number;
  #allowance = 0;
  #asked: (SeatMove & { readonly until: number })[] = [];
  #at: number;

  constructor(limits: RegroupingLimits, now: number) {
    this.#limits = limits;
    this.#calmSince = now;
    this.#at = now;
  }

  /** The shard that is being emptied: nobody is to be seated there. */
  get emptying(): number | undefined {
    return this.#emptying?.shard;
  }

  /** What this gateway is to ask of its people. */
  moves(regroup: Regroup): readonly SeatMove[] {
    const { held, seated, now } = regroup;
    this.#earn(now);
    this.#asked = this.#asked.filter(({ until }) => until > now);
    this.#choose(seated, now);
    const moves: SeatMove[] = [];
    for (const { shard, seated: here } of held) {
      if (this.#allowance < 1) break;
      const move = this.#move(shard, here, regroup);
      if (move === undefined) continue;
      moves.push(move);
      this.#allowance -= move.seats;
      this.#asked.push({ ...move, until: now + this.#limits.goMsMax });
    }
    return moves;
  }

  /** Somebody was given a seat just now: a crowd that grows stays where it is. */
  grow(now: number): void {
    this.#calmSince = now;
    this.#emptying = undefined;
  }

  #earn(now: number): void {
    const { movesPerS } = this.#limits;
    const earned = (Math.max(0, now - this.#at) * movesPerS) / 1_000;
    this.#allowance = Math.min(movesPerS, this.#allowance + earned);
    this.#at = Math.max(now, this.#at);
  }

  /** Asked lately, and perhaps on their way. */
  #going(mayBe: (move: SeatMove) => boolean): number {
    let going = 0;
    for (const move of this.#asked) if (mayBe(move)) going += move.seats;
    return going;
  }

  /** The shard with the fewest people, where all of them fit into others. */
  #choose(seated: readonly number[], now: number): void {
    const { calmMs, emptyMsMax, shardSize } = this.#limits;
    const { shard, until = 0 } = this.#emptying ?? {};
    if (shard !== undefined && now < until && (seated[shard] ?? 0) > 0) return;
    if (this.#emptying) this.grow(now);
    if (now - this.#calmSince < calmMs) return;
    let fewest: number | undefined;
    let room = 0;
    for (const [one, people] of seated.entries()) {
      if (people === 0) continue;
      room += this.#roomIn(people);
      if (fewest === undefined || people < (seated[fewest] ?? 0)) fewest = one;
    }
    if (fewest === undefined) return;
    const people = seated[fewest] ?? 0;
    if (people > shardSize / 2 || people > room - this.#roomIn(people)) return;
    this.#emptying = { shard: fewest, until: now + emptyMsMax };
  }

  #roomIn(people: number): number {
    return Math.max(0, Math.floor(this.#limits.shardSize * this.#limits.fillMax) - people);
  }

  #move(from: number, here: number, regroup: Regroup): SeatMove | undefined {
    const { elsewhere, seated } = regroup;
    const going = this.#going((move) => move.from === from);
    const surplus = (seated[from] ?? 0) - this.#limits.shardSize;
    const most = Math.floor(Math.min(this.#allowance, here));
    if (most === 0) return undefined;
    if (surplus > 0) {
      const to = surplus > going ? elsewhere() : undefined;
      return to === undefined ? undefined : { from, to, seats: Math.min(surplus - going, most) };
    }
    if (from !== this.#emptying?.shard) return undefined;
    const into = this.#fullest(from, regroup);
    return into && { from, to: into.shard, seats: Math.min(into.room, most) };
  }

  /** Of the shards with somebody in them and room: the one with the least of it. */
  #fullest(from: number, { seated, taken }: Regroup): { shard: number; room: number } | undefined {
    let best: { shard: number; room: number } | undefined;
    for (const [shard, people] of taken.entries()) {
      const room = this.#roomIn(people) - this.#going((move) => move.to === shard);
      if (shard === from || (seated[shard] ?? 0) === 0 || room <= 0) continue;
      if (!best || room < best.room) best = { shard, room };
    }
    return best;
  }
}
