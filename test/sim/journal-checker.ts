import { decodeSnapshot } from "../../actors/room/snapshot.ts";
import type { StoredRecord } from "../../src/journal/journal.ts";
import type { MemoryStores } from "../../src/journal/memory-stores.ts";
import { assert } from "../../src/kernel/assert.ts";
import {
  EPOCH_NONE,
  type Epoch,
  epochAt,
  epochGeneration,
  parseEpoch,
} from "../../src/kernel/epoch.ts";
import type { PersonId, ProcessId, RoomId } from "../../src/kernel/ids.ts";
import {
  decodeRecord,
  type EntryOf,
  type JournalEntry,
  type JournalRecord,
  type RecordOf,
} from "../../src/protocol/journal-record.ts";
import { applyPatches } from "../../src/protocol/patches.ts";
import type { Registers } from "./register-world.ts";
import { PENDING_ENTRIES_MAX } from "./sim-node.ts";
import type { Accuse } from "./violation.ts";

/** What somebody said in a room, for everyone who was there. */
export interface Said {
  readonly index: number;
  readonly data: unknown;
}

interface SessionTruth {
  last: number;
  attach: number;
  here: boolean;
  person: string;
}

interface Landed extends StoredRecord {
  readonly generation: number;
}

/** A room as its journal tells it, from the first record on: trims take nothing of it away. */
export interface RoomTruth {
  readonly generation: number;
  readonly landed: Landed[];
  index: number;
  sequence: number;
  epoch: Epoch;
  owner: ProcessId | undefined;
  stateVersion: number;
  state: Registers;
  secret: object;
  /** The state as JSON; undefined where it has changed since. */
  text: string | undefined;
  /** The state after each record, as JSON: what a replica at that index has to show. */
  readonly states: Map<number, string>;
  readonly said: Said[];
  readonly nonces: Set<string>;
  /** By session: the last command with an outcome, the last attach, and whether it is in. */
  readonly sessions: Map<string, SessionTruth>;
  /** The journal's first record when last looked at. */
  first: { readonly data: Uint8Array; readonly index: number | undefined } | undefined;
  /** By slot and generation: whose that seat is, or was. */
  readonly seats: Map<string, PersonId>;
  namedIndex: number;
  epochs: number;
  /** Whom the journal named for each epoch. */
  readonly owners: Map<Epoch, ProcessId>;
  /** The owner before named this one, as in a planned move. */
  handedOver: boolean;
}

const blank = (generation: number): RoomTruth => ({
  generation,
  landed: [],
  index: 0,
  sequence: 0,
  epoch: EPOCH_NONE,
  owner: undefined,
  stateVersion: 0,
  // The first entry of a journal says all of it.
  state: {} as Registers,
  secret: {},
  text: undefined,
  first: undefined,
  states: new Map(),
  said: [],
  nonces: new Set(),
  sessions: new Map(),
  seats: new Map(),
  namedIndex: 0,
  epochs: 0,
  owners: new Map(),
  handedOver: false,
});

function decoded({ data }: Landed): JournalRecord {
  const record = decodeRecord(data);
  assert(record, "what landed was a record");
  return record;
}

/** What was said of these records when they landed is not said again. */
const UNHEARD: Accuse = () => {};

/**
 * Looks at every record at the moment it lands, whoever wrote it: the journal is the register, so
 * nothing can go wrong with ownership that does not show here (I1, I2, I5, and the chain of I4).
 */
export class JournalChecker {
  /** By generation, the newest last: what a restore brought back has a truth of its own. */
  readonly #rooms = new Map<RoomId, RoomTruth[]>();
  readonly #accuse: Accuse;
  readonly #generation: () => number;
  readonly #snapshots: () => ReadonlyMap<string, Uint8Array>;

  constructor(stores: () => Pick<MemoryStores, "generation" | "snapshots">, accuse: Accuse) {
    this.#generation = () => stores().generation;
    this.#snapshots = () => stores().snapshots;
    this.#accuse = accuse;
  }

