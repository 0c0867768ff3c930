import type { StoredRecord } from "../../src/journal/journal.ts";
import { assert } from "../../src/kernel/assert.ts";
import {
  EPOCH_NONE,
  type Epoch,
  epochAt,
  epochCompare,
  epochGeneration,
} from "../../src/kernel/epoch.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import {
  decodeRecord,
  type JournalRecord,
  type RecordOf,
} from "../../src/protocol/journal-record.ts";
import type { RoomRecord } from "../../src/protocol/room-messages.ts";
import type { World } from "./define-room.ts";
import { RoomFold } from "./fold.ts";
import { publicRecord } from "./outlet.ts";

/** A record and its place in the stream. */
export interface PlacedRecord {
  readonly sequence: number;
  readonly record: JournalRecord;
}

/** What a claimed journal holds: where to start from and what to replay. */
export type RecoveryPlan =
  | {
      readonly kind: "replay";
      /** The snapshot to start from; undefined where the journal is whole. */
      readonly named: RecordOf<"named"> | undefined;
      readonly records: readonly PlacedRecord[];
    }
  | { readonly kind: "broken"; readonly why: string };

/** Where a chain goes on from. */
interface Link {
  readonly index: number;
  readonly sequence: number;
}

/**
 * Checks the chain from the last named snapshot (or the beginning) to the claim, which is known and
 * need not have been read: indexes are consecutive and each record names the sequence of its
 * predecessor. A follower that lags, a hole or a foreign record shows here, whatever the store
 * promised.
 */
export function planRecovery(
  stored: readonly StoredRecord[],
  claim: PlacedRecord,
  learned?: Learned,
): RecoveryPlan {
  const placed: PlacedRecord[] = [];
  for (const { sequence, data } of stored) {
    const record = decodeRecord(data);
    if (!record) return { kind: "broken", why: `no record at sequence ${sequence}` };
    if (sequence < claim.sequence) placed.push({ sequence, record });
  }
  placed.push(claim);
  let named: RecordOf<"named"> | undefined;
  if (!learned) for (const { record } of placed) if (record.type === "named") named = record;
  const from: Link = learned
    ? { index: learned.fold.index, sequence: learned.sequence }
    : { index: named?.snapshotIndex ?? 0, sequence: named?.sequence ?? 0 };
  const records = placed.filter(({ record }) => record.index > from.index);
  let previous = from;
  for (const { sequence, record } of records) {
    const follows = record.index === previous.index + 1 && record.previous === previous.sequence;
    if (!follows) return { kind: "broken", why: `hole before index ${record.index}` };
    previous = { index: record.index, sequence };
  }
  return { kind: "replay", named, records };
}

export interface Recovered {
  readonly fold: RoomFold;
  /** The replayed records as gateways see them; empty after a migration. */
  readonly told: readonly RoomRecord[];
  /** Records since the last named snapshot. */
  readonly replayed: number;
}

/** A room as it was when its last record stood at `sequence`: read before it is owned. */
export interface Learned extends Recovered {
  readonly sequence: number;
  /** What its owner says was written afterwards; the chain shows whether that is all. */
  readonly since?: readonly StoredRecord[];
}

/** Folds the records onto `start`. Runs no author's code but migrations. */
export function replay(
  world: World,
  start: Recovered | undefined,
  records: readonly PlacedRecord[],
  generation: number,
): Recovered {
  const fold = start?.fold ?? new RoomFold(world.name, 0, { state: {}, secret: {} });
  let told: RoomRecord[] = [...(start?.told ?? [])];
  for (const { sequence, record } of records) {
    const seen = publicRecord(fold, record);
    fold.index = record.index;
    fold.at = record.at;
    fold.epoch = record.type === "owner" ? epochAt(generation, sequence) : record.epoch;
    if (record.type === "batch")
      for (const entry of record.entries) fold.apply(entry, record.index);
    if (record.stateVersion > fold.stateVersion) {
      // Whoever followed the old shape can not follow a migration by patches.
      if (fold.created) told = [];
      migrate(world, fold, record.stateVersion);
      if (fold.created) continue;
    }
    told.push(seen);
  }
  return { fold, told, replayed: (start?.replayed ?? 0) + records.length };
}

function migrate(world: World, fold: RoomFold, version: number): void {
  const { migrations = {} } = world.definition;
  for (let to = fold.stateVersion + 1; to <= version && fold.created; to++) {
    const step = migrations[to];
    assert(step, `${world.name} has a migration to version ${to}`);
    fold.document = structuredClone(step(structuredClone(fold.document)));
  }
  fold.stateVersion = version;
}

/** Who owns a room, as its journal's tail tells it. */
export interface Ownership {
  readonly epoch: Epoch;
  /** The streams' as they were read. Where it is a later one than the epoch's, nobody owns. */
  readonly generation: number;
  readonly owner: ProcessId | undefined;
  /** What the next record continues from. */
  readonly index: number;
  readonly at: number;
  readonly stateVersion: number;
}

const NOBODY: Omit<Ownership, "generation"> = {
  epoch: EPOCH_NONE,
  owner: undefined,
  index: 0,
  at: 0,
  stateVersion: 0,
};

/** Undefined where the tail is no record of ours. */
export function ownershipOf(tail: {
  readonly generation: number;
  readonly sequence: number;
  readonly record: Uint8Array | undefined;
}): Ownership | undefined {
  const { generation } = tail;
  if (!tail.record) return { generation, ...NOBODY };
  const record = decodeRecord(tail.record);
  if (!record) return undefined;
  const { index, at, stateVersion } = record;
  if (record.type !== "owner")
    return { generation, epoch: record.epoch, owner: record.by, index, at, stateVersion };
  const epoch = epochAt(generation, tail.sequence);
  return { generation, epoch, owner: record.owner, index, at, stateVersion };
}

/**
 * True where a tail may be followed by a claim in place of `replaces`. What a restore or a rebuild
 * brought back is of an ownership whose node appends nothing any more, and perhaps of an older one
 * than anybody remembers: there every epoch of an earlier generation is as good.
 */
export function yieldsTo(now: Ownership, replaces: Epoch): boolean {
  if (epochCompare(now.epoch, replaces) === 0) return true;
  const { generation } = now;
  return epochGeneration(now.epoch) < generation && epochGeneration(replaces) < generation;
}
