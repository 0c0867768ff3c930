import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { MemoryServers } from "../../src/bus/memory-servers.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { MemoryStores, type StoreAccess } from "../../src/journal/memory-stores.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { type Random, randomBelow } from "../../src/kernel/random.ts";
import { DISCONNECTS, livenessConnection, processOfLiveness } from "../../src/protocol/subjects.ts";
import type { Strand } from "./strand.ts";

/** Looks over a process's shoulder at what it asks of the journals. */
export type JournalWitness = (process: ProcessId, journal: Journal) => Journal;

/** How the servers tell that a connection has ended. */
export type Advisories = "prompt" | "late" | "lost";

/** One process's connections and its way to the stores. */
export interface Connections {
  readonly control: Bus;
  readonly data: Bus;
  /** Placement's, to the system account. */
  readonly sys: Bus;
  readonly stores: StoreAccess;
}

/** A connection that stops carrying is noticed by pings after this long. */
const PING_LOSS_MS = 2_500;
const RECONNECT_MS = { min: 20, max: 500 };
export const STREAMS = [
  "JRN0",
  "JRN1",
  "JRN2",
  "JRN3",
  "JRN4",
  "JRN5",
  "JRN6",
  "JRN7",
  "SNP",
  "KV_own",
];
const SERVERS = ["nats-0", "nats-1", "nats-2"];
/** In its cluster, between processes of one datacentre. */
export const HEALTHY_LINKS = {
  delayMsMin: 0.1,
  delayMsMax: 1.5,
  dropRate: 0,
  duplicateRate: 0,
};
/** So little that a paused process is a slow consumer within its pause. */
const PENDING = { socketBytes: 8 * 1024, bytesMax: 32 * 1024 };
/** What becomes of requests to a stream that has lost its leader. */
const OUTAGE = { keptRate: 0.3, refusedRate: 0.2, answerLostRate: 0.5 };
export const STORE_LATENCY = { latencyMsMin: 0.3, latencyMsMax: 2 };

/**
 * Three NATS servers as reference/nats.md measured them: three accounts, the stores, and who hangs
 * on which server.
 */
export class SimNats {
  readonly servers: MemoryServers;
  readonly control: MemoryNetwork;
  readonly data: MemoryNetwork;
  readonly sys: MemoryNetwork;
  readonly stores: MemoryStores;
  advisories: Advisories = "prompt";
  /** Until then something is wrong with NATS itself, and anybody may suffer from it. */
  disturbedUntil = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #voice: Bus;
  readonly #witness: JournalWitness;
  /** The stores' faults of each process that is connected. */
  readonly #lines = new Map<ProcessId, StoreAccess["faults"]>();
  /** Which server leads each stream. */
  readonly #leaders = new Map<string, string>();

  constructor(clock: Clock, random: Random, witness: JournalWitness) {
    this.#clock = clock;
    this.#witness = witness;
    this.#random = random;
    this.servers = new MemoryServers(SERVERS, random);
    this.control = new MemoryNetwork(clock, random, this.servers);
    this.data = new MemoryNetwork(clock, random, this.servers);
    this.sys = new MemoryNetwork(clock, random, this.servers);
    this.stores = new MemoryStores(clock, random);
    Object.assign(this.stores.outage, OUTAGE);
    for (const { faults } of this.networks) {
      Object.assign(faults.everywhere, HEALTHY_LINKS);
      faults.redialMsMin = RECONNECT_MS.min;
      faults.redialMsMax = RECONNECT_MS.max;
      Object.assign(faults.pending, PENDING);
    }
    for (const [i, stream] of STREAMS.entries())
      this.#leaders.set(stream, SERVERS[i % SERVERS.length] as string);
    this.#voice = this.sys.open("nats");
    this.control.onLoss(({ name, reason }) => {
      const process = processOfLiveness(name);
      if (process && reason !== "server") this.advise(process);
    });
  }

  get networks(): readonly MemoryNetwork[] {
    return [this.control, this.data, this.sys];
  }

