import { assert } from "../../src/kernel/assert.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { AHEAD_MAX, GRANTS_MAX } from "../../src/protocol/room-messages.ts";

export interface SeatingLimits {
  /** People in a shard; its owner admits no more, whatever is thought here. */
  readonly shardSize: number;
  /** Shards that the event may have: its capacity over `shardSize`. */
  readonly shardsMax: number;
  /** Seats of one grant. */
  readonly grantSeatsMax: number;
  /** A grant that its gateway never confirmed is taken back. */
  readonly grantMsMax: number;
  /** A gateway silent for so long opens no shard, and its shards are others' to fill. */
  readonly silentMs: number;
  /** So long its people keep their seats: they come back by other gateways. */
  readonly holdMs: number;
}

export const SEATING_LIMITS: Omit<SeatingLimits, "shardSize" | "shardsMax"> = {
  grantSeatsMax: 256,
  grantMsMax: 10_000,
  silentMs: 3_000,
  holdMs: 60_000,
};

/** So many people may come to this shard, by the gateway that is told. */
export interface Grant {
  readonly shard: number;
  readonly seats: number;
}

/** What a gateway has of a shard: people who sit there, and seats that it may still give away. */
export interface ShardHeld {
  readonly shard: number;
  readonly seated: number;
  readonly held: number;
  /** Everybody there as it knows, by other gateways and away included. */
  readonly members: number;
}

interface Gateway {
  heardAt: number;
  /** Its last report. */
  shards: ReadonlyMap<number, ShardHeld>;
  /** Grants that the last report does not know of yet. */
  granted: {
    readonly request: number;
    readonly until: number;
    readonly grants: readonly Grant[];
  }[];
}

/**
 * Who may seat how many where, as the owner of an event knows it (DESIGN 9). All of it is hints:
 * it is made anew from the gateways' reports after a takeover, and a shard's owner alone admits.
 *
 * A shard is filled before the next is opened. While the crowd is small all gateways fill the same
 * one, so that few people do not stand in many halves; once there is a shard for each gateway, each
 * opens its own, so that a shard's frames go to one gateway and not to all. Pure.
 */
export class Seating {
  readonly #limits: SeatingLimits;
  readonly #gateways = new Map<ProcessId, Gateway>();
  /** By shard: who opened it, or filled it last where that one is silent. */
  readonly #homes: (ProcessId | undefined)[] = [];
  /** Its people are asked over to others, so nobody is sent there. */
  emptying: number | undefined;

  constructor(limits: SeatingLimits) {
    assert(limits.shardSize > 0 && limits.shardsMax > 0, "an event has seats");
    this.#limits = limits;
  }

  /** Shards that anybody was sent to. */
  get opened(): number {
    return this.#homes.length;
  }

