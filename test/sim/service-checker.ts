import type { Subscription } from "../../src/bus/bus.ts";
import { EPOCH_NONE, type Epoch } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { ALL_ROUTES } from "../../src/protocol/subjects.ts";
import type { Disturbances } from "./disturbances.ts";
import { type Fleet, roomOf } from "./fleet.ts";
import type { JournalChecker } from "./journal-checker.ts";
import type { Accuse } from "./violation.ts";

const LOOK_MS = 500;
/** By then every room was made. */
const FIRST_MS = 10_000;
/** An owner says once a second that it serves, and its word may be lost. */
const SILENT_MS = 2_500;
/** So long may a room go unserved where the bus is well and somebody could take it. */
const UNSERVED_MS_MAX = 4_500;
/** After so long a disturbance of the bus is over for its clients, too. */
const GRACE_MS = 3_000;
/** One alone may be draining. */
const NODES_MIN = 2;

/** An owner looks every 5 s whether it is one. */
const OUSTED_MS_MAX = 7_000;

interface Served {
  epoch: Epoch;
  atMs: number;
  unservedMs: number;
  /** The journal's epoch when last looked, and since when. */
  current: Epoch;
  currentSinceMs: number;
}

/**
 * Listens to what nodes say that they serve. I1: nobody serves a room under an epoch that the
 * journal never gave them. I6: whatever becomes of its owner, a room is served again within a
 * bounded time; and what a node holds for its rooms is bounded (I8).
 */
export class ServiceChecker {
  readonly #served = new Map<RoomId, Served>();
  readonly #fleet: Fleet;
  readonly #journal: JournalChecker;
  readonly #disturbances: Disturbances;
  readonly #accuse: Accuse;
  /** They are made one by one. */
  readonly #eventRooms: () => readonly string[];
  readonly #ear: Subscription;
  #closed = false;

  constructor(
    fleet: Fleet,
    journal: JournalChecker,
    disturbances: Disturbances,
    eventRooms: () => readonly string[],
    accuse: Accuse,
  ) {
    this.#eventRooms = eventRooms;
    this.#fleet = fleet;
    this.#journal = journal;
    this.#disturbances = disturbances;
    this.#accuse = accuse;
    const ear = fleet.nats.control.open("service-checker");
    ear.subscribe(ALL_ROUTES, ({ data }) => this.#hear(data));
    this.#ear = { close: () => void ear.close() };
    fleet.time.at(FIRST_MS, () => this.#look());
  }

  close(): void {
    this.#closed = true;
    this.#ear.close();
  }

  /** Mailboxes fill up while a command waits for its record: looked at whenever one lands. */
  weigh(): void {
    for (const { node, process } of this.#fleet.nodes)
      if (node.fullness > 1)
        this.#accuse("I8", `a mailbox of ${process.self} holds ${node.fullness} times its limit`);
  }

  #hear(data: Uint8Array): void {
    const said = decodeControl(data);
    if (said?.type !== "route") return;
    for (const { room, epoch } of said.routes) {
      const owner = this.#journal.truth(room).owners.get(epoch);
      const nobody = owner ?? "nobody";
      if (owner !== said.owner)
        this.#accuse("I1", `${said.owner} serves ${room} under ${epoch}, which is ${nobody}'s`);
      const served = this.#of(room);
      const { now } = this.#fleet.time;
      if (epoch >= served.epoch) Object.assign(served, { epoch, atMs: now, unservedMs: 0 });
      if (epoch < served.current && now - served.currentSinceMs > OUSTED_MS_MAX)
        this.#ousted(said.owner, room, now);
    }
  }

  /** Somebody else has owned the room for long. */
  #ousted(owner: ProcessId, room: RoomId, now: number): void {
    const process = this.#fleet.processes.find(({ self }) => self === owner);
    const explained = [process, "nats" as const].some(
      (who) => who && this.#disturbances.explain(who, now, OUSTED_MS_MAX),
    );
    if (!explained) this.#accuse("I5", `${owner} still believes to own ${room}`);
  }

  #look(): void {
    if (this.#closed) return;
    const fleet = this.#fleet;
    const { now } = fleet.time;
    fleet.time.in(LOOK_MS, () => this.#look());
    const excused = this.#isExcused(now);
    for (const name of [...fleet.rooms, ...this.#eventRooms()]) {
      const room = roomOf(name);
      const served = this.#of(room);
      const { epoch } = this.#journal.truth(room);
      if (epoch !== served.current)
        Object.assign(served, { current: epoch, currentSinceMs: now } satisfies Partial<Served>);
      if (excused || (epoch === served.epoch && now - served.atMs <= SILENT_MS)) {
        served.unservedMs = 0;
        continue;
      }
      served.unservedMs += LOOK_MS;
      if (served.unservedMs === UNSERVED_MS_MAX)
        this.#accuse("I6", `${name} has not been served for ${UNSERVED_MS_MAX} ms`);
    }
  }

  /** Something is wrong with the bus, with all of placement, or with all nodes. */
  #isExcused(now: number): boolean {
    const { nodes, placements } = this.#fleet;
    const well = ({ process }: (typeof nodes)[number] | (typeof placements)[number]): boolean =>
      process.up && !this.#disturbances.explain(process, now, GRACE_MS);
    return (
      this.#disturbances.explain("nats", now, GRACE_MS) ||
      !placements.some(well) ||
      nodes.filter(well).length < NODES_MIN
    );
  }

  #of(room: RoomId): Served {
    let served = this.#served.get(room);
    if (!served) {
      const current = { current: EPOCH_NONE, currentSinceMs: 0 };
      served = { epoch: EPOCH_NONE, atMs: 0, unservedMs: 0, ...current };
      this.#served.set(room, served);
    }
    return served;
  }
}
