import type { Journal } from "../../src/journal/journal.ts";
import type { SnapshotStore } from "../../src/journal/snapshot-store.ts";
import { backoffMs } from "../../src/kernel/backoff.ts";
import { type Clock, delay } from "../../src/kernel/clock.ts";
import { type Epoch, epochCompare, epochGeneration } from "../../src/kernel/epoch.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import type { Random } from "../../src/kernel/random.ts";
import { ok } from "../../src/kernel/result.ts";
import type { Observer } from "../../src/observe/observer.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import type { World } from "./define-room.ts";
import {
  type Learned,
  ownershipOf,
  type PlacedRecord,
  planRecovery,
  type Recovered,
  replay,
} from "./recovery.ts";
import { inTurn, type RoomHost } from "./room-host.ts";
import { decodeSnapshot } from "./snapshot.ts";

export interface ReaderPorts {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly observer: Observer;
  /** Migrations are author's code. */
  readonly turn: RoomHost["turn"];
}

/**
 * A claimed room as its journal and snapshots tell it. A follower may answer first, because that is
 * fast and the chain shows what it lacks; whoever gets `broken` asks again with `leader`.
 */
export async function readRoom(
  ports: ReaderPorts,
  room: RoomId,
  world: World,
  claim: PlacedRecord,
  leader: boolean,
  learned?: Learned,
): Promise<Recovered | "unavailable" | "broken"> {
  const { journal, snapshots, observer } = ports;
  const replayed = (start: Recovered | undefined, records: readonly PlacedRecord[]): Recovered =>
    inTurn(ports, room, () => replay(world, start, records, journal.generation));
  // What came before the claim has been there for a while, so a follower is likely to have it.
  const before = claim.record.previous;
  const after = learned?.sequence ?? 0;
  const told = learned?.since;
  const stored =
    before > after && !told
      ? await journal.readThrough(room, before, { leader, after })
      : ok(told ?? []);
  if (!stored.ok) return "unavailable";
  const plan = planRecovery(stored.value, claim, learned);
  if (plan.kind === "broken") {
    observer.log.warn({ room, why: plan.why, leader }, "journal chain broken");
    return "broken";
  }
  if (!plan.named) return replayed(learned, plan.records);
  const { snapshotIndex: index, digest, bytes } = plan.named;
  const data = await snapshots.get(room, { index, digest, bytes });
  if (!data.ok) return data.error === "missing" ? "broken" : "unavailable";
  const snapshot = decodeSnapshot(data.value);
  if (!snapshot || snapshot.fold.index !== index) return "broken";
  return replayed({ fold: snapshot.fold, told: [], replayed: 0 }, plan.records);
}

/** Followers may lag behind a record that was just written; the leader is slower to read from. */
const FOLLOWER_READS = 2;
/** A journal counts as broken when the leader, too, has shown it so twice. */
const READS_MAX = FOLLOWER_READS + 2;
const RETRY = { baseMs: 50, capMs: 500 };

/**
 * Reads a room that is owned until it is there, or known to be broken, or owned by somebody else.
 * What was told and what was learned before are used once: where they do not fit, all is read.
 */
export async function recoverRoom(
  ports: ReaderPorts & { readonly clock: Clock; readonly random: Random },
  room: RoomId,
  world: World,
  owned: { readonly claim: PlacedRecord; readonly epoch: Epoch; readonly learned?: Learned },
  wanted: () => boolean,
): Promise<Recovered | "broken" | "replaced" | "abandoned"> {
  const { clock, random, journal } = ports;
  let { learned } = owned;
  for (let attempt = 0; ; attempt++) {
    // What is missing to what was learned is milliseconds old: followers seldom have it yet.
    const leader = attempt >= FOLLOWER_READS || (learned !== undefined && !learned.since);
    const recovered = await readRoom(ports, room, world, owned.claim, leader, learned);
    learned = withoutTold(learned);
    if (!wanted()) return "abandoned";
    // A restore came in between: what was read is of two times, and a hole no sign of damage.
    if (journal.generation !== epochGeneration(owned.epoch)) return "replaced";
    if (recovered === "broken" && leader) {
      // A journal that a later owner, or a late trim, cuts while it is read looks broken.
      const standing = await readStanding(journal, room, owned.epoch);
      if (!wanted()) return "abandoned";
      if (standing === "replaced") return "replaced";
      if (attempt + 1 >= READS_MAX) return "broken";
    }
    if (typeof recovered === "object") return recovered;
    if (attempt > 0) await delay(clock, backoffMs(attempt, RETRY, random));
    if (!wanted()) return "abandoned";
  }
}

function withoutTold(learned: Learned | undefined): Learned | undefined {
  if (!learned?.since) return undefined;
  const { since, ...read } = learned;
  return read;
}

/** Reads a room that somebody else owns, up to its tail: whoever is to own it next does so. */
export async function learnRoom(
  ports: ReaderPorts,
  room: RoomId,
  world: World,
): Promise<Learned | undefined> {
  const tail = await ports.journal.readTail(room);
  const record = tail.ok && tail.value.record ? decodeRecord(tail.value.record) : undefined;
  if (!tail.ok || !record) return undefined;
  const { sequence } = tail.value;
  let recovered = await readRoom(ports, room, world, { sequence, record }, false);
  if (recovered === "broken")
    recovered = await readRoom(ports, room, world, { sequence, record }, true);
  return typeof recovered === "object" ? { ...recovered, sequence } : undefined;
}

/** Where an ownership stands by the journal's tail; an unreadable tail is nobody's. */
export type Standing = "owner" | "replaced" | "unknown_to_tail" | "unavailable";

export async function readStanding(
  journal: Pick<Journal, "readTail">,
  room: RoomId,
  epoch: Epoch,
): Promise<Standing> {
  const tail = await journal.readTail(room);
  if (!tail.ok) return "unavailable";
  // After a restore sequences go on from elsewhere: no ownership of before can append.
  if (tail.value.generation > epochGeneration(epoch)) return "replaced";
  const now = ownershipOf(tail.value);
  const order = now ? epochCompare(now.epoch, epoch) : -1;
  return order === 0 ? "owner" : order > 0 ? "replaced" : "unknown_to_tail";
}
