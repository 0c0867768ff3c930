import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { waitUntil } from "../support/wait-until.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const OUTPUT_MAX = 20_000;

interface Ready {
  readonly control: string;
  readonly demo: string;
  readonly gateways: readonly string[];
  readonly processes: readonly {
    readonly role: string;
    readonly id: string;
    readonly pid: number;
  }[];
}

export interface RoomEntry {
  readonly owner: string | null;
  readonly epoch: number;
}

/** The cluster as `npm start` runs it, on free ports. */
export class DemoCluster {
  readonly #child: ChildProcess;
  #output = "";
  #ready: Ready | undefined;

  private constructor(bots: number) {
    const args = ["--import", "tsx", MAIN, "cluster", "--port", "0", "--bots", String(bots)];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    }
  }

  #read(text: string): void {
    this.#output += text;
    const line = /^ready (\{.*\})$/m.exec(this.#output)?.[1];
    if (line !== undefined) this.#ready ??= JSON.parse(line) as Ready;
    this.#output = this.#output.slice(-OUTPUT_MAX);
  }

  static async start(bots = 4): Promise<DemoCluster> {
    const cluster = new DemoCluster(bots);
    await waitUntil(
      "the cluster to be ready",
      () => cluster.#ready !== undefined || cluster.#child.exitCode !== null,
      { timeoutMs: START_MS_MAX, dump: () => cluster.#output },
    );
    if (!cluster.#ready) throw new Error(`the cluster did not start:\n${cluster.#output}`);
    return cluster;
  }

  get ready(): Ready {
    if (!this.#ready) throw new Error("the cluster is not ready");
    return this.#ready;
  }

  async room(): Promise<RoomEntry> {
    const answer = await fetch(`${this.ready.control}/v1/rooms/demo/plaza`);
    return (await answer.json()) as RoomEntry;
  }

  /** SIGKILL to the process that owns the plaza; answers its id. */
  async killOwner(): Promise<string> {
    const { owner } = await this.room();
    const found = this.ready.processes.find(({ role, id }) => role === "node" && id === owner);
    if (!found) throw new Error(`no process ${owner}: ${JSON.stringify(this.ready.processes)}`);
    process.kill(found.pid, "SIGKILL");
    return found.id;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await waitUntil("the cluster to stop", () => this.#child.exitCode !== null, {
      timeoutMs: STOP_MS_MAX,
      dump: () => this.#output,
    });
  }
}
