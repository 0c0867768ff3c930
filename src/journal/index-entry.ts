import { epochCompare } from "../kernel/epoch.ts";
import { decode, encode } from "../protocol/msgpack.ts";
import {
  BOOLEAN,
  COUNT,
  EPOCH,
  type Field,
  list,
  NUMBER,
  nullable,
  oneOf,
  PROCESS,
  ROOM,
  tuple,
  WORLD,
} from "../protocol/shape.ts";
import type { IndexEntry, MovesRound } from "./index-store.ts";

const CRASHES_MAX = 64;

const ENTRY = tuple({
  room: ROOM,
  world: WORLD,
  status: oneOf("wanted", "closed", "quarantined"),
  epoch: EPOCH,
  owner: nullable(PROCESS),
  crashedOn: list(PROCESS, CRASHES_MAX),
  immovable: BOOLEAN,
  changedAtMs: COUNT,
});
const ORDER = Object.keys(ENTRY.fields) as (keyof IndexEntry)[];

/** The value of an index key: a positional array in msgpack. */
export function encodeIndexEntry(entry: IndexEntry): Uint8Array {
  // The most recent crashes decide; an entry must not grow for ever.
  const kept = { ...entry, crashedOn: entry.crashedOn.slice(-CRASHES_MAX) };
  return encode(ORDER.map((name) => kept[name] ?? null));
}

/** Undefined where the bytes are no entry. */
export function decodeIndexEntry(data: Uint8Array): IndexEntry | undefined {
  const value = decode(data);
  const entry = value.ok ? (ENTRY as Field<ReturnType<typeof ENTRY>>)(value.value) : undefined;
  return entry && { ...entry, owner: entry.owner ?? undefined };
}

/** The rule of the index: an ownership is never replaced by an older one. */
export const mayReplace = (stored: IndexEntry | undefined, next: IndexEntry): boolean =>
  stored === undefined || epochCompare(next.epoch, stored.epoch) >= 0;

const ROUND = tuple({ round: COUNT, by: PROCESS, load: NUMBER });

export const encodeRound = ({ round, by, load }: MovesRound): Uint8Array =>
  encode([round, by, load]);

export function decodeRound(data: Uint8Array): MovesRound | undefined {
  const value = decode(data);
  return value.ok ? ROUND(value.value) : undefined;
}
