import { applyPatches as applyWithImmer, enablePatches, type Patch as ImmerPatch } from "immer";
import { assert } from "../../src/kernel/assert.ts";
import { EPOCH_NONE, type Epoch } from "../../src/kernel/epoch.ts";
import type { PersonId, ProcessId, SessionId, WorldName } from "../../src/kernel/ids.ts";
import { processId } from "../../src/kernel/ids.ts";
import { COMMANDS_IN_FLIGHT_MAX, type Role } from "../../src/protocol/client-messages.ts";
import type { EntryOf, JournalEntry } from "../../src/protocol/journal-record.ts";
import { applyPatches, type Patch } from "../../src/protocol/patches.ts";

enablePatches();

/** Cause of the entry that holds the initial state. */
export const CREATED = "created";

/** A world's values; immutable, so the acked and the decided room share what is equal. */
export interface Document {
  readonly state: object;
  readonly secret: object;
}

/** The journaled outcome of one command, kept until no resend of it can come any more. */
export interface Reply {
  readonly seq: number;
  readonly digest: Uint8Array;
  readonly status: string;
  readonly data: unknown;
  readonly index: number;
}

/** One session as the journal knows it. Replaced, never changed. */
export interface SessionRow {
  readonly person: PersonId;
  readonly role: Role;
  readonly slot: number;
  readonly generation: number;
  readonly attach: number;
  readonly connection: string;
  /** False after a leave: the seat is free, the replies stay until `forget`. */
  readonly here: boolean;
  /** Room time of the leave. */
  readonly leftAt: number;
  /** The last command with an outcome. */
  readonly last: number;
  readonly replies: readonly Reply[];
}

/** The gateway that holds a connection. */
export const gatewayOf = (connection: string): ProcessId =>
  processId(connection.slice(0, connection.indexOf("#")));

/**
 * The fold of a journal: what every entry did, in order. An owner keeps two, one with what is
 * acked and one with what is decided; the same entries go through both.
 */
export class RoomFold {
  world: WorldName;
  stateVersion: number;
  document: Document;
  index = 0;
  /** Room time of the last record. */
  at = 0;
  /** The ownership that wrote the last record. */
  epoch: Epoch = EPOCH_NONE;
  admissions = 0;
  closed = false;
  /** The initial state is in the journal. */
  created = false;
  /** A resent command that began to run and has no outcome yet. */
  attempt: { readonly session: SessionId; readonly seq: number } | undefined;
  readonly sessions = new Map<SessionId, SessionRow>();
  /** Who sits where; null is free. */
  readonly slots: (SessionId | null)[] = [];
  here = 0;

  constructor(world: WorldName, stateVersion: number, document: Document) {
    this.world = world;
    this.stateVersion = stateVersion;
    this.document = document;
  }

  copy(): RoomFold {
    const copy = new RoomFold(this.world, this.stateVersion, this.document);
    copy.index = this.index;
    copy.at = this.at;
    copy.epoch = this.epoch;
    copy.admissions = this.admissions;
    copy.closed = this.closed;
    copy.created = this.created;
    copy.attempt = this.attempt;
    copy.here = this.here;
    for (const [session, row] of this.sessions) copy.sessions.set(session, row);
    copy.slots.push(...this.slots);
    return copy;
  }

  /**
   * Applies one entry of the record at `index`. `written` is the document after the entry's
   * patches, which an owner has from its hook. A replay leaves it out: nobody shares its document
   * yet, so the patches are applied in place, many times faster than by making a new one each time.
   */
  apply(entry: JournalEntry, index: number, written?: Document): void {
    if ("patches" in entry && entry.patches.length > 0)
      if (written) this.document = written;
      else
        assert(applyPatches(this.document, ownValues(entry.patches)), "patches fit their document");
    this.attempt = undefined;
    switch (entry.type) {
      case "command":
        this.#command(entry, index);
        break;
      case "attach":
        this.#attach(entry);
        break;
      case "leave":
        this.#leave(entry);
        break;
      case "attempt":
        this.attempt = { session: entry.session, seq: entry.seq };
        break;
      case "forget":
        this.sessions.delete(entry.session);
        break;
      case "close":
        this.closed = true;
        break;
      case "system":
        if (entry.cause === CREATED) this.created = true;
        break;
    }
  }

  /** The lowest free slot. */
  freeSlot(): number {
    const free = this.slots.indexOf(null);
    return free >= 0 ? free : this.slots.length;
  }

  seat(slot: number, session: SessionId): void {
    while (this.slots.length <= slot) this.slots.push(null);
    this.slots[slot] = session;
    this.here++;
  }

  #command(entry: EntryOf<"command">, index: number): void {
    const row = this.sessions.get(entry.session);
    assert(row, "a command's session is in the journal");
    const { seq, digest, status, data } = entry;
    const replies = [...row.replies, { seq, digest, status, data, index }];
    if (replies.length > COMMANDS_IN_FLIGHT_MAX) replies.shift();
    this.sessions.set(entry.session, { ...row, last: seq, replies });
  }

  #attach(entry: EntryOf<"attach">): void {
    const old = this.sessions.get(entry.session);
    const { person, role, slot, generation, attach, connection } = entry;
    if (!old?.here) {
      this.admissions++;
      this.seat(slot, entry.session);
    }
    const kept = { last: old?.last ?? 0, replies: old?.replies ?? [] };
    const seat = { person, role, slot, generation, attach, connection };
    this.sessions.set(entry.session, { ...seat, ...kept, here: true, leftAt: 0 });
  }

  #leave(entry: EntryOf<"leave">): void {
    const row = this.sessions.get(entry.session);
    if (!row?.here) return;
    this.slots[row.slot] = null;
    this.here--;
    this.sessions.set(entry.session, { ...row, here: false, leftAt: this.at });
  }
}

const OPS = ["replace", "add", "remove"] as const;

/** Records are told to others too, so what later patches change must not be theirs. */
const ownValues = (patches: readonly Patch[]): Patch[] =>
  patches.map(([op, path, value]) =>
    typeof value === "object" && value !== null
      ? [op, path, structuredClone(value)]
      : [op, path, value],
  );

/** A new document with the patches applied. */
export function patched(document: Document, patches: readonly Patch[]): Document {
  const changes: ImmerPatch[] = patches.map(([op, path, value]) => ({
    op: OPS[op],
    path: [...path],
    value,
  }));
  return applyWithImmer(document, changes);
}

/** Immer's patches as the journal keeps them. */
export const toPatches = (changes: readonly ImmerPatch[]): Patch[] =>
  changes.map(({ op, path, value }) => [OPS.indexOf(op) as 0 | 1 | 2, path, value ?? null]);
