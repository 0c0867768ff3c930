import type { Bus } from "../src/bus/bus.ts";
import { OutLink } from "../src/bus/link.ts";
import { MemoryNetwork } from "../src/bus/memory-bus.ts";
import { MemoryStores } from "../src/journal/memory-stores.ts";
import { type Clock, delay } from "../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch } from "../src/kernel/epoch.ts";
import {
  type ProcessId,
  personId,
  processId,
  type RoomId,
  roomId,
  type SessionId,
  sessionId,
} from "../src/kernel/ids.ts";
import { type Random, randomHex, randomId } from "../src/kernel/random.ts";
import { silentObserver } from "../src/observe/observer.ts";
import { control, decodeControl } from "../src/protocol/control-messages.ts";
import { encode } from "../src/protocol/msgpack.ts";
import { packRow, ROW_WORDS } from "../src/protocol/pose-row.ts";
import { gatewayToRoom, type ToRoom } from "../src/protocol/room-messages.ts";
import { ALL_ROUTES, nodeControl, nodeInbox } from "../src/protocol/subjects.ts";
import { Node } from "./node.ts";
import { defineRoom, type Schema } from "./room/define-room.ts";

const ROOMS = 32;
const PEOPLE_PER_ROOM = 3;
/** Every round the other node takes all rooms over. */
const ROUNDS = 3;
const ROUND_MS = 100;
const STEP_MS = 20;

const ANYTHING: Schema<string> = {
  "~standard": { version: 1, validate: (value) => ({ value: String(value) }) },
};
const stage = defineRoom({
  name: "rehearsal",
  version: 1,
  tickHz: 20,
  state: () => ({ lines: {} as Record<string, string> }),
  commands: {
    say: {
      body: ANYTHING,
      run(room, line, who) {
        room.state.lines[who?.slot ?? 0] = line;
        return line;
      },
    },
  },
});

/**
 * Plays takeovers in memory before this node says that it is there. V8 compiles what has run often:
 * a node that never hosted a room would take its first hundred over several times more slowly, and
 * that is just when somebody has died. Nothing of it leaves this process.
 */
export async function rehearse(clock: Clock, random: Random): Promise<void> {
  const stores = new MemoryStores(clock, random);
  const lines = new MemoryNetwork(clock, random);
  const data = new MemoryNetwork(clock, random);
  const name = (text: string): ProcessId => processId(`${text}.${randomHex(random, 8)}`);
  const cast = ["first", "second"].map((role) => {
    const self = name(role);
    const { journal, snapshots, index } = stores.open();
    const buses = { controlBus: lines.open(role), dataBus: data.open(role) };
    const ports = { self, clock, random, journal, snapshots, index, ...buses };
    return {
      self,
      node: new Node({ ...ports, observer: silentObserver, utilisation: () => 0, turn: () => {} }, [
        stage,
      ]),
    };
  });
  const director = lines.open("director");
  const audience = new Audience(clock, random, data.open("audience"), name("audience"));
  director.subscribe(ALL_ROUTES, (message) => audience.routed(message.data));
  for (let round = 0; round < ROUNDS; round++) {
    const { self } = cast[round % 2] as (typeof cast)[number];
    const proposals = audience.rooms.map((room) => ({
      room,
      world: stage.name,
      replaces: audience.epochOf(room),
      reason: "new" as const,
      crashedOn: [],
    }));
    director.publish(nodeControl(self), control.encode({ type: "propose", proposals }));
    for (let ms = 0; ms < ROUND_MS; ms += STEP_MS) {
      await delay(clock, STEP_MS);
      audience.step(self);
    }
  }
  for (const { node } of cast) node.close();
}

interface Guest {
  readonly room: RoomId;
  readonly session: SessionId;
  readonly slot: number;
  seq: number;
}

/** A gateway that does the least that makes rooms work. */
class Audience {
  readonly rooms: readonly RoomId[];
  readonly #guests: readonly Guest[];
  readonly #epochs = new Map<RoomId, { readonly epoch: Epoch; readonly owner: ProcessId }>();
  readonly #links = new Map<ProcessId, OutLink>();
  readonly #clock: Clock;
  readonly #bus: Bus;
  readonly #self: ProcessId;
  #steps = 0;

  constructor(clock: Clock, random: Random, bus: Bus, self: ProcessId) {
    this.#clock = clock;
    this.#bus = bus;
    this.#self = self;
    this.rooms = Array.from({ length: ROOMS }, (_, i) => roomId(`rehearsal/room-${i}`));
    this.#guests = this.rooms.flatMap((room) =>
      Array.from({ length: PEOPLE_PER_ROOM }, (_, slot) => {
        return { room, session: sessionId(randomId(random)), slot, seq: 0 };
      }),
    );
  }

  epochOf = (room: RoomId): Epoch => this.#epochs.get(room)?.epoch ?? EPOCH_NONE;

  routed(data: Uint8Array): void {
    const message = decodeControl(data);
    if (message?.type !== "route") return;
    for (const { room, epoch } of message.routes)
      if (epoch > this.epochOf(room)) this.#epochs.set(room, { epoch, owner: message.owner });
  }

  /** Everyone whose room is at `owner` attaches, moves and, now and then, speaks. */
  step(owner: ProcessId): void {
    const speaks = this.#steps++ % 4 === 0;
    for (const guest of this.#guests) {
      const at = this.#epochs.get(guest.room);
      if (at?.owner !== owner) continue;
      for (const message of this.#lines(guest, at.epoch, speaks)) this.#send(owner, message);
    }
    this.#links.get(owner)?.flush();
  }

  #lines(guest: Guest, epoch: Epoch, speaks: boolean): ToRoom[] {
    const { room, session, slot } = guest;
    const member = { room, epoch, session, attach: 1, connection: `${this.#self}#${slot}` };
    const words = new Uint32Array(ROW_WORDS);
    packRow(words, 0, slot, slot, {
      x: Math.sin(this.#steps),
      y: 0,
      z: slot,
      yaw: 0,
      pitch: 0,
      reach: [0, 0, 0],
      animation: 1,
    });
    const poses = { type: "poses", room, epoch, rows: new Uint8Array(words.buffer) } as const;
    if (!speaks) return [poses];
    const person = personId(`guest-${slot}`);
    const profile = { name: "guest", color: 0, model: "capsule" };
    const who = { person, role: "audience", profile, resumed: guest.seq > 0, row: null } as const;
    const seq = ++guest.seq;
    const body = encode(`line ${seq}`);
    const said = {
      name: "say",
      seq,
      body,
      resent: seq % 2 === 0,
      traceparent: null,
      silenced: null,
    };
    return [
      { type: "attach", ...member, ...who },
      { type: "watch", room, epoch, index: 0 },
      poses,
      { type: "command", ...member, ...said },
    ];
  }

  #send(owner: ProcessId, message: ToRoom): void {
    let link = this.#links.get(owner);
    if (!link) {
      const options = { self: this.#self, subject: nodeInbox(owner), flushMs: STEP_MS };
      link = new OutLink(this.#bus, this.#clock, options);
      this.#links.set(owner, link);
    }
    link.send(gatewayToRoom.encode(message));
  }
}
