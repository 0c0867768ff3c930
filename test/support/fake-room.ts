import type { Bus } from "../../src/bus/bus.ts";
import { InLinks, OutLink } from "../../src/bus/link.ts";
import type { Journal, StoreError, Tail } from "../../src/journal/journal.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { worldName } from "../../src/kernel/ids.ts";
import { err, ok, type Result } from "../../src/kernel/result.ts";
import type { Member } from "../../src/protocol/client-messages.ts";
import { encodeRecord } from "../../src/protocol/journal-record.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { bytesOfRows, packRow, ROW_WORDS } from "../../src/protocol/pose-row.ts";
import {
  type FromRoom,
  gatewayToRoom,
  ROOM_IMAGE,
  type RoomRecord,
  roomToGateway,
  type ToRoom,
} from "../../src/protocol/room-messages.ts";
import { gatewayInbox, nodeInbox } from "../../src/protocol/subjects.ts";

/** Tails of journals, which tests move; a read can be held back or fail. */
export class FakeJournal implements Pick<Journal, "readTail"> {
  readonly #tails = new Map<RoomId, Tail>();
  reads = 0;
  /** While set, reads wait. */
  gate: Promise<void> | undefined;
  unavailable = false;

  /** Writes a claim of `owner` and answers the epoch it opens. */
  claim(room: RoomId, owner: ProcessId, sequence: number, generation = 1): Epoch {
    const epoch = epochAt(generation, sequence);
    const record = encodeRecord({
      type: "owner",
      index: 1,
      previous: 0,
      epoch,
      by: owner,
      nonce: "0123456789abcdef",
      at: 0,
      stateVersion: 1,
      owner,
      world: worldName("hall"),
    });
    this.#tails.set(room, { generation, sequence, record });
    return epoch;
  }

  async readTail(room: RoomId): Promise<Result<Tail, StoreError>> {
    this.reads++;
    await this.gate;
    if (this.unavailable) return err("unavailable");
    return ok(this.#tails.get(room) ?? { generation: 1, sequence: 0, record: undefined });
  }
}

/** A message without what `FakeRoom` fills in. */
export type Said = WithoutFence<FromRoom>;
type WithoutFence<M> = M extends unknown ? Omit<M, "room" | "epoch"> : never;

export const member = (slot: number, generation = 1, over: Partial<Member> = {}): Member => ({
  slot,
  generation,
  person: `person-${slot}` as Member["person"],
  role: "audience",
  profile: { name: `name-${slot}`, color: slot, model: "m" },
  ...over,
});

export const record = (index: number, over: Partial<RoomRecord> = {}): RoomRecord => ({
  index,
  at: index * 10,
  joined: [],
  left: [],
  patches: [],
  events: [],
  ...over,
});

export function rowAt(slot: number, x: number, z: number, generation = 1): Uint32Array {
  const row = new Uint32Array(ROW_WORDS);
  packRow(row, 0, slot, generation, {
    x,
    y: 0,
    z,
    yaw: 0,
    pitch: 0,
    reach: [0, 0, 0],
    animation: 0,
  });
  return row;
}

/**
 * The node's side of one room, as a script: it keeps what gateways say, and answers watches,
 * attaches and fetches the way an owner does while the switches are on.
 */
export class FakeRoom {
  readonly node: ProcessId;
  readonly room: RoomId;
  epoch: Epoch;
  readonly received: { readonly from: ProcessId; readonly message: ToRoom }[] = [];
  /** Records from index 1 on; the image is what they lead to. */
  readonly records: RoomRecord[] = [record(1)];
  members: Member[] = [];
  rows: Uint32Array[] = [];
  state: unknown = { n: 1 };
  answersWatch = true;
  answersAttach = true;
  answersFetch = true;
  /** Attaches that were confirmed, by session. */
  readonly seats = new Map<string, { readonly slot: number; readonly attach: number }>();
  #tick = 0;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #links = new Map<ProcessId, OutLink>();

