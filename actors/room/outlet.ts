import type { Epoch } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import type { Member, Seat } from "../../src/protocol/client-messages.ts";
import type { JournalEntry, JournalRecord } from "../../src/protocol/journal-record.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import type { Patch } from "../../src/protocol/patches.ts";
import {
  type FromRoom,
  ROOM_IMAGE,
  type RoomEvent,
  type RoomRecord,
  roomToGateway,
  SNAPSHOT_PART_BYTES,
} from "../../src/protocol/room-messages.ts";
import type { World } from "./define-room.ts";
import type { RoomFold } from "./fold.ts";
import type { Presence } from "./presence.ts";
import type { RecordRing } from "./record-ring.ts";

export type Send = (gateway: ProcessId, data: Uint8Array) => void;

type Unfenced<M> = M extends { room: RoomId; epoch: Epoch } ? Omit<M, "room" | "epoch"> : never;
/** A message before the room and its epoch are put on it. */
export type Outgoing = Unfenced<FromRoom>;

/**
 * The room's side of its gateways: who watches, what each still lacks, and every message that
 * leaves, stamped with the room's ownership.
 */
export class Outlet {
  readonly #room: RoomId;
  readonly #epoch: Epoch;
  readonly #send: Send;
  /** Gateways that hold members, with the moment they were last heard. */
  readonly #watchers = new Map<ProcessId, number>();

  constructor(room: RoomId, epoch: Epoch, send: Send) {
    this.#room = room;
    this.#epoch = epoch;
    this.#send = send;
  }

  get watched(): boolean {
    return this.#watchers.size > 0;
  }

  get watchers(): ProcessId[] {
    return [...this.#watchers.keys()];
  }

  /** True where it is a gateway that did not watch until now. */
  heard(gateway: ProcessId, now: number): boolean {
    const known = this.#watchers.has(gateway);
    this.#watchers.set(gateway, now);
    return !known;
  }

  /** Gateways that fell silent; they are forgotten. */
  dropSilent(now: number, silentMs: number): ProcessId[] {
    const silent: ProcessId[] = [];
    for (const [gateway, heard] of this.#watchers) if (now - heard > silentMs) silent.push(gateway);
    for (const gateway of silent) this.#watchers.delete(gateway);
    return silent;
  }

  send(gateway: ProcessId, message: Outgoing): void {
    this.#send(gateway, this.#encode(message));
  }

  /** Encoded once, sent to everyone who watches. */
  broadcast(message: Outgoing): void {
    if (this.#watchers.size === 0) return;
    const data = this.#encode(message);
    for (const gateway of this.#watchers.keys()) this.#send(gateway, data);
  }

  /**
   * Brings a gateway from `index` to the present: by records where they are kept, else an image.
   */
  catchUp(gateway: ProcessId, index: number, ring: RecordRing, image: () => RoomSource): void {
    const source = image();
    if (index === source.fold.index) return;
    const missing = index > 0 ? ring.after(index) : undefined;
    if (missing) {
      for (const record of missing) this.send(gateway, { type: "record", record });
      return;
    }
    const data = encodeImage(source);
    const parts = Math.max(1, Math.ceil(data.length / SNAPSHOT_PART_BYTES));
    for (let part = 0; part < parts; part++) {
      const from = part * SNAPSHOT_PART_BYTES;
      const slice = data.subarray(from, from + SNAPSHOT_PART_BYTES);
      this.send(gateway, {
        type: "snapshot",
        index: source.fold.index,
        part,
        parts,
        data: slice,
      });
    }
  }

  #encode(message: Outgoing): Uint8Array {
    return roomToGateway.encode({ ...message, room: this.#room, epoch: this.#epoch } as FromRoom);
  }
}

/** What an image of a room is cut from: acked things only. */
export interface RoomSource {
  readonly world: World;
  readonly fold: RoomFold;
  readonly presence: Presence;
}

function encodeImage({ world, fold, presence }: RoomSource): Uint8Array {
  const members = fold.slots.flatMap((session) => {
    const row = session && fold.sessions.get(session);
    if (!row) return [];
    const { slot, generation, person, role } = row;
    const profile = presence.profile(slot);
    return [[slot, generation, person, role, profile ? Object.values(profile) : null]];
  });
  const image: Record<keyof typeof ROOM_IMAGE.fields, unknown> = {
    world: world.name,
    tickHz: world.tickHz,
    at: fold.at,
    state: fold.document.state,
    members,
    rows: presence.allRows(),
  };
  return encode(Object.keys(ROOM_IMAGE.fields).map((name) => image[name as keyof typeof image]));
}

const publicPatches = (patches: readonly Patch[]): Patch[] =>
  patches.flatMap(([op, path, value]) =>
    path[0] === "state" ? [[op, path.slice(1), value] as const] : [],
  );

/**
 * A journal record as gateways see it. `fold` is the room before the record: it tells who is new
 * and whose seat a leave frees. Who came and went within the record is not told. Profiles are not
 * journaled; whoever knows them adds them.
 */
export function publicRecord(fold: RoomFold, record: JournalRecord): RoomRecord {
  const entries: readonly JournalEntry[] = record.type === "batch" ? record.entries : [];
  const left = new Map<string, Seat>();
  const joined = new Map<string, Member>();
  /** Sessions whose presence this record changed: the fold does not know yet. */
  const changed = new Map<string, boolean>();
  const patches: Patch[] = [];
  const events: RoomEvent[] = [];
  for (const entry of entries) {
    if (entry.type === "attach" || entry.type === "leave") {
      const { session } = entry;
      const row = fold.sessions.get(session);
      const here = changed.get(session) ?? row?.here ?? false;
      if (entry.type === "attach" && !here) {
        const { slot, generation, person, role } = entry;
        joined.set(session, { slot, generation, person, role, profile: null });
      } else if (entry.type === "leave" && here && !joined.delete(session) && row) {
        left.set(session, { slot: row.slot, generation: row.generation });
      }
      changed.set(session, entry.type === "attach");
    }
    if (!("patches" in entry)) continue;
    patches.push(...publicPatches(entry.patches));
    events.push(...entry.events);
  }
  const { index, at } = record;
  return { index, at, joined: [...joined.values()], left: [...left.values()], patches, events };
}
