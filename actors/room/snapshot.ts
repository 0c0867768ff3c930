import { snapshotDigest } from "../../src/journal/snapshot-digest.ts";
import type { SnapshotName } from "../../src/journal/snapshot-store.ts";
import { ROLE } from "../../src/protocol/client-messages.ts";
import { decode, encode } from "../../src/protocol/msgpack.ts";
import {
  ANY,
  BOOLEAN,
  bytes,
  COUNT,
  EPOCH,
  list,
  NUMBER,
  nullable,
  PERSON,
  type Read,
  SESSION,
  text,
  tuple,
  U8,
  U16,
  U32,
  WORLD,
} from "../../src/protocol/shape.ts";
import { RoomFold } from "./fold.ts";

const REPLY = tuple({ seq: COUNT, digest: bytes(8), status: text(48), data: ANY, index: COUNT });
const ROW = tuple({
  session: SESSION,
  person: PERSON,
  role: ROLE,
  slot: U16,
  generation: U8,
  attach: U32,
  connection: text(96),
  here: BOOLEAN,
  leftAt: NUMBER,
  last: COUNT,
  replies: list(REPLY, 64),
});
const SNAPSHOT = tuple({
  format: U8,
  world: WORLD,
  stateVersion: U32,
  index: COUNT,
  /** Stream sequence of the record at `index`: the predecessor of the first one not covered. */
  sequence: COUNT,
  at: NUMBER,
  epoch: EPOCH,
  admissions: COUNT,
  closed: BOOLEAN,
  created: BOOLEAN,
  attempt: nullable(tuple({ session: SESSION, seq: COUNT })),
  state: ANY,
  secret: ANY,
  sessions: list(ROW, 1_000_000),
});
const FORMAT = 1;

export interface EncodedSnapshot {
  readonly name: SnapshotName;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** Everything acked, replies included: a snapshot without them would run commands twice. */
export function encodeSnapshot(fold: RoomFold, sequence: number): EncodedSnapshot {
  const sessions = [...fold.sessions].map(([session, row]) => [
    session,
    row.person,
    row.role,
    row.slot,
    row.generation,
    row.attach,
    row.connection,
    row.here,
    row.leftAt,
    row.last,
    row.replies.map((r) => [r.seq, r.digest, r.status, r.data, r.index]),
  ]);
  const attempt = fold.attempt ? [fold.attempt.session, fold.attempt.seq] : null;
  const data = encode([
    FORMAT,
    fold.world,
    fold.stateVersion,
    fold.index,
    sequence,
    fold.at,
    fold.epoch,
    fold.admissions,
    fold.closed,
    fold.created,
    attempt,
    fold.document.state,
    fold.document.secret,
    sessions,
  ]);
  const digest = snapshotDigest(data);
  return { name: { index: fold.index, digest, bytes: data.length }, sequence, data };
}

export interface DecodedSnapshot {
  readonly fold: RoomFold;
  readonly sequence: number;
}

/** Undefined where the bytes are no snapshot of this format. */
export function decodeSnapshot(data: Uint8Array): DecodedSnapshot | undefined {
  const value = decode(data);
  const read = value.ok ? SNAPSHOT(value.value) : undefined;
  if (!read || read.format !== FORMAT) return undefined;
  const document = { state: read.state as object, secret: read.secret as object };
  const fold = new RoomFold(read.world, read.stateVersion, document);
  fold.index = read.index;
  fold.at = read.at;
  fold.epoch = read.epoch;
  fold.admissions = read.admissions;
  fold.closed = read.closed;
  fold.created = read.created;
  fold.attempt = read.attempt ?? undefined;
  for (const row of read.sessions) restore(fold, row);
  return { fold, sequence: read.sequence };
}

function restore(fold: RoomFold, { session, ...row }: Read<typeof ROW.fields>): void {
  fold.sessions.set(session, row);
  if (row.here) fold.seat(row.slot, session);
}