  constructor(options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly node: ProcessId;
    readonly room: RoomId;
    readonly epoch: Epoch;
  }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.node = options.node;
    this.room = options.room;
    this.epoch = options.epoch;
    const links = new InLinks();
    this.#bus.subscribe(nodeInbox(this.node), ({ data }) => {
      const batch = links.receive(data.slice());
      for (const value of batch?.messages ?? []) {
        const message = gatewayToRoom.fromArray(value);
        if (!message || message.room !== this.room) continue;
        this.received.push({ from: (batch as { from: ProcessId }).from, message });
        this.#answer((batch as { from: ProcessId }).from, message);
      }
    });
  }

  /** How often it has ticked. */
  get ticks(): number {
    return this.#tick;
  }

  get index(): number {
    return this.records.at(-1)?.index ?? 0;
  }

  /** Everything of one type that gateways said, oldest first. */
  heard<T extends ToRoom["type"]>(type: T): Extract<ToRoom, { type: T }>[] {
    return this.received
      .map(({ message }) => message)
      .filter((message): message is Extract<ToRoom, { type: T }> => message.type === type);
  }

  say(gateway: ProcessId, ...messages: readonly Said[]): void {
    let link = this.#links.get(gateway);
    if (!link) {
      const subject = gatewayInbox(gateway);
      link = new OutLink(this.#bus, this.#clock, { self: this.node, subject, flushMs: 1 });
      this.#links.set(gateway, link);
    }
    for (const message of messages)
      link.send(
        roomToGateway.encode({ ...message, room: this.room, epoch: this.epoch } as FromRoom),
      );
    link.flush();
  }

  /** Appends a record and tells the gateway, unless it is to be lost. */
  write(
    gateway: ProcessId,
    over: Partial<RoomRecord>,
    options: { lost?: boolean } = {},
  ): RoomRecord {
    const written = record(this.index + 1, over);
    this.records.push(written);
    this.members = this.members
      .filter((known) => !written.left.some((seat) => seat.slot === known.slot))
      .concat(written.joined);
    if (!options.lost) this.say(gateway, { type: "record", record: written });
    return written;
  }

  /** Its next batch to anybody is numbered 1 again. */
  restartLinks(): void {
    this.#links.clear();
  }

  tick(gateway: ProcessId, rows: readonly Uint32Array[] = []): number {
    const words = new Uint32Array(rows.length * ROW_WORDS);
    rows.forEach((row, at) => {
      words.set(row, at * ROW_WORDS);
    });
    const tick = ++this.#tick;
    this.say(gateway, {
      type: "tick",
      tick,
      at: this.#clock.now(),
      index: this.index,
      rows: bytesOfRows(words, rows.length),
    });
    return tick;
  }

  image(): Said {
    const words = new Uint32Array(this.rows.length * ROW_WORDS);
    this.rows.forEach((row, at) => {
      words.set(row, at * ROW_WORDS);
    });
    const image: Record<keyof typeof ROOM_IMAGE.fields, unknown> = {
      world: "hall",
      tickHz: 10,
      at: 0,
      state: this.state,
      members: this.members.map(({ slot, generation, person, role, profile }) => [
        slot,
        generation,
        person,
        role,
        profile ? [profile.name, profile.color, profile.model] : null,
      ]),
      rows: bytesOfRows(words, this.rows.length),
    };
    const data = encode(Object.keys(ROOM_IMAGE.fields).map((key) => image[key as "world"]));
    return { type: "snapshot", index: this.index, part: 0, parts: 1, data };
  }

  #answer(from: ProcessId, message: ToRoom): void {
    if (message.epoch !== this.epoch) return;
    if (message.type === "watch" && this.answersWatch) this.#catchUp(from, message.index);
    if (message.type === "attach" && this.answersAttach) this.#attach(from, message);
    if (message.type === "fetch" && this.answersFetch) {
      const { request, after } = message;
      const kept = this.records.filter((known) => known.index > after);
      const whole = kept.length === 0 || kept[0]?.index === after + 1;
      this.say(from, { type: "records", request, records: whole ? kept : null });
    }
  }

  #catchUp(from: ProcessId, index: number): void {
    if (index === this.index) return;
    const missing = this.records.filter((known) => known.index > index);
    if (index > 0 && missing[0]?.index === index + 1)
      this.say(from, ...missing.map((known): Said => ({ type: "record", record: known })));
    else this.say(from, this.image());
  }

  #attach(from: ProcessId, message: Extract<ToRoom, { type: "attach" }>): void {
    const { session, attach, connection } = message;
    const seat = this.seats.get(session);
    if (seat && attach < seat.attach) {
      this.say(from, { type: "superseded", session, attach: seat.attach, connection });
      return;
    }
    const slot = seat?.slot ?? this.seats.size;
    this.seats.set(session, { slot, attach });
    if (!seat) this.write(from, { joined: [member(slot, 1, { role: message.role })] });
    this.say(from, {
      type: "attached",
      session,
      attach,
      connection,
      slot,
      generation: 1,
      seq: 0,
      index: this.index,
    });
  }
}
