import type { ProcessId } from "../../src/kernel/ids.ts";
import type { SeatsQuestion } from "../../src/protocol/room-messages.ts";

const GRANT_MS = 10_000;
const HOLD_MS = 60_000;

interface Grant {
  readonly shard: number;
  readonly seats: number;
}

interface Gateway {
  heardAt: number;
  shards: SeatsQuestion["shards"];
  grants: { readonly request: number; readonly until: number; readonly grant: Grant }[];
}

/**
 * What one owner of a stage was told and what it granted, as ST2 and ST4 count it: a report counts
 * in place of the one before, a grant until a report confirms it or it is 10 s old.
 */
export class SeatsLedger {
  readonly owner: ProcessId;
  readonly #gateways = new Map<ProcessId, Gateway>();

  constructor(owner: ProcessId) {
    this.owner = owner;
  }

  report(from: ProcessId, { answered, shards }: SeatsQuestion, now: number): void {
    for (const [process, gateway] of this.#gateways) {
      gateway.grants = gateway.grants.filter(({ until }) => until > now);
      if (process !== from && now - gateway.heardAt >= HOLD_MS) this.#gateways.delete(process);
    }
    const grants = this.#gateways.get(from)?.grants ?? [];
    const open = grants.filter(({ request }) => request > answered);
    this.#gateways.set(from, { heardAt: now, shards, grants: open });
  }

  grant(from: ProcessId, request: number, grant: Grant, now: number): void {
    this.#gateways.get(from)?.grants.push({ request, until: now + GRANT_MS, grant });
  }

  /** Seats of a shard that somebody has, or may give away. */
  taken(shard: number): number {
    let seated = 0;
    let members = 0;
    let promised = 0;
    for (const { shards, grants } of this.#gateways.values()) {
      for (const held of shards)
        if (held.shard === shard) {
          seated += held.seated;
          members = Math.max(members, held.members);
          promised += held.held;
        }
      for (const { grant } of grants) if (grant.shard === shard) promised += grant.seats;
    }
    return Math.max(seated, members) + promised;
  }

  /** Whom it has heard, and holds seats for. */
  get gateways(): ProcessId[] {
    return [...this.#gateways.keys()];
  }
}
