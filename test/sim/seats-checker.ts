import { gatewayOf } from "../../actors/room/fold.ts";
import type { ProcessId, RoomId, SessionId } from "../../src/kernel/ids.ts";
import { shardOf } from "../../src/protocol/event-names.ts";
import type { JournalRecord } from "../../src/protocol/journal-record.ts";
import type { Answered, EventShape } from "./event-world.ts";
import { SeatsLedger } from "./seats-ledger.ts";
import type { Accuse } from "./violation.ts";

const LISTEN_MS = 1_500;

/**
 * ST1 to ST5, at the stage's owner and in the shards' journals: what is granted is there, what is
 * given away was granted, and whoever sits has one seat.
 */
export class SeatsChecker {
  readonly #shape: EventShape;
  readonly #accuse: Accuse;
  /** By ownership of the stage. */
  readonly #ledgers = new Map<object, SeatsLedger>();
  /** By gateway and shard: seats that it was ever granted, and sessions that came by it. */
  readonly #granted = new Map<string, number>();
  readonly #came = new Map<string, Set<SessionId>>();
  readonly #shards = new Map<SessionId, RoomId>();
  seats = 0;

  constructor(shape: EventShape, accuse: Accuse) {
    this.#shape = shape;
    this.#accuse = accuse;
  }

  answered({ desk, owner, from, question, answer, now, openedAt }: Answered): void {
    const { shards, shardSize } = this.#shape;
    const ledger = this.#ledgers.get(desk) ?? new SeatsLedger(owner);
    this.#ledgers.set(desk, ledger);
    ledger.report(from, question, now);
    const grants = [...answer.grants, ...wished(answer)];
    if (grants.length > 0 && now - openedAt < LISTEN_MS)
      this.#accuse("seats", `${owner} grants after ${Math.round(now - openedAt)} ms (ST5)`);
    for (const { shard, seats } of grants) {
      const taken = ledger.taken(shard);
      if (shard >= shards) this.#accuse("seats", `${owner} grants in shard ${shard} of ${shards}`);
      if (taken + seats > shardSize)
        this.#accuse(
          "seats",
          `${owner} grants ${from} ${seats} seats in shard ${shard}, where ${taken} of ${shardSize} are taken (ST2)`,
        );
      ledger.grant(from, question.request, { shard, seats }, now);
      const key = `${from} ${shard}`;
      this.#granted.set(key, (this.#granted.get(key) ?? 0) + seats);
      this.seats += seats;
    }
  }

  /** Before the journal's truth has it. `known`: sessions that have been in this shard before. */
  landed(room: RoomId, record: JournalRecord, known: ReadonlyMap<string, unknown>): void {
    const shard = shardOf(room)?.shard;
    if (shard === undefined || record.type !== "batch") return;
    for (const entry of record.entries) {
      if (entry.type !== "attach") continue;
      const { session, connection } = entry;
      const before = this.#shards.get(session);
      if (before !== undefined && before !== room)
        this.#accuse("seats", `the session ${session} sits in ${before} and in ${room}`);
      this.#shards.set(session, room);
      if (!known.has(session)) this.#cameBy(gatewayOf(connection), shard, session);
    }
  }

  /** Every newcomer takes a seat that this gateway was granted. */
  #cameBy(gateway: ProcessId, shard: number, session: SessionId): void {
    const key = `${gateway} ${shard}`;
    const came = this.#came.get(key) ?? new Set();
    this.#came.set(key, came.add(session));
    const granted = this.#granted.get(key) ?? 0;
    if (came.size > granted)
      this.#accuse(
        "seats",
        `${came.size} people came to shard ${shard} by ${gateway}, which was granted ${granted} seats there`,
      );
  }

  /** More than its size in a shard, by its journal. */
  filled(room: RoomId, members: number): void {
    const { shardSize } = this.#shape;
    if (members > shardSize)
      this.#accuse("seats", `${members} people sit in ${room}, which has ${shardSize} seats`);
  }

  /** That of whoever owns the stage now, if anybody has asked it for seats. */
  ledgerOf(owner: ProcessId | undefined): SeatsLedger | undefined {
    return [...this.#ledgers.values()].findLast((ledger) => ledger.owner === owner);
  }
}

/** Seats that somebody had asked for by name or beside friends. */
export const wished = ({
  wished: wishes,
}: Answered["answer"]): { shard: number; seats: number }[] =>
  wishes.flatMap(({ shard }) => (shard === null ? [] : [{ shard, seats: 1 }]));
