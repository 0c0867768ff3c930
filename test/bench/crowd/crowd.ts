import os from "node:os";
import { Fleet } from "../../../src/load/dense/fleet.ts";
import { CLIENTS_PER_SOURCE, countOf, sourcesOf } from "../../../src/load/dense/split.ts";
import type { SwarmPlan } from "../../../src/load/dense/swarm.ts";
import { FINDINGS, Tally } from "../../../src/load/dense/tally.ts";
import type { Percentiles } from "../../../src/load/percentiles.ts";
import { SECRET } from "../../support/cluster.ts";
import { lineOf, type Progress, type Say } from "./progress.ts";

export interface CrowdOptions {
  /** What a process of clients runs. */
  readonly main: string;
  readonly gateways: readonly string[];
  readonly rooms: readonly string[];
  readonly roomSize: number;
  /** So many of each room decode and check all that they get. Latency is measured at them. */
  readonly onlookersPerRoom: number;
  /** Processes of everybody else. */
  readonly processes: number;
  readonly joinsPerSecond: number;
  readonly mix: SwarmPlan["mix"];
  readonly areaM: number;
  /** Rows that come late are findings; not so where the machine may be too busy for anything. */
  readonly judgesTime: boolean;
  readonly seed: number;
  readonly say: Say;
}

/** What a crowd was sent, and when, in one window of time. */
export interface Window {
  readonly seconds: number;
  readonly users: number;
  readonly frames: number;
  readonly bytes: number;
  readonly poses: number;
  /** Ticks of rooms that some client was sent no frame of. */
  readonly skipped: number;
  /** Frames a second of each client. */
  readonly rates: { readonly least: number; readonly p1: number; readonly p50: number };
  /** From the room's tick to its arrival, of the onlookers' frames. */
  readonly frameMs: Spread;
  /** From one person's hand to an onlooker's eye nearby, the wait for the tick included. */
  readonly poseMs: Spread;
  readonly clientCores: number;
  /** How late this side was at the worst. */
  readonly lagMs: number;
  /** What must not be; empty where nothing was found. */
  readonly findings: readonly string[];
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Lateness of rows is held against nobody while this side was itself late. */
const LAG_MS_MAX = 250;
const LATE = ["stale_far", "stale_focus"];
const DETAILS_MAX = 4;
const JOIN_S_MAX = 600;
const SECOND_MS = 1_000;
/** Onlookers read before others do, or their process's wait would be in what they measure. */
const ONLOOKERS_NICE = -10;

/**
 * The people of a benchmark, in processes of their own: the crowd of `roomcluster load`. Rooms fill
 * one after the other, so it grows by whole rooms while the product runs on.
 */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #people: Fleet;
  readonly #onlookers: Fleet;
  /** False where the system does not let onlookers go before others. */
  readonly onlookersFirst: boolean;
  #users = 0;
  /** Since the start. */
  readonly all = new Tally();

  constructor(options: CrowdOptions) {
    const { main, onlookersPerRoom, processes, roomSize } = options;
    this.#options = options;
    const places = Array.from({ length: roomSize }, (_, place) => place);
    const onlookers = places.slice(0, onlookersPerRoom);
    const others = places.slice(onlookersPerRoom);
    const shares = Array.from({ length: processes }, (_, i) =>
      others.filter((place) => place % processes === i),
    );
    const worker = [main, "load", "--worker"] as const;
    this.#people = new Fleet(
      worker,
      shares.map((mine, i) => planOf(options, i, mine, 0)),
    );
    const watching = onlookersPerRoom > 0 ? [planOf(options, processes, onlookers, 1)] : [];
    this.#onlookers = new Fleet(worker, watching);
    this.onlookersFirst = before(this.#onlookers.pids);
  }

