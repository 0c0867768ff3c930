import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import type { Disturbances, Sufferer } from "./disturbances.ts";
import type { Fleet } from "./fleet.ts";
import type { SimClient } from "./sim-client.ts";
import type { SimPerson } from "./sim-person.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimSocket } from "./sim-socket.ts";
import type { SimVisitor } from "./sim-visitor.ts";
import type { Accuse } from "./violation.ts";

/** How long after its end a fault may still explain something. */
const GRACE_MS = 6_000;
const SUPERSEDED = 4_500;

/** I9, I11 and I13: nobody is given up, sent away or cut off without a cause. */
export class VerdictChecker {
  readonly #dead = new Set<string>();
  /** Rooms that crashed too often where they were, with the node. */
  readonly #givenUp = new Set<string>();
  readonly #fleet: Fleet;
  readonly #disturbances: Disturbances;
  readonly #accuse: Accuse;

  constructor(fleet: Fleet, disturbances: Disturbances, accuse: Accuse) {
    this.#fleet = fleet;
    this.#disturbances = disturbances;
    this.#accuse = accuse;
  }

  logged(self: ProcessId, level: string, fields: object, text: string): void {
    if (level === "error" && !EXPECTED.test(text)) this.#accuse("error", `${self}: ${text}`);
    if (text === "room ended on this node") {
      const { room, reason } = fields as { room: RoomId; reason: string };
      if (reason === "gave_up") this.#givenUp.add(`${self} ${room}`);
    }
    if (text !== "node verdict") return;
    const { node, to, reason } = fields as { node: ProcessId; to: string; reason: string };
    const key = `${self} ${node}`;
    if (to === "dead") this.#dead.add(key);
    else if (this.#dead.has(key)) this.#accuse("I9", `${self} holds the dead ${node} ${to}`);
    const judged = this.#fleet.processes.find((process) => process.self === node);
    const judge = this.#fleet.processes.find((process) => process.self === self);
    if (to !== "dead" || !judged?.up) return;
    if (this.#explained("nats", judged, judge)) return;
    this.#accuse("I11", `${self} holds the healthy ${node} dead: ${reason}`);
  }

  /** Somebody claimed a room. */
  owned(room: RoomId, before: ProcessId | undefined, now: ProcessId | undefined): void {
    if (before === now) return;
    const last = this.#fleet.processes.find(({ self }) => self === before);
    if (!last?.up || this.#explained("nats", last)) return;
    // Two poisonous commands within its restart budget, and another node is to try (SV1).
    if (this.#givenUp.delete(`${before} ${room}`)) return;
    this.#accuse("I11", `${room} was taken from the healthy ${before} by ${now}`);
  }

  /** A process ended by itself. */
  exited(process: SimProcess, why: string): void {
    if (this.#explained("nats", process)) return;
    this.#accuse("I11", `the healthy ${process.self} ended: ${why}`);
  }

  socketClosed(client: SimPerson<unknown>, socket: SimSocket, code: number): void {
    if (code === SUPERSEDED || this.#explained(client, socket.gateway.process)) return;
    this.#accuse("I13", `${client.name}'s socket to ${socket.gateway.process.self}: ${code}`);
  }

  /** A membership ended, or was refused, that nobody wanted to end. */
  refused(client: SimClient, why: string): void {
    if (why === "ended: left" && !client.leaving)
      this.#accuse("dropped", `${client.name} in ${client.roomName} never wanted to leave`);
    if (this.#explained(client, "nats", "placement", ...this.#fleet.processes)) return;
    this.#accuse("dropped", `${client.name} in ${client.roomName}: ${why}`);
  }

  /** Somebody may not stay at an event, or not come in, and no operator wanted that. */
  turnedAway(visitor: SimVisitor, why: string): void {
    const explained = this.#explained(visitor, "nats", "placement", ...this.#fleet.processes);
    if (explained && !/kicked/.test(why)) return;
    this.#accuse("dropped", `${visitor.name} at the event: ${why}`);
  }

  #explained(...causes: readonly (Sufferer | undefined)[]) {
    const { now } = this.#fleet.time;
    return causes.some((who) => who && this.#disturbances.explain(who, now, GRACE_MS));
  }
}

/** What nodes and rooms say when they are told to die, or when authors' code throws. */
const EXPECTED = /a room crashed|holds this node dead/;
