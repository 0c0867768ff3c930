import { Composer } from "../../gateway/composer.ts";
import { GATEWAY_DEFAULTS, type GatewayConfig } from "../../gateway/config.ts";
import { News } from "../../gateway/news.ts";
import { Outbox } from "../../gateway/outbox.ts";
import { Replica } from "../../gateway/replica.ts";
import { Viewer, type ViewerLink } from "../../gateway/viewer.ts";
import { sessionId, worldName } from "../../src/kernel/ids.ts";
import type { Member } from "../../src/protocol/client-messages.ts";
import { decodeFrame } from "../../src/protocol/frame.ts";
import { ROW_WORDS, rowSlot, rowX, rowZ } from "../../src/protocol/pose-row.ts";
import { member, rowAt } from "./fake-room.ts";
import { unframe } from "./unframe.ts";

export interface Person {
  readonly slot: number;
  x: number;
  z: number;
  /** The tick of the last move. */
  movedAt: number;
}

/** One client's end: what it was written last, and what it knows of everybody from all of it. */
export class Watcher implements ViewerLink {
  readonly person: Person;
  readonly viewer: Viewer;
  readonly outbox = new Outbox(1024);
  writable = true;
  /** Frames that came, and the tick of the last one and of the one before. */
  frames = 0;
  tick = 0;
  before = 0;
  bytes = 0;
  buffer: Buffer = Buffer.alloc(0);
  /** Rows that others are sent as well, and those for this one alone. */
  sharedRows = 0;
  tailRows = 0;
  /** Of slots: the last row, and the number of the frame that it came with. */
  readonly known = new Map<number, readonly number[]>();
  readonly seenIn = new Map<number, number>();
  readonly #room: WatchedRoom;

  constructor(room: WatchedRoom, person: Person) {
    this.#room = room;
    this.person = person;
    const session = sessionId(`${person.slot}`.padEnd(22, "_"));
    this.viewer = new Viewer({ session, role: "audience", channel: 0 }, this, 64 * 1024);
    this.viewer.seat = { slot: person.slot, generation: 1 };
    this.viewer.admitted = true;
    this.viewer.place = 0;
    for (const { slot } of room.people) this.known.set(slot, room.rowOf(slot));
  }

  write(buffer: Buffer): void {
    const payloads = unframe(buffer);
    const payload = payloads[0] as Uint8Array;
    const frame = decodeFrame(payload);
    if (!frame.ok || payloads.length !== 1) throw new Error("not one frame");
    const { rows } = frame.value;
    this.frames++;
    this.before = this.tick;
    this.tick = frame.value.tick;
    this.bytes = buffer.length;
    this.buffer = buffer;
    this.sharedRows = (payload[2] as number) | ((payload[3] as number) << 8);
    this.tailRows = rows.length / ROW_WORDS - this.sharedRows;
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const slot = rowSlot(rows, at);
      if (this.seenIn.get(slot) === this.frames) throw new Error(`slot ${slot} twice in a frame`);
      this.seenIn.set(slot, this.frames);
      this.known.set(slot, [...rows.subarray(at, at + ROW_WORDS)]);
    }
  }

  /** True where it knows the row of this slot as it is now. */
  isFresh(slot: number): boolean {
    const known = this.known.get(slot);
    const { rows } = this.#room.replica;
    return known?.every((word, at) => word === rows[slot * ROW_WORDS + at]) === true;
  }
}

/** A room of people who walk, composed for some of them as a gateway does it. */
export class WatchedRoom {
  readonly config: GatewayConfig;
  readonly replica = new Replica();
  readonly composer: Composer;
  readonly people: readonly Person[];
  readonly watchers: Watcher[] = [];
  readonly #news = new News({ itemsMax: 16, bytesMax: 1e6 });

  constructor(options: {
    readonly places: readonly (readonly [x: number, z: number])[];
    readonly tickHz?: number;
    readonly members?: readonly Member[];
    readonly config?: Partial<GatewayConfig>;
  }) {
    const { places, tickHz = 10, members, config } = options;
    this.config = { ...GATEWAY_DEFAULTS, ...config };
    this.composer = new Composer(this.replica, this.#news, this.config);
    this.people = places.map(([x, z], slot) => ({ slot, x, z, movedAt: 0 }));
    this.replica.reset(1, {
      world: worldName("hall"),
      tickHz,
      at: 0,
      state: null,
      members: [...(members ?? places.map((_, slot) => member(slot)))],
      rows: new Uint8Array(rowsOf(this.people).buffer),
    });
  }

  watch(person: Person): Watcher {
    const watcher = new Watcher(this, person);
    this.watchers.push(watcher);
    return watcher;
  }

  follow(watcher: Watcher, slots: readonly number[]): void {
    const seats = slots.map((slot) => ({ slot, generation: 1 }));
    watcher.viewer.follow(seats, this.config.followedMax, this.replica);
  }

  /** One tick, which brings these people where they are now. */
  tick(moved: readonly Person[]): void {
    const { replica } = this;
    replica.at += 1_000 / replica.tickHz;
    replica.tick++;
    for (const person of moved) person.movedAt = replica.tick;
    const touched = replica.applyRows(rowsOf(moved));
    this.composer.tick(
      this.watchers.map(({ viewer }) => viewer),
      touched,
      undefined,
    );
  }

  rowOf(slot: number): readonly number[] {
    return [...this.replica.rows.subarray(slot * ROW_WORDS, (slot + 1) * ROW_WORDS)];
  }

  /** How far apart two people are, as their rows have it. */
  apart(a: Person, b: Person): number {
    const { rows } = this.replica;
    const [one, other] = [a.slot * ROW_WORDS, b.slot * ROW_WORDS];
    const dx = rowX(rows, one) - rowX(rows, other);
    return Math.hypot(dx, rowZ(rows, one) - rowZ(rows, other));
  }
}

function rowsOf(people: readonly Person[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(people.length * ROW_WORDS);
  people.forEach(({ slot, x, z }, at) => {
    words.set(rowAt(slot, x, z), at * ROW_WORDS);
  });
  return words;
}

/** Where people of a crowd stand: all over a square of this side, or on one spot. */
export const placesOf = (count: number, sideM: number, seed: number) =>
  Array.from({ length: count }, (_, i): [number, number] => {
    const at = (n: number): number => {
      const turn = Math.sin((i + 1) * 12.9898 * n + seed * 78.233) * 43758.5453;
      return (turn - Math.floor(turn)) * sideM;
    };
    return [at(1), at(2)];
  });
