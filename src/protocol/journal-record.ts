import { RECORD_ITEMS_MAX, ROLE } from "./client-messages.ts";
import { decode, encode } from "./msgpack.ts";
import { PATCHES } from "./patches.ts";
import { ROOM_EVENT } from "./room-messages.ts";
import {
  ANY,
  bytes,
  COUNT,
  EPOCH,
  family,
  list,
  type MessageOf,
  NUMBER,
  PERSON,
  PROCESS,
  SESSION,
  text,
  U8,
  U16,
  U32,
  WORLD,
} from "./shape.ts";

const EVENTS = list(ROOM_EVENT, 1024);
/** What an author's hook changed and said: replay needs nothing else of it. */
const WRITES = { patches: PATCHES, events: EVENTS };

/** What happened, in order, inside one batch. The outcome is recorded, never the call. */
export const journalEntry = family({
  command: [
    1,
    {
      session: SESSION,
      seq: COUNT,
      /** First 8 bytes of SHA-256 over name and body. */
      digest: bytes(8),
      status: text(48),
      data: ANY,
      ...WRITES,
    },
  ],
  attach: [
    2,
    {
      session: SESSION,
      attach: U32,
      /** `<gateway process>#<number>`: the socket. */
      connection: text(96),
      person: PERSON,
      role: ROLE,
      slot: U16,
      generation: U8,
      ...WRITES,
    },
  ],
  leave: [3, { session: SESSION, attach: U32, reason: text(48), ...WRITES }],
  /** The room's own doing: onTick, or the return of slow work. */
  system: [4, { cause: text(48), ...WRITES }],
  /** A resent command is about to run alone. If this stays the last entry, it killed its owner. */
  attempt: [5, { session: SESSION, seq: COUNT }],
  /** The session can not resume any more; its replies are forgotten. */
  forget: [6, { session: SESSION }],
  close: [7, {}],
});
export type JournalEntry = MessageOf<typeof journalEntry.definitions>;
export type EntryOf<T extends JournalEntry["type"]> = Extract<JournalEntry, { type: T }>;

/** What every record starts with. */
const HEAD = {
  /** Consecutive per room, from 1. */
  index: COUNT,
  /** Stream sequence of the record before it; 0 for the first. */
  previous: COUNT,
  /** The writer's ownership; an owner record opens the epoch of its own sequence instead. */
  epoch: EPOCH,
  by: PROCESS,
  /** Tells a write from every other, so that a repeated one is recognised. */
  nonce: text(16),
  /** Room time, ms since 1970, never falling. */
  at: NUMBER,
  /** State version of the writer's room type; a type with a lower one may not claim. */
  stateVersion: U32,
};

const ENTRY = (value: unknown): JournalEntry | undefined => journalEntry.fromArray(value);

export const journalRecord = family({
  /** A claim (`owner` is the writer) or a hand-over (`owner` is the target). */
  owner: [1, { ...HEAD, owner: PROCESS, world: WORLD }],
  batch: [2, { ...HEAD, entries: list(ENTRY, RECORD_ITEMS_MAX) }],
  /** From here on the snapshot counts. `sequence` is that of the record with its index. */
  named: [3, { ...HEAD, snapshotIndex: COUNT, sequence: COUNT, digest: text(64), bytes: COUNT }],
});
export type JournalRecord = MessageOf<typeof journalRecord.definitions>;
export type RecordOf<T extends JournalRecord["type"]> = Extract<JournalRecord, { type: T }>;

export function encodeRecord(record: JournalRecord): Uint8Array {
  if (record.type !== "batch") return journalRecord.encode(record);
  const array = journalRecord.toArray({ ...record, entries: [] });
  array[array.length - 1] = record.entries.map((entry) => journalEntry.toArray(entry));
  return encode(array);
}

/** Undefined where the bytes are no record: a journal that holds such a thing is broken. */
export function decodeRecord(data: Uint8Array): JournalRecord | undefined {
  const value = decode(data);
  return value.ok ? journalRecord.fromArray(value.value) : undefined;
}
