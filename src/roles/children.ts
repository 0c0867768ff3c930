import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { EXIT, type ReadyMessage } from "./process.ts";

export interface ChildSpec {
  readonly role: "placement" | "node" | "gateway" | "bots";
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ChildView {
  readonly role: ChildSpec["role"];
  /** `name.incarnation`; the name alone until the process has said it. */
  readonly id: string;
  readonly pid: number;
}

export interface SupervisorOptions {
  /** The program that understands the children's arguments. */
  readonly main: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Receives each line that a child writes. */
  readonly onLine: (spec: ChildSpec, line: string) => void;
  /** `again`: it is started again after a while. */
  readonly onExit: (spec: ChildSpec, pid: number, how: string, again: boolean) => void;
}

/** A child that lived shorter than this failed, and its next start waits longer. */
const STABLE_MS = 10_000;
const BACKOFF = { baseMs: 200, capMs: 10_000 };
/** A child that fails so often before it was ready once will not get better by itself. */
const FIRST_STARTS_MAX = 3;
/** SIGTERM at once, SIGKILL then: with the NATS server after it, Ctrl-C takes less than 5 s. */
const KILL_AFTER_MS = 3_500;

interface Child {
  readonly spec: ChildSpec;
  process: ChildProcess | undefined;
  gone: Promise<void>;
  id: string;
  startedAt: number;
  everReady: boolean;
  failures: number;
  restart: Timer | undefined;
  readonly settle: (failure: string | undefined) => void;
}

/** Keeps processes running: the same name, a new incarnation each time. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: Child[] = [];
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when the child serves, with a sentence where it does not come up. */
  start(spec: ChildSpec): Promise<string | undefined> {
    if (this.#stopping) return Promise.resolve("everything is being stopped");
    return new Promise((settle) => {
      const child: Child = {
        spec,
        process: undefined,
        gone: Promise.resolve(),
        id: spec.name,
        startedAt: 0,
        everReady: false,
        failures: 0,
        restart: undefined,
        settle,
      };
      this.#children.push(child);
      this.#spawn(child);
    });
  }

  /** Those that run now. */
  list(): ChildView[] {
    return this.#children.flatMap(({ spec, id, process }) =>
      process?.pid === undefined ? [] : [{ role: spec.role, id, pid: process.pid }],
    );
  }

  /** SIGTERM to all; what is still there after a while is killed. Nothing is started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children) {
      child.restart?.cancel();
      child.process?.kill("SIGTERM");
      // A process that somebody stopped hears nothing else before it goes on.
      child.process?.kill("SIGCONT");
    }
    const late = this.#options.clock.after(KILL_AFTER_MS, () => this.killNow());
    await Promise.all(this.#children.map((child) => child.gone));
    late.cancel();
  }

  /** SIGKILL to all that still run. */
  killNow(): void {
    for (const child of this.#children) child.process?.kill("SIGKILL");
  }

  #spawn(child: Child): void {
    const { main, clock, onExit } = this.#options;
    const { spec } = child;
    const spawned = spawn(process.execPath, [...process.execArgv, main, ...spec.args], {
      env: spec.env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A group of its own: Ctrl-C reaches the supervisor alone, which then stops all in order. If
      // the supervisor dies, the children see the end of the IPC channel.
      detached: true,
    });
    child.process = spawned;
    child.startedAt = clock.now();
    child.id = spec.name;
    spawned.on("message", (message) => this.#heard(child, message as ReadyMessage));
    this.#readLines(spec, spawned.stdout);
    this.#readLines(spec, spawned.stderr);
    child.gone = new Promise((resolve) => {
      spawned.once("error", (error) => this.#options.onLine(spec, error.message));
      spawned.once("close", (code, signal) => {
        child.process = undefined;
        if (!this.#stopping) {
          const givesUp = this.#givesUp(child, code);
          onExit(spec, spawned.pid ?? 0, signal ?? `exit code ${code}`, !givesUp);
          if (!givesUp) this.#restart(child);
        }
        resolve();
      });
    });
  }

  #heard(child: Child, message: ReadyMessage): void {
    if (message.type !== "ready") return;
    child.id = message.id;
    child.everReady = true;
    child.settle(undefined);
  }

  /** Counts the failure. One that was ready once is started for ever. */
  #givesUp(child: Child, code: number | null): boolean {
    if (this.#options.clock.now() - child.startedAt >= STABLE_MS) child.failures = 0;
    child.failures += 1;
    if (child.everReady) return false;
    const { name } = child.spec;
    if (code === EXIT.usage) {
      child.settle(`${name} can not start as it is configured.`);
    } else if (child.failures >= FIRST_STARTS_MAX) {
      child.settle(`${name} does not start (${child.failures} attempts).`);
    } else {
      return false;
    }
    return true;
  }

  #restart(child: Child): void {
    const { clock, random } = this.#options;
    const delayMs = backoffMs(child.failures - 1, BACKOFF, random);
    child.restart = clock.after(delayMs, () => this.#spawn(child));
  }

  #readLines(spec: ChildSpec, stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) =>
      this.#options.onLine(spec, line),
    );
  }
}
