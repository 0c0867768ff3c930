import { execFileSync } from "node:child_process";
import { Cluster, type ClusterShape } from "../../support/cluster.ts";
import { type ProcessCpu, processesBelow, spentBetween } from "../density/cpu.ts";

export const roomName = (room: number): string => `hall-${room + 1}`;

/** The built product for a crowd: one nats-server and one placement, and what else is asked for. */
export class Product {
  readonly cluster: Cluster;
  readonly rooms: readonly string[];
  /** Children of this process that are no part of it. */
  readonly #strangers: readonly number[];
  #created = 0;

  private constructor(cluster: Cluster, rooms: readonly string[], strangers: readonly number[]) {
    this.cluster = cluster;
    this.rooms = rooms;
    this.#strangers = strangers;
  }

  static async start(
    shape: Pick<ClusterShape, "built" | "nodeOptions" | "set"> & {
      readonly nodes: number;
      readonly gateways: number;
      readonly rooms: number;
    },
  ): Promise<Product> {
    const { rooms, ...rest } = shape;
    const strangers = processesBelow(process.pid, new Set()).map(({ pid }) => pid);
    const cluster = await Cluster.start({ nats: 1, placements: 1, ...rest });
    const names = Array.from({ length: rooms }, (_, room) => roomName(room));
    return new Product(cluster, names, strangers);
  }

  /** Makes the first so many rooms, where they are not there yet. */
  async open(rooms: number, world: string): Promise<void> {
    while (this.#created < rooms) {
      const some = this.rooms.slice(this.#created, Math.min(rooms, this.#created + 16));
      await Promise.all(some.map((room) => this.cluster.createRoom(room, world)));
      this.#created += some.length;
    }
  }

  /** Puts one process, all its threads, on a core; nothing where `core` is undefined. */
  pin(name: string, core: number | undefined): void {
    if (core === undefined) return;
    const { pid } = this.cluster.member(name);
    execFileSync("taskset", ["-apc", String(core), String(pid)], { stdio: "ignore" });
  }

  /** Of all its processes, whoever started them. */
  cpu(clients: readonly number[]): ServerCpu {
    return new ServerCpu(new Set([...this.#strangers, ...clients]));
  }

  close(): Promise<void> {
    return this.cluster.close();
  }
}

/** Processor time of the processes below this one, but for some. */
export class ServerCpu {
  readonly #except: ReadonlySet<number>;
  #before: readonly ProcessCpu[];
  #atMs = performance.now();

  constructor(except: ReadonlySet<number>) {
    this.#except = except;
    this.#before = processesBelow(process.pid, this.#except);
  }

  /** Cores that each role's processes were busy on since the last call. */
  since(): Readonly<Record<string, number>> {
    const after = processesBelow(process.pid, this.#except);
    const now = performance.now();
    const spent = spentBetween(this.#before, after);
    const cores = Object.entries(spent).map(([name, ms]) => [name, ms / (now - this.#atMs)]);
    this.#before = after;
    this.#atMs = now;
    return Object.fromEntries(cores);
  }
}

export const sumOf = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((sum, part) => sum + part, 0);
