import type { Bus } from "../../src/bus/bus.ts";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { type Random, randomHex, seededRandom } from "../../src/kernel/random.ts";
import { type Observer, silentObserver } from "../../src/observe/observer.ts";
import type { DeskWitness, EventShape } from "./event-world.ts";
import type { Connections, SimNats } from "./sim-nats.ts";
import { Strand } from "./strand.ts";
import type { VirtualTime } from "./virtual-time.ts";

export type SimRole = "node" | "placement" | "gateway";

/** So long, of each so long, a process is behind. */
const BUSY_MS = 4_000;
const BUSY_EVERY_MS = 18_000;

/** What every simulated process lives in. */
export interface Surroundings {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly nats: SimNats;
  /** A line of a process's log; checkers read verdicts out of it. */
  readonly logged: (self: ProcessId, level: string, fields: object, text: string) => void;
  /** The event that nodes host, where there is one. */
  readonly event: { readonly shape: EventShape; readonly answered: DeskWitness } | undefined;
  /** A process has ended by itself, not by a fault. */
  readonly ended: (process: SimProcess, why: string) => void;
}

/**
 * One process of the cluster: what it has for itself, and what can be done to it from outside. The
 * role that runs in it is set up by whoever made it.
 */
export class SimProcess {
  readonly role: SimRole;
  readonly name: string;
  readonly self: ProcessId;
  readonly main: Strand;
  /** A node's second thread. */
  readonly liveness: Strand;
  readonly random: Random;
  readonly observer: Observer;
  readonly connections: Connections;
  readonly surroundings: Surroundings;
  readonly #busyFromMs: number;
  #live: Bus | undefined;
  #up = true;
  readonly #onGone: (() => void)[] = [];

  constructor(role: SimRole, name: string, surroundings: Surroundings) {
    const { time, random, nats } = surroundings;
    this.role = role;
    this.name = name;
    this.surroundings = surroundings;
    this.self = processId(`${name}.${randomHex(random, 8)}`);
    const startedAt = 1_000 + random.next() * 1e6;
    this.main = new Strand(time, startedAt);
    this.liveness = new Strand(time, startedAt);
    this.random = seededRandom(random.next() * 2 ** 32);
    this.#busyFromMs = this.random.next() * BUSY_EVERY_MS;
    this.observer = this.#observe();
    this.connections = nats.connect(this.self, this.main);
  }

  get up(): boolean {
    return this.#up;
  }

  /** Of its main loop. Time and again it has none left for a while, as in earnest under load. */
  utilisation(): number {
    const sinceMs = this.surroundings.time.now + this.#busyFromMs;
    return sinceMs % BUSY_EVERY_MS < BUSY_MS ? 1 : 0.1;
  }

  get frozen(): boolean {
    return this.main.frozen;
  }

  /** The liveness thread's own connection. */
  connectLiveness(): Bus {
    this.#live = this.surroundings.nats.connectLiveness(this.self, this.liveness);
    return this.#live;
  }

  /** When the process is gone, by whatever cause: its sockets close. */
  onGone(happen: () => void): void {
    this.#onGone.push(happen);
  }

  /** SIGKILL: from this moment on it does nothing. */
  kill(): void {
    if (!this.#up) return;
    this.#up = false;
    this.main.kill();
    this.liveness.kill();
    this.surroundings.nats.gone(this.self, this.connections, this.#live);
    for (const happen of this.#onGone) happen();
  }

  /** Ends of its own accord: its supervisor starts another. */
  exit(why: string): void {
    if (!this.#up) return;
    this.kill();
    this.surroundings.ended(this, why);
  }

  /** SIGSTOP. */
  freeze(): void {
    this.main.freeze();
    this.liveness.freeze();
  }

  /** The main loop does not turn; the liveness thread does. */
  stall(): void {
    this.main.freeze();
  }

  resume(): void {
    this.main.resume();
    this.liveness.resume();
  }

  #observe(): Observer {
    const { self } = this;
    const { logged } = this.surroundings;
    const say = (level: string) => (fields: object, text: string) =>
      logged(self, level, fields, text);
    return {
      log: { debug() {}, info: say("info"), warn: say("warn"), error: say("error") },
      metrics: silentObserver.metrics,
    };
  }
}
