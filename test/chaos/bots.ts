import { type ChildProcess, fork } from "node:child_process";
import { type CheckCounts, Checks } from "../../src/load/checks.ts";
import { waitUntil } from "../support/wait-until.ts";
import type {
  CutNews,
  FindingNews,
  FreshNews,
  FromBots,
  RoomNews,
  RoomOfBots,
  ToBots,
} from "./bots-messages.ts";
import { bundle } from "./bundle.ts";

const JOIN_MS_MAX = 90_000;
const AUDIT_MS_MAX = 60_000;

export interface BotsShape {
  readonly processes: number;
  readonly bots: number;
  readonly rooms: readonly string[];
  /** Where clients dial: rooms take these in turn. */
  readonly ways: readonly (readonly string[])[];
  readonly secret: string;
  readonly seed: number;
  /** Mean time between a bot's commands. */
  readonly sayMs: number;
}

export interface CommandSeen {
  readonly room: string;
  readonly sentMs: number;
  readonly tookMs: number;
  readonly moved: boolean;
  readonly outcome: "acked" | "refused" | "unknown";
}

export interface Audited {
  readonly acked: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly open: number;
}

interface Host {
  readonly child: ChildProcess;
  readonly rooms: readonly RoomOfBots[];
  news: Extract<FromBots, { type: "news" }> | undefined;
  audited: Audited | undefined;
}

/** Checking bots in processes of their own, and everything that they told of. */
export class Bots {
  readonly fresh: FreshNews[] = [];
  readonly commands: CommandSeen[] = [];
  readonly cuts: CutNews[] = [];
  readonly findings: FindingNews[] = [];
  readonly #hosts: Host[] = [];
  readonly #shape: BotsShape;

  private constructor(shape: BotsShape) {
    this.#shape = shape;
  }

  /** All are in when this returns. */
  static async start(shape: BotsShape): Promise<Bots> {
    const bots = new Bots(shape);
    process.once("exit", bots.kill);
    // Compiled, so that the figures are the cluster's.
    const file = bundle("bots-process");
    for (let i = 0; i < shape.processes; i++) bots.#fork(file, i);
    await waitUntil("all bots are in", () => bots.#allIn(), {
      timeoutMs: JOIN_MS_MAX,
      pollMs: 100,
      dump: () => bots.describe(),
    });
    return bots;
  }

  #fork(file: string, number: number): void {
    const { bots, processes, rooms, sayMs, secret, seed, ways } = this.#shape;
    const mine = rooms
      .map((room, i) => ({ room, bots: share(bots, rooms.length, i), i }))
      .filter(({ i }) => i % processes === number)
      .map((entry) => ({ room: entry.room, bots: entry.bots }));
    const child = fork(file, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const host: Host = { child, rooms: mine, news: undefined, audited: undefined };
    this.#hosts.push(host);
    child.on("message", (message: FromBots) => this.#hear(host, message));
    // Of what is sent to it once it is gone.
    child.on("error", () => {});
    const prefix = `c${number}x`;
    const startsPerSecond = 60 / processes;
    say(child, { type: "start", seed, ways, secret, prefix, rooms: mine, sayMs, startsPerSecond });
  }

  #hear(host: Host, message: FromBots): void {
    if (message.type === "audited") {
      host.audited = message;
      return;
    }
    host.news = message;
    this.fresh.push(...message.fresh);
    this.cuts.push(...message.cuts);
    this.findings.push(...message.findings);
    for (const [room, sentMs, tookMs, moved, outcome] of message.commands)
      this.commands.push({ room, sentMs, tookMs, moved, outcome });
  }

  #allIn(): boolean {
    const ended = this.#hosts.find(({ child }) => child.exitCode !== null);
    if (ended) throw new Error(`a process of bots ended with ${ended.child.exitCode}`);
    return this.#hosts.every(({ news }) => news?.waiting === 0);
  }

  get rooms(): readonly RoomNews[] {
    return this.#hosts.flatMap(({ news }) => news?.rooms ?? []);
  }

  /** Still in their rooms. */
  get present(): number {
    return this.rooms.reduce((sum, { bots }) => sum + bots, 0);
  }

  get counts(): CheckCounts {
    const checks = new Checks();
    for (const { news } of this.#hosts) if (news) checks.add(news.counts);
    return checks.counts;
  }

  get pids(): number[] {
    return this.#hosts.map(({ child }) => child.pid ?? 0);
  }

  get failures(): Record<string, number> {
    return Object.assign({}, ...this.#hosts.map(({ news }) => news?.failures ?? {}));
  }

  /** Cores in use, of all processes of bots. */
  get busy(): number {
    return this.#hosts.reduce((sum, { news }) => sum + (news?.busy ?? 0), 0);
  }

  /** Other mean times between commands; left out: those of the beginning. */
  pace(rooms: readonly string[], sayMs: number = this.#shape.sayMs): void {
    for (const { child } of this.#hosts) say(child, { type: "pace", rooms, sayMs });
  }

  async audit(): Promise<Audited> {
    for (const { child } of this.#hosts) say(child, { type: "audit" });
    await waitUntil("the ledgers are audited", () => this.#hosts.every(({ audited }) => audited), {
      timeoutMs: AUDIT_MS_MAX,
      pollMs: 50,
      dump: () => this.describe(),
    });
    const all = this.#hosts.flatMap(({ audited }) => audited ?? []);
    return {
      acked: all.reduce((sum, { acked }) => sum + acked, 0),
      lost: all.flatMap(({ lost }) => lost),
      doubled: all.flatMap(({ doubled }) => doubled),
      open: all.reduce((sum, { open }) => sum + open, 0),
    };
  }

  async close(): Promise<void> {
    for (const { child } of this.#hosts) say(child, { type: "stop" });
    const gone = (): boolean => this.#hosts.every(({ child }) => child.exitCode !== null);
    await waitUntil("the bots have left", gone, { timeoutMs: 5_000, pollMs: 50 }).catch(() => {});
    this.kill();
  }

  kill = (): void => {
    process.off("exit", this.kill);
    for (const { child } of this.#hosts) child.kill("SIGKILL");
  };

  describe(): string {
    return this.#hosts
      .map(
        ({ child, news }) =>
          `bots ${child.pid}: ${JSON.stringify({ ...news, commands: [], fresh: [] })}`,
      )
      .join("\n");
  }
}

function say(child: ChildProcess, message: ToBots): void {
  if (child.connected) child.send(message);
}

const share = (all: number, of: number, at: number): number =>
  Math.floor((all * (at + 1)) / of) - Math.floor((all * at) / of);