  /** Of the current generation, or of the one that `epoch` is of. */
  truth(room: RoomId, epoch: number = EPOCH_NONE): RoomTruth {
    let truths = this.#rooms.get(room);
    if (!truths) {
      truths = [blank(this.#generation())];
      this.#rooms.set(room, truths);
    }
    const generation = epochGeneration(parseEpoch(epoch) ?? EPOCH_NONE);
    const shown = truths.length > 1 && truths.find((truth) => truth.generation === generation);
    return shown || (truths.at(-1) as RoomTruth);
  }

  /** The journals end earlier than they did. `tails`: the last sequence of each that is left. */
  restored(tails: ReadonlyMap<RoomId, number>): void {
    for (const [room, truths] of this.#rooms) {
      const before = truths.at(-1) as RoomTruth;
      const truth = blank(this.#generation());
      const tail = tails.get(room) ?? 0;
      // Decoded once more: the state was changed inside of what the records had brought.
      for (const landed of before.landed)
        if (landed.sequence <= tail) this.#take(room, truth, landed, decoded(landed), UNHEARD);
      // What was owned once was owned, also where no record tells it any more.
      for (const [epoch, owner] of before.owners) truth.owners.set(epoch, owner);
      truth.epochs = before.epochs;
      // Nothing tells when an owner record was written: as a tail it is of the new generation.
      const last = truth.landed.at(-1);
      const record = last && decoded(last);
      if (last && record?.type === "owner") {
        truth.epoch = epochAt(truth.generation, last.sequence);
        truth.owners.set(truth.epoch, record.owner);
      }
      truths.push(truth);
    }
  }

  landed(room: RoomId, { sequence, data }: StoredRecord, first: StoredRecord | undefined): void {
    const record = decodeRecord(data);
    if (!record) return this.#accuse("I1", `${room}: bytes that are no record`);
    const truth = this.truth(room);
    const bad = (rule: string, what: string): void =>
      this.#accuse(rule, `${room} record ${record.index} at ${sequence}: ${what}`);
    this.#untrimmed(truth, first, bad);
    const generation = this.#generation();
    this.#take(room, truth, { generation, sequence, data }, record, bad);
  }

  #take(room: RoomId, truth: RoomTruth, landed: Landed, record: JournalRecord, bad: Accuse): void {
    const { generation, sequence } = landed;
    truth.landed.push(landed);
    this.#chained(truth, record, sequence, bad);
    this.#owned(truth, record, bad);
    truth.index = record.index;
    truth.sequence = sequence;
    truth.stateVersion = record.stateVersion;
    if (record.type === "owner") {
      truth.epoch = epochAt(generation, sequence);
      truth.owner = record.owner;
      truth.owners.set(truth.epoch, record.owner);
      truth.handedOver = record.by !== record.owner;
      truth.epochs++;
    }
    if (record.type === "named") this.#named(room, truth, record, bad);
    // What joins or leaves in the same turn comes on top.
    if (record.type === "batch" && record.entries.length > 2 * PENDING_ENTRIES_MAX)
      bad("I8", `${record.entries.length} entries had waited`);
    if (record.type === "batch")
      for (const entry of record.entries) this.#apply(truth, entry, record, bad);
    truth.text ??= JSON.stringify(truth.state);
    truth.states.set(record.index, truth.text);
  }

  #chained(truth: RoomTruth, record: JournalRecord, sequence: number, bad: Accuse): void {
    if (record.index !== truth.index + 1) bad("I4", `follows index ${truth.index}`);
    if (record.previous !== truth.sequence) bad("I4", `names ${record.previous} before it`);
    if (sequence <= truth.sequence) bad("I1", `sequence after ${truth.sequence}`);
    if (truth.nonces.has(record.nonce)) bad("I2", `the write ${record.nonce} landed twice`);
    truth.nonces.add(record.nonce);
    if (record.stateVersion < truth.stateVersion)
      bad("I1", `state version ${record.stateVersion} after ${truth.stateVersion}`);
    if (record.stateVersion >= 2 && truth.stateVersion === 1) {
      truth.state.writes = 0;
      truth.text = undefined;
    }
  }

  /** One writer in each epoch, and epochs that rise. */
  #owned(truth: RoomTruth, record: JournalRecord, bad: Accuse): void {
    const claim = record.type === "owner" && record.by === record.owner;
    if (record.epoch !== truth.epoch)
      bad("I5", `of epoch ${record.epoch} under ownership ${truth.epoch}`);
    if (!claim && record.by !== truth.owner) bad("I5", `by ${record.by}, not by ${truth.owner}`);
  }

