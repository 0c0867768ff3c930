import type { SavedSession } from "../../src/client/membership.ts";
import type { StoresBackup } from "../../src/journal/memory-stores.ts";
import { type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { type Random, randomBelow, seededRandom } from "../../src/kernel/random.ts";
import type { DeskWitness, EventShape } from "./event-world.ts";
import { type ClientWitness, SimClient } from "./sim-client.ts";
import { SimGateway } from "./sim-gateway.ts";
import { type JournalWitness, SimNats } from "./sim-nats.ts";
import { SimNode } from "./sim-node.ts";
import type { SimPerson } from "./sim-person.ts";
import { SimPlacement } from "./sim-placement.ts";
import type { SimProcess, Surroundings } from "./sim-process.ts";
import { SimVisitor, type Ticket, type VisitorWitness } from "./sim-visitor.ts";
import { Strand } from "./strand.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface Shape {
  readonly nodes: number;
  readonly placements: number;
  readonly gateways: number;
  readonly rooms: number;
  readonly clients: number;
  /** Some seeds host an event beside their rooms. */
  readonly event: EventShape | undefined;
}

/** Who watches the cluster from above. */
export interface FleetWitness extends ClientWitness {
  readonly logged: Surroundings["logged"];
  readonly journal: JournalWitness;
  /** The journals came back from a backup. */
  readonly restored: () => void;
  /** A process ended by itself. */
  readonly exited: (process: SimProcess, why: string) => void;
  readonly visitor: VisitorWitness;
  /** A stage's owner answered a gateway. */
  readonly answered: DeskWitness;
}

export const ROOM_WORLD = worldName("registers");
export const roomOf = (name: string): RoomId => roomId(`sim/${name}`);

const SEAT: Ticket = { to: "seat", beside: undefined };
/** Of the first visitors. */
const TICKETS: readonly Ticket[] = [
  { to: "stage", beside: undefined },
  { to: "both", beside: undefined },
  { to: "seat", beside: "friends" },
  { to: "seat", beside: "friends" },
];

/** A whole cluster and its audience on virtual time; what ends is started again. */
export class Fleet {
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly nats: SimNats;
  readonly nodes: SimNode[] = [];
  readonly placements: SimPlacement[] = [];
  readonly gateways: SimGateway[] = [];
  readonly clients: SimClient[] = [];
  readonly visitors: SimVisitor[] = [];
  readonly rooms: readonly string[];
  /** The version of the world that nodes start with from here on. */
  version = 1;
  /** Operators are about to bring the journals back from a backup. */
  restoring = false;
  /** Where an endless loop has run. */
  readonly hungRooms = new Set<string>();
  readonly #witness: FleetWitness;
  readonly #surroundings: Surroundings;
  #stopped = false;