  /** Of the clients' processes. */
  get pids(): readonly number[] {
    return [...this.#people.pids, ...this.#onlookers.pids];
  }

  get users(): number {
    return this.#users;
  }

  /** So many rooms are full when this is done. */
  async fill(rooms: number, also: () => string = () => ""): Promise<void> {
    this.#users = rooms * this.#options.roomSize;
    this.#people.admit(this.#users);
    this.#onlookers.admit(this.#users);
    for (let second = 0; ; second++) {
      const { inRoom, settled } = await this.#second("joining", also);
      if (this.all.failures.size > 0)
        throw new Error(`not everybody came in: ${[...this.all.failures.keys()].join("; ")}`);
      if (settled && inRoom === this.#users) return;
      if (settled) throw new Error(`not everybody stayed: ${this.#missing(inRoom).join("; ")}`);
      if (second > JOIN_S_MAX) throw new Error(`${inRoom} of ${this.#users} were in at the end`);
    }
  }

  /** Time that counts for nothing. */
  async settle(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) await this.#second("settling", () => "");
  }

  /** What happens in the next seconds. `also` is said with the progress. */
  async window(seconds: number, also: () => string = () => ""): Promise<Window> {
    this.#people.begin();
    this.#onlookers.begin();
    const fromMs = performance.now();
    const everybody = new Tally();
    const onlookers = new Tally();
    let [cpuMs, lagMs, inRoom] = [0, 0, 0];
    for (let i = 0; i < seconds; i++) {
      const second = await this.#second("measuring", also);
      everybody.add(second.everybody.part());
      onlookers.add(second.onlookers.part());
      cpuMs += second.cpuMs;
      lagMs = Math.max(lagMs, second.lagMs);
      inRoom = second.inRoom;
    }
    const tookS = (performance.now() - fromMs) / 1_000;
    const rates = [...(await this.#people.rates()), ...(await this.#onlookers.rates())];
    rates.sort((a, b) => a - b);
    const at = (share: number): number => rates[Math.floor(rates.length * share)] ?? 0;
    const { counts, durations } = everybody;
    // Without onlookers everybody's frames are taken.
    const seen = this.#options.onlookersPerRoom > 0 ? onlookers.durations : durations;
    return {
      seconds: tookS,
      users: inRoom,
      frames: counts.frames,
      bytes: counts.frame_bytes,
      poses: counts.poses_sent,
      skipped: counts.ticks_skipped,
      rates: { least: at(0), p1: at(0.01), p50: at(0.5) },
      frameMs: spreadOf(seen.frame),
      poseMs: spreadOf(seen.pose),
      clientCores: cpuMs / 1_000 / tookS,
      lagMs,
      findings: [...this.#found(everybody, lagMs), ...this.#missing(inRoom)],
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#people.stop(), this.#onlookers.stop()]);
  }

  kill(): void {
    this.#people.kill();
    this.#onlookers.kill();
  }

  #found({ details, findings }: Tally, lagMs: number): string[] {
    const late = !this.#options.judgesTime || lagMs > LAG_MS_MAX;
    const excused: readonly string[] = late ? LATE : [];
    const found = FINDINGS.filter((name) => findings[name] > 0 && !excused.includes(name));
    const told = details.filter((detail) => found.some((name) => detail.startsWith(`${name}:`)));
    return [...found.map((name) => `${findings[name]} × ${name}`), ...told.slice(0, DETAILS_MAX)];
  }

  #missing(inRoom: number): string[] {
    const lost = [...this.all.losses].map(([why, count]) => `${count} were cut off: ${why}`);
    const away = this.#users - inRoom;
    return away > 0 ? [`${away} were not there at the end`, ...lost] : lost;
  }

  async #second(phase: Progress["phase"], also: () => string) {
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    const people = this.#people.second();
    const onlookers = this.#onlookers.second();
    const crash = this.#people.crash ?? this.#onlookers.crash;
    if (crash !== undefined) throw new Error(crash);
    const everybody = new Tally();
    everybody.add(people.tally.part());
    everybody.add(onlookers.tally.part());
    this.all.add(everybody.part());
    const inRoom = people.inRoom + onlookers.inRoom;
    const second = {
      everybody,
      onlookers: onlookers.tally,
      inRoom,
      settled: people.settled && onlookers.settled,
      cpuMs: people.cpuMs + onlookers.cpuMs,
      lagMs: Math.max(people.lagMs, onlookers.lagMs),
    };
    const { counts, durations } = everybody;
    const { p50, p99 } = (
      onlookers.inRoom > 0 ? onlookers.tally : everybody
    ).durations.frame.summary();
    const line = lineOf({
      phase,
      users: this.#users,
      inRoom,
      frames: counts.frames,
      skipped: counts.ticks_skipped,
      frameMs: durations.frame.count > 0 ? { p50, p99 } : undefined,
      clientCores: second.cpuMs / SECOND_MS,
      also: also(),
    });
    this.#options.say(line);
    return second;
  }
}

function planOf(
  options: CrowdOptions,
  process: number,
  places: readonly number[],
  decodeShare: number,
): SwarmPlan {
  const { areaM, gateways, mix, rooms, roomSize, seed } = options;
  const people = rooms.length * roomSize;
  const share = { of: roomSize, places };
  const clients = countOf(share, people);
  return {
    run: "bench",
    seed,
    share,
    clients,
    gateways: gateways.map((url) => {
      const { hostname, port } = new URL(url);
      return { name: hostname, host: hostname, port: Number(port), secure: false };
    }),
    local: true,
    sources: sourcesOf(process, clients),
    clientsPerSource: CLIENTS_PER_SOURCE,
    tenant: "demo",
    rooms,
    roomSize,
    byRoom: true,
    tokens: { kind: "secret", secret: SECRET },
    joinsPerSecond: (options.joinsPerSecond * clients) / people,
    joinsAtOnce: 400,
    returns: false,
    area: { x: 0, z: 0, radiusM: areaM, gather: { x: 0, z: 0, radiusM: areaM / 2 } },
    mix,
    beaconShare: 0.1,
    decodeShare,
    saysPerMinute: 0,
    stage: null,
    promise: {
      focusM: 8,
      farFrames: 20,
      frameBytesPerSecond: 9_600,
      movingMs: mix.movingMs,
      slackFrames: 10,
    },
  };
}

function spreadOf(durations: Percentiles): Spread {
  const { count, max, p50, p99 } = durations.summary();
  return { count, p50, p99, max };
}

function before(pids: readonly number[]): boolean {
  try {
    for (const pid of pids) os.setPriority(pid, ONLOOKERS_NICE);
    return true;
  } catch {
    return false;
  }
}
