import type { Journal } from "../../src/journal/journal.ts";
import type { SnapshotStore } from "../../src/journal/snapshot-store.ts";
import { type Epoch, epochCompare } from "../../src/kernel/epoch.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { ok } from "../../src/kernel/result.ts";
import type { Observer } from "../../src/observe/observer.ts";
import type { World } from "./define-room.ts";
import {
  ownershipOf,
  type PlacedRecord,
  planRecovery,
  type Recovered,
  replay,
} from "./recovery.ts";
import { decodeSnapshot } from "./snapshot.ts";

export interface ReaderPorts {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly observer: Observer;
}

/**
 * A claimed room as its journal and snapshots tell it. A follower may answer first, because that is
 * fast and the chain shows what it lacks; whoever gets `broken` asks again with `leader`.
 */
export async function readRoom(
  { journal, snapshots, observer }: ReaderPorts,
  room: RoomId,
  world: World,
  claim: PlacedRecord,
  leader: boolean,
): Promise<Recovered | "unavailable" | "broken"> {
  // What came before the claim has been there for a while, so a follower is likely to have it.
  const before = claim.record.previous;
  const stored = before > 0 ? await journal.readThrough(room, before, { leader }) : ok([]);
  if (!stored.ok) return "unavailable";
  const plan = planRecovery(stored.value, claim);
  if (plan.kind === "broken") {
    observer.log.warn({ room, why: plan.why, leader }, "journal chain broken");
    return "broken";
  }
  if (!plan.named) return replay(world, undefined, plan.records, journal.generation);
  const { snapshotIndex: index, digest, bytes } = plan.named;
  const data = await snapshots.get(room, { index, digest, bytes });
  if (!data.ok) return data.error === "missing" ? "broken" : "unavailable";
  const snapshot = decodeSnapshot(data.value);
  if (!snapshot || snapshot.fold.index !== index) return "broken";
  return replay(world, snapshot.fold, plan.records, journal.generation);
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
  const now = ownershipOf(tail.value);
  const order = now ? epochCompare(now.epoch, epoch) : -1;
  return order === 0 ? "owner" : order > 0 ? "replaced" : "unknown_to_tail";
}