  /** A process's main thread connects. */
  connect(process: ProcessId, { arrive, clock }: Strand): Connections {
    const control = this.control.open(process, { arrive, clock, label: "control" });
    const stores = this.stores.open(arrive, control);
    Object.assign(stores.faults, STORE_LATENCY);
    this.#lines.set(process, stores.faults);
    return {
      control,
      data: this.data.open(process, { arrive, clock, label: "data" }),
      sys: this.sys.open(process, { arrive, clock, label: "sys" }),
      stores: { ...stores, journal: this.#witness(process, stores.journal) },
    };
  }

  /** A node's liveness thread connects, by a connection of its own. */
  connectLiveness(process: ProcessId, { arrive, clock }: Strand): Bus {
    return this.control.open(livenessConnection(process), { arrive, clock, label: "live" });
  }

  /** The process has ended: the kernel closes what it held. */
  gone(process: ProcessId, connections: Connections, live: Bus | undefined): void {
    const { control, data, sys } = connections;
    for (const bus of [control, data, sys, live]) void bus?.close();
    this.#lines.delete(process);
  }

  /** Tells placement that this node's liveness connection ended; falsely, if it did not. */
  advise(process: ProcessId): void {
    if (this.advisories === "lost") return;
    const lateMs = this.advisories === "late" ? 500 + 4_000 * this.#random.next() : 0;
    const client = { acc: "CTRL", name: livenessConnection(process) };
    const data = new TextEncoder().encode(JSON.stringify({ client, reason: "Client Closed" }));
    this.#clock.after(3 + 3 * this.#random.next() + lateMs, () =>
      this.#voice.publish(DISCONNECTS, data),
    );
  }

  /**
   * Nothing passes between the process and the servers; `one_way`: it hears, and is not heard. Cut
   * off for long, its connections are given up, and come back some time after the cut is undone.
   */
  cutOff(process: ProcessId, direction: "both_ways" | "one_way"): () => void {
    const set = (cut: boolean): void => {
      const stores = this.#lines.get(process);
      if (stores) stores.unreachable = cut;
      this.#each(process, ({ faults }, name) => {
        faults.mute(name, cut);
        if (direction === "both_ways") faults.deafen(name, cut);
      });
    };
    set(true);
    let lost = false;
    const noticed = this.#clock.after(PING_LOSS_MS, () => {
      lost = true;
      this.#each(process, ({ faults }, name) => faults.disconnect(name));
    });
    return () => {
      noticed.cancel();
      set(false);
      if (lost) this.#comeBack(process);
    };
  }

  /** All connections of one process end and are made again: what was on its way is lost. */
  reconnect(process: ProcessId): void {
    this.#each(process, ({ faults }, name) => faults.disconnect(name));
    this.#comeBack(process);
  }

  /** Two servers do not hear each other: who hangs on one is deaf to who hangs on the other. */
  split(): () => void {
    const [a, b] = this.#shuffled();
    this.servers.cut(a, b);
    return () => this.servers.heal();
  }

  /**
   * A server dies: its clients find another, and the streams that it led take nothing for 4 to 9 s.
   */
  loseServer(downMs: number): void {
    const [server, other] = this.#shuffled();
    this.servers.kill(server);
    this.#clock.after(downMs, () => this.servers.restart(server));
    for (const [stream, leader] of this.#leaders) {
      if (leader !== server) continue;
      this.#leaders.set(stream, other);
      this.loseLeader(stream);
    }
  }

  /** The stream's leader is gone, and another has to be found. */
  loseLeader(stream = STREAMS[randomBelow(this.#random, STREAMS.length)] as string): void {
    this.stores.frozen.add(stream);
    this.#clock.after(4_000 + 5_000 * this.#random.next(), () => this.stores.frozen.delete(stream));
  }

  #comeBack(process: ProcessId): void {
    const { min, max } = RECONNECT_MS;
    this.#clock.after(min + (max - min) * this.#random.next(), () =>
      this.#each(process, ({ faults }, name) => faults.reconnect(name)),
    );
  }

  #each(process: ProcessId, act: (network: MemoryNetwork, name: string) => void): void {
    for (const network of this.networks)
      for (const name of [process, livenessConnection(process)]) act(network, name);
  }

  #shuffled(): [string, string] {
    const at = randomBelow(this.#random, SERVERS.length);
    const other = (at + 1 + randomBelow(this.#random, SERVERS.length - 1)) % SERVERS.length;
    return [SERVERS[at] as string, SERVERS[other] as string];
  }
}
