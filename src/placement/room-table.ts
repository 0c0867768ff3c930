import { crashesUnder, type IndexEntry, type RoomStatus } from "../journal/index-store.ts";
import { type Epoch, epochCompare } from "../kernel/epoch.ts";
import { type ProcessId, type RoomId, roomParts, type WorldName } from "../kernel/ids.ts";
import { shardOf } from "../protocol/event-names.ts";

/** One room as this replica believes it to be. */
export interface RoomLine {
  readonly room: RoomId;
  world: WorldName;
  status: RoomStatus;
  epoch: Epoch;
  owner: ProcessId | undefined;
  crashedOn: readonly ProcessId[];
  immovable: boolean;
  changedAtMs: number;
  /** When this replica learned of the owner, last heard the room announced, and last changed it. */
  ownerSince: number;
  announcedAt: number;
  touchedAt: number;
  /** When an owner last gave the room up, and how often since its crashes were forgotten. */
  gaveUpAt: number;
  giveUps: number;
  /** What it adds to a node, in reference nodes; undefined until an owner announced it. */
  load: number | undefined;
  /** People in it; null where its owner does not tell. */
  sessions: number | null;
  /** When this replica saw it close; -Infinity: it was closed before. */
  closedAt: number;
  /** Lower versions cannot read its state. */
  stateVersionMin: number;
  /** Questions for it since it was last owned. */
  asked: number;
}

/** Closed rooms that are looked at for one place, so that no message takes long. */
const EVICT_TRIES_MAX = 64;

/**
 * All rooms of the index with what routes and tails added. Knowledge only grows: a lower epoch
 * never replaces a higher one, whichever way it came.
 */
export class RoomTable {
  readonly lines = new Map<RoomId, RoomLine>();
  /** Closed rooms, the longest known as such first. */
  readonly #closed = new Set<RoomId>();
  readonly #owned = new Map<ProcessId, Set<RoomId>>();
  /** Where rooms without a living owner are expected to go. */
  readonly #expected = new Map<RoomId, ProcessId>();
  /** Event to node to number of its rooms there, expected ones included. */
  readonly #events = new Map<string, Map<ProcessId, number>>();
  readonly #eventOf: (room: RoomId) => string | undefined;

  constructor(eventOf: (room: RoomId) => string | undefined = eventOfName) {
    this.#eventOf = eventOf;
  }

  get(room: RoomId): RoomLine | undefined {
    return this.lines.get(room);
  }