  /** What a gateway has now. `answered`: the last request whose grants it has counted in. */
  report(from: ProcessId, answered: number, shards: readonly ShardHeld[], now: number): void {
    const known = shards.filter(({ shard }) => shard < this.#limits.shardsMax);
    const gateway = this.#gateway(from, now);
    gateway.shards = new Map(known.map((held) => [held.shard, held]));
    gateway.granted = gateway.granted.filter(({ request }) => request > answered);
    for (const { shard, seated } of known) {
      while (this.#homes.length <= shard) this.#homes.push(undefined);
      if (seated > 0) this.#homes[shard] ??= from;
    }
  }

  /** Seats for `want` people who come by this gateway; fewer, or none, where they are taken. */
  grant(from: ProcessId, request: number, want: number, now: number): readonly Grant[] {
    const gateway = this.#gateway(from, now);
    const taken = this.taken();
    const grants: Grant[] = [];
    let wanted = Math.min(want, this.#limits.grantSeatsMax);
    // Where shards are small, the others are asked for once more.
    while (wanted > 0 && grants.length < GRANTS_MAX) {
      const shard = this.#choose(from, taken, now);
      if (shard === undefined) break;
      const seats = Math.min(wanted, this.#limits.shardSize - (taken[shard] ?? 0));
      taken[shard] = (taken[shard] ?? 0) + seats;
      grants.push({ shard, seats });
      wanted -= seats;
    }
    const until = now + this.#limits.grantMsMax;
    if (grants.length > 0) gateway.granted.push({ request, until, grants });
    return grants;
  }

  /** True where this very shard has a seat left for somebody. */
  offers(shard: number): boolean {
    if (shard >= this.opened || shard === this.emptying) return false;
    return this.#free(shard, this.taken()) > 0;
  }

  /** A seat in this very shard, if there is one left. */
  grantAt(from: ProcessId, request: number, shard: number, now: number): Grant | undefined {
    if (!this.offers(shard)) return undefined;
    const grant = { shard, seats: 1 };
    this.#gateway(from, now).granted.push({
      request,
      until: now + this.#limits.grantMsMax,
      grants: [grant],
    });
    return grant;
  }

  /** Where this gateway's people may go whose shard has too many; opens one if it has to. */
  elsewhere(from: ProcessId, now: number): number | undefined {
    return this.#choose(from, this.taken(), now);
  }

  /**
   * Shards of this gateway's that nobody sits in, so many that its `share` of `people` more finds
   * seats; it opens them where there are too few. While shards are fewer than gateways, any seat is
   * as good as its own (ST3).
   */
  ahead(from: ProcessId, people: number, share: number, now: number): readonly number[] {
    const taken = this.taken();
    const own: number[] = [];
    let [ownFree, allFree] = [0, 0];
    const { shardSize, shardsMax } = this.#limits;
    const mine = Math.round(people * share);
    for (const [shard, home] of this.#homes.entries()) {
      if (shard === this.emptying) continue;
      const free = this.#free(shard, taken);
      allFree += free;
      if (home !== from) continue;
      if (free === shardSize && ownFree < mine) own.push(shard);
      ownFree += free;
    }
    const gateways = this.gateways(now);
    while (ownFree < mine && own.length < AHEAD_MAX && this.opened < shardsMax) {
      if (this.opened < gateways && allFree >= people) break;
      own.push(this.#homes.push(from) - 1);
      ownFree += shardSize;
      allFree += shardSize;
    }
    return own.slice(0, AHEAD_MAX);
  }

  /** The gateway that fills it. */
  homeOf(shard: number): ProcessId | undefined {
    return this.#homes[shard];
  }

  /** What a gateway said last of its shards. */
  heldBy(process: ProcessId): Iterable<ShardHeld> {
    return this.#gateways.get(process)?.shards.values() ?? [];
  }

  /** Forgets what is over. */
  expire(now: number): void {
    for (const [process, gateway] of this.#gateways) {
      gateway.granted = gateway.granted.filter(({ until }) => until > now);
      if (now - gateway.heardAt >= this.#limits.holdMs) this.#gateways.delete(process);
    }
    for (const [shard, home] of this.#homes.entries())
      if (home && !this.present(home, now)) this.#homes[shard] = undefined;
  }

  /** People in each shard: who sits there by a gateway, and at least the members that are known. */
  seated(): number[] {
    const seated = this.#homes.map(() => 0);
    const members = [...seated];
    for (const { shards } of this.#gateways.values())
      for (const held of shards.values()) {
        seated[held.shard] = (seated[held.shard] ?? 0) + held.seated;
        members[held.shard] = Math.max(members[held.shard] ?? 0, held.members);
      }
    return seated.map((one, shard) => Math.max(one, members[shard] ?? 0));
  }

  /** Gateways that report. */
  gateways(now: number): number {
    let present = 0;
    for (const process of this.#gateways.keys()) if (this.present(process, now)) present++;
    return present;
  }

  /** It reported lately. */
  present(process: ProcessId, now: number): boolean {
    const gateway = this.#gateways.get(process);
    return gateway !== undefined && now - gateway.heardAt < this.#limits.silentMs;
  }

  #gateway(process: ProcessId, now: number): Gateway {
    let gateway = this.#gateways.get(process);
    if (!gateway) {
      gateway = { heardAt: now, shards: new Map(), granted: [] };
      this.#gateways.set(process, gateway);
    }
    gateway.heardAt = now;
    return gateway;
  }

  /** Seats that are taken or promised, by shard. */
  taken(): number[] {
    const taken = this.seated();
    for (const { granted, shards } of this.#gateways.values()) {
      for (const { shard, held } of shards.values()) taken[shard] = (taken[shard] ?? 0) + held;
      for (const { grants } of granted)
        for (const { shard, seats } of grants) taken[shard] = (taken[shard] ?? 0) + seats;
    }
    return taken;
  }

  #free(shard: number, taken: readonly number[]): number {
    return Math.max(0, this.#limits.shardSize - (taken[shard] ?? 0));
  }

  #choose(from: ProcessId, taken: readonly number[], now: number): number | undefined {
    const own = this.#fullest(taken, (home) => home === from);
    if (own !== undefined) return own;
    const deserted = this.#fullest(taken, (home) => home === undefined);
    if (deserted !== undefined) {
      this.#homes[deserted] = from;
      return deserted;
    }
    const anyone = this.#fullest(taken, () => true);
    const few = this.opened < this.gateways(now);
    if (few && anyone !== undefined) return anyone;
    if (this.opened < this.#limits.shardsMax) return this.#homes.push(from) - 1;
    return anyone;
  }

  /** Of the shards with a seat left: that with the fewest. */
  #fullest(
    taken: readonly number[],
    mayBe: (home: ProcessId | undefined) => boolean,
  ): number | undefined {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [shard, home] of this.#homes.entries()) {
      const free = this.#free(shard, taken);
      if (free === 0 || free >= least || shard === this.emptying || !mayBe(home)) continue;
      [best, least] = [shard, free];
    }
    return best;
  }
}