  constructor(seed: number, shape: Shape, witness: FleetWitness) {
    this.random = seededRandom(seed);
    this.#witness = witness;
    const weather = new Strand(this.time, 0);
    const random = seededRandom(this.random.next() * 2 ** 32);
    this.nats = new SimNats(weather.clock, random, witness.journal);
    this.#surroundings = {
      time: this.time,
      random: this.random,
      nats: this.nats,
      logged: witness.logged,
      event: shape.event && { shape: shape.event, answered: witness.answered },
      ended: (process, why) => {
        witness.exited(process, why);
        this.#again(process);
      },
    };
    this.rooms = Array.from({ length: shape.rooms }, (_, i) => `room-${i}`);
    const each = (count: number, start: (i: number) => void): void => {
      for (let i = 1; i <= count; i++) this.time.in(this.random.next() * 200, () => start(i));
    };
    each(shape.placements, (i) => this.#startPlacement(`place-${i}`));
    each(shape.nodes, (i) => this.#startNode(`node-${i}`));
    each(shape.gateways, (i) => this.#startGateway(`gate-${i}`));
    this.time.in(1_000, () => {
      for (const room of this.rooms) this.#create(room);
    });
    each(shape.clients, (i) => {
      const room = this.rooms[i % this.rooms.length] as string;
      this.time.in(1_500 + this.random.next() * 1_500, () => this.join(`p${i}`, room));
    });
    if (shape.event) this.#invite(shape.event);
  }

  get processes(): SimProcess[] {
    return [...this.nodes, ...this.placements, ...this.gateways].map(({ process }) => process);
  }

  /** A further person comes. */
  join(name: string, room: string, saved?: SavedSession): SimClient {
    const client = new SimClient(name, this.clients.length, room, {
      time: this.time,
      random: this.random,
      gateways: () => this.gateways,
      witness: this.#witness,
    });
    client.saved = saved;
    this.clients.push(client);
    client.start();
    return client;
  }

  /** All who sit at a computer somewhere. */
  get people(): SimPerson<unknown>[] {
    return [...this.clients, ...this.visitors];
  }

  /** SIGKILL, and its supervisor starts another. */
  crash(process: SimProcess, backAfterMs?: number): void {
    if (!process.up) return;
    process.kill();
    this.#again(process, backAfterMs);
  }

  restore(backup: StoresBackup): void {
    this.restoring = false;
    this.nats.stores.restore(backup);
    this.#witness.restored();
  }

  /** Ends everything as a deployment ends: what is left over then was leaked. */
  stop(): void {
    this.#stopped = true;
    for (const client of this.clients) client.stop();
    for (const visitor of this.visitors) visitor.stop();
    for (const { core } of this.gateways) core.close();
    for (const { node } of this.nodes) node.close();
    for (const { placement } of this.placements) placement.close();
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[randomBelow(this.random, from.length)];
  }

  #again(process: SimProcess, afterMs = 300 + 1_700 * this.random.next()): void {
    if (this.#stopped) return;
    this.time.in(afterMs, () => {
      if (this.#stopped) return;
      const { role, name } = process;
      if (role === "node") this.#startNode(name);
      else if (role === "gateway") this.#startGateway(name);
      else this.#startPlacement(name);
    });
  }

  /** They come a while after its doors have opened. */
  #invite({ visitors }: EventShape): void {
    for (let i = 0; i < visitors; i++) {
      // The last one is the second again, by another page.
      const visitor = new SimVisitor(`v${i === visitors - 1 ? 1 : i}`, TICKETS[i] ?? SEAT, {
        time: this.time,
        random: this.random,
        gateways: () => this.gateways,
        witness: this.#witness.visitor,
      });
      this.visitors.push(visitor);
      this.time.in(3_000 + this.random.next() * 6_000, () => visitor.come());
    }
  }

  #startNode(name: string): void {
    replace(this.nodes, new SimNode(name, this.version, this.#surroundings));
  }

  #startPlacement(name: string): void {
    replace(this.placements, new SimPlacement(name, this.#surroundings));
  }

  #startGateway(name: string): void {
    const gateway = new SimGateway(name, this.#surroundings);
    gateway.process.onGone(() => {
      for (const { sockets } of this.people)
        for (const socket of [...sockets]) if (socket.gateway === gateway) socket.reset();
    });
    replace(this.gateways, gateway);
  }

  /** Asked of one replica after the other, as an operator would. */
  #create(room: string): void {
    const replica = this.pick(this.placements.filter(({ process }) => process.up));
    const again = (): void => void this.time.in(500, () => this.#create(room));
    if (!replica) return again();
    void replica.placement.createRoom(roomOf(room), ROOM_WORLD).then((made) => {
      if (!made.ok) again();
    });
  }
}

/** The place of the last incarnation of that name, so that order does not depend on deaths. */
function replace<T extends { readonly process: SimProcess }>(all: T[], next: T): void {
  const at = all.findIndex(({ process }) => process.name === next.process.name);
  if (at < 0) all.push(next);
  else all[at] = next;
}
