import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { waitUntil } from "./wait-until.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const START_MS_MAX = 60_000;
const OUTPUT_MAX = 60_000;

export interface ProcessLine {
  readonly role: string;
  readonly id: string;
  readonly pid: number;
}
export interface Ready {
  readonly control: string;
  readonly demo: string;
  readonly gateways: readonly string[];
  readonly nats: string | null;
  readonly processes: readonly ProcessLine[];
}

const running = new Set<ChildProcess>();
/** Ends what a test that failed has left. */
export async function killCommands(): Promise<void> {
  for (const child of running) {
    const gone = once(child, "exit");
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await gone;
  }
  running.clear();
}

/** `roomcluster <args>` from the sources, as a shell would start it. */
export class Command {
  readonly child: ChildProcess;
  readonly stdout: string[] = [];
  output = "";

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    // In a group of its own, as a shell would put it.
    this.child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...env },
    });
    running.add(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout.push(text);
      this.#keep(text);
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
  }

  #keep(text: string): void {
    this.output = (this.output + text).slice(-OUTPUT_MAX);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async ready(): Promise<Ready> {
    const line = () => /^ready (\{.*\})$/m.exec(this.stdout.join(""))?.[1];
    await waitUntil("the ready line", () => line() !== undefined || this.ended, {
      timeoutMs: START_MS_MAX,
      dump: () => this.output,
    });
    const found = line();
    if (found === undefined) throw new Error(`no ready line:\n${this.output}`);
    return JSON.parse(found) as Ready;
  }

  /** Milliseconds until the end. */
  async endsWithin(timeoutMs: number): Promise<number> {
    const since = performance.now();
    await waitUntil("the command to end", () => this.ended, { timeoutMs, dump: () => this.output });
    return performance.now() - since;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export const allGone = (ready: Ready, timeoutMs: number) =>
  waitUntil(
    "every process of the cluster to be gone",
    () => !ready.processes.some((one) => isAlive(one.pid)),
    {
      timeoutMs,
      dump: () => JSON.stringify(ready.processes.filter(({ pid }) => isAlive(pid))),
    },
  );

/** Folders that the cluster of this process has not removed. */
export const workDirs = (pid: number | undefined) =>
  readdirSync(os.tmpdir()).filter((name) => name.startsWith(`roomcluster-run-${pid}-`));