  /** A snapshot is what the journal says up to its index, and nothing of what came later. */
  #named(room: RoomId, truth: RoomTruth, record: RecordOf<"named">, bad: Accuse): void {
    truth.namedIndex = record.snapshotIndex;
    const data = this.#snapshots().get(`${room} ${record.snapshotIndex} ${record.digest}`);
    const snapshot = data && decodeSnapshot(data);
    if (!snapshot) return bad("I4", "names a snapshot that is not there");
    const held = JSON.stringify(snapshot.fold.document.state);
    const expected = truth.states.get(record.snapshotIndex);
    if (held !== expected) bad("I4", `names the snapshot ${held} of ${expected}`);
  }

  /** What the last snapshot that counts does not cover is still there. */
  #untrimmed(truth: RoomTruth, first: StoredRecord | undefined, bad: Accuse): void {
    if (first?.data !== truth.first?.data)
      truth.first = first && { data: first.data, index: decodeRecord(first.data)?.index };
    const index = truth.first?.index;
    if (index === undefined) return bad("I4", "the journal was empty");
    if (index > truth.namedIndex + 1)
      bad("I4", `begins at ${index}, the last named snapshot covers ${truth.namedIndex}`);
  }

  #apply(truth: RoomTruth, entry: JournalEntry, record: RecordOf<"batch">, bad: Accuse): void {
    if (entry.type === "attach" || entry.type === "leave" || entry.type === "command")
      this.#session(truth, entry, bad);
    if (!("patches" in entry)) return;
    const document = { state: truth.state, secret: truth.secret };
    if (!applyPatches(document, entry.patches)) bad("I4", "a patch does not fit");
    truth.state = document.state;
    truth.secret = document.secret;
    truth.text = undefined;
    for (const { name, data } of entry.events)
      if (name === "said") truth.said.push({ index: record.index, data });
  }

  /** A slot that is dealt anew has another generation: rows and signals of before are nobody's. */
  #seated(truth: RoomTruth, entry: EntryOf<"attach">, here: boolean, bad: Accuse): void {
    const seat = `${entry.slot}.${entry.generation}`;
    if (!here && truth.seats.has(seat)) bad("I2", `the seat ${seat} is dealt for a second time`);
    truth.seats.set(seat, entry.person);
  }

  #session(
    truth: RoomTruth,
    entry: Extract<JournalEntry, { type: "attach" | "leave" | "command" }>,
    bad: Accuse,
  ): void {
    const known = truth.sessions.get(entry.session) ?? {
      ...{ last: 0, attach: 0, here: false },
      person: entry.type === "attach" ? entry.person : "",
    };
    truth.sessions.set(entry.session, known);
    if (entry.type === "command") {
      if (entry.seq !== known.last + 1)
        bad("I2", `command ${entry.seq} of ${entry.session} after ${known.last}`);
      known.last = entry.seq;
      return;
    }
    const isAttach = entry.type === "attach";
    if (isAttach ? entry.attach <= known.attach : entry.attach !== known.attach)
      bad("I2", `${entry.type} ${entry.attach} of ${entry.session} after ${known.attach}`);
    known.attach = entry.attach;
    if (isAttach) this.#seated(truth, entry, known.here, bad);
    known.here = isAttach;
  }
}