  ownedBy(process: ProcessId): readonly RoomId[] {
    return [...(this.#owned.get(process) ?? [])];
  }

  countOf(process: ProcessId): number {
    return this.#owned.get(process)?.size ?? 0;
  }

  /** True where one more line fits, if need be in the place of a closed one that is `settled`. */
  makeSpace(linesMax: number, settled: (line: RoomLine) => boolean): boolean {
    if (this.lines.size < linesMax) return true;
    let tries = 0;
    for (const room of this.#closed) {
      if (++tries > EVICT_TRIES_MAX) return false;
      const line = this.lines.get(room) as RoomLine;
      this.#closed.delete(room);
      if (settled(line)) {
        this.#setOwner(line, line.epoch, undefined, line.ownerSince);
        this.lines.delete(room);
        return true;
      }
      // Behind the others, so that the next search does not begin with it.
      this.#closed.add(room);
    }
    return false;
  }

  /** Closed rooms that a reading, begun at `readAt`, did not find: their entries were removed. */
  forgetClosed(found: ReadonlySet<RoomId>, readAt: number): void {
    for (const room of this.#closed) {
      const line = this.lines.get(room) as RoomLine;
      if (found.has(room) || line.touchedAt > readAt) continue;
      this.#closed.delete(room);
      this.#setOwner(line, line.epoch, undefined, line.ownerSince);
      this.lines.delete(room);
    }
  }

  /** The room was proposed to a node; undefined: it is not under way any more. */
  expect(room: RoomId, target: ProcessId | undefined): void {
    const before = this.#expected.get(room);
    if (before === target) return;
    if (before !== undefined) this.#countEvent(room, before, -1);
    if (target === undefined) {
      this.#expected.delete(room);
      return;
    }
    this.#expected.set(room, target);
    this.#countEvent(room, target, 1);
  }

  /** Rooms of the same event by node; undefined where the room belongs to no event. */
  siblings(room: RoomId): ReadonlyMap<ProcessId, number> | undefined {
    const event = this.#eventOf(room);
    return event === undefined ? undefined : (this.#events.get(event) ?? new Map());
  }

  /**
   * From the index. `readAt`: when the reading began; undefined for a hint, which may be of any
   * age. Answers whether the line changed.
   */
  applyEntry(entry: IndexEntry, now: number, readAt: number | undefined): boolean {
    const line = this.lines.get(entry.room);
    if (!line) {
      this.#add(entry, now);
      return true;
    }
    const newer = epochCompare(entry.epoch, line.epoch);
    if (newer < 0) return false;
    const stale =
      readAt === undefined ? entry.changedAtMs < line.changedAtMs : line.touchedAt > readAt;
    if (newer === 0 && stale) return false;
    this.#forgetLostCrashes(line, entry.epoch);
    // An entry without owner at the epoch of its owner: it gave the room up.
    if (!entry.owner && entry.crashedOn.length > 0 && (newer > 0 || line.owner)) {
      line.gaveUpAt = now;
      line.giveUps++;
    }
    if (entry.crashedOn.length === 0) line.giveUps = 0;
    const { world, status, crashedOn, immovable, changedAtMs } = entry;
    if (status === "closed" && line.status !== "closed") line.closedAt = now;
    Object.assign(line, { world, status, crashedOn, immovable, changedAtMs });
    this.#noteClosed(line);
    if (readAt === undefined) line.touchedAt = now;
    this.#setOwner(line, entry.epoch, entry.owner, now);
    return true;
  }

  /** From a route or a tail. `advanced`: the epoch is news; `known`: it is the one we have. */
  applyOwner(
    room: RoomId,
    epoch: Epoch,
    owner: ProcessId,
    now: number,
  ): "unknown" | "older" | "known" | "advanced" {
    const line = this.lines.get(room);
    if (!line) return "unknown";
    const newer = epochCompare(epoch, line.epoch);
    if (newer < 0) return "older";
    if (newer === 0) return "known";
    this.#forgetLostCrashes(line, epoch);
    this.#setOwner(line, epoch, owner, now);
    line.touchedAt = now;
    return "advanced";
  }

  #add(entry: IndexEntry, now: number): void {
    const line: RoomLine = {
      ...entry,
      owner: undefined,
      ownerSince: now,
      announcedAt: now,
      touchedAt: now,
      // When it was given up is not known: as if it were now.
      gaveUpAt: entry.owner || entry.crashedOn.length === 0 ? Number.NEGATIVE_INFINITY : now,
      giveUps: 0,
      load: undefined,
      sessions: null,
      closedAt: Number.NEGATIVE_INFINITY,
      stateVersionMin: 0,
      asked: 0,
    };
    this.lines.set(entry.room, line);
    this.#noteClosed(line);
    this.#setOwner(line, entry.epoch, entry.owner, now);
  }

  #forgetLostCrashes(line: RoomLine, epoch: Epoch): void {
    const crashedOn = crashesUnder(epoch, line);
    if (crashedOn !== line.crashedOn) line.giveUps = 0;
    line.crashedOn = crashedOn;
  }

  #noteClosed({ room, status }: RoomLine): void {
    if (status === "closed") this.#closed.add(room);
    else this.#closed.delete(room);
  }

  #setOwner(line: RoomLine, epoch: Epoch, owner: ProcessId | undefined, now: number): void {
    const same = line.owner === owner && line.epoch === epoch;
    line.epoch = epoch;
    if (same) return;
    if (line.owner !== undefined) this.#count(line.room, line.owner, -1);
    line.owner = owner;
    line.ownerSince = now;
    line.announcedAt = now;
    line.asked = 0;
    if (owner !== undefined) this.#count(line.room, owner, 1);
  }

  #count(room: RoomId, owner: ProcessId, by: 1 | -1): void {
    const rooms = this.#owned.get(owner) ?? new Set();
    if (by === 1) rooms.add(room);
    else rooms.delete(room);
    if (rooms.size > 0) this.#owned.set(owner, rooms);
    else this.#owned.delete(owner);
    this.#countEvent(room, owner, by);
  }

  #countEvent(room: RoomId, node: ProcessId, by: 1 | -1): void {
    const event = this.#eventOf(room);
    if (event === undefined) return;
    const nodes = this.#events.get(event) ?? new Map<ProcessId, number>();
    const count = (nodes.get(node) ?? 0) + by;
    if (count > 0) nodes.set(node, count);
    else nodes.delete(node);
    if (nodes.size > 0) this.#events.set(event, nodes);
    else this.#events.delete(event);
  }
}

/** An event's shards, and rooms that differ only in a number at the end: `show-1`, `show-s12`. */
export function eventOfName(room: RoomId): string | undefined {
  const of = shardOf(room);
  if (of) return of.stage;
  const { tenant, name } = roomParts(room);
  const event = /^(.+)-[a-z]?\d+$/.exec(name)?.[1];
  return event === undefined ? undefined : `${tenant}/${event}`;
}
