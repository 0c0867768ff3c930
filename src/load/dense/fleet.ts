import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { countOf } from "./split.ts";
import type { SwarmPlan, SwarmSample } from "./swarm.ts";
import { Tally } from "./tally.ts";
import type { WorkerOrder, WorkerWord } from "./worker.ts";

/** What all processes did in one second. */
export interface FleetSecond {
  readonly tally: Tally;
  readonly inRoom: number;
  readonly away: number;
  readonly settled: boolean;
  readonly lagMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

const STOP_MS_MAX = 15_000;

interface Worker {
  readonly child: ChildProcess;
  readonly plan: SwarmPlan;
  admitted: number;
  last: SwarmSample | undefined;
  /** Who asked for its rates hears them. */
  rated?: (rates: readonly number[]) => void;
}

/** The processes that hold the clients. They end when this one does, however it ends. */
export class Fleet {
  readonly #workers: Worker[];
  #tally = new Tally();
  #lagMs = 0;
  #cpuMs = 0;
  #stopping = false;
  /** How a process ended that nobody had asked to; undefined while none has. */
  crash: string | undefined;

  /** `program`: what a worker runs, with the arguments that make it one. */
  constructor(program: readonly [file: string, ...args: string[]], plans: readonly SwarmPlan[]) {
    const [file, ...args] = program;
    this.#workers = plans.map((plan) => {
      const worker: Worker = { child: fork(file, args), plan, admitted: 0, last: undefined };
      worker.child.on("message", (word: WorkerWord) => this.#hear(worker, word));
      worker.child.once("exit", (code, signal) => {
        worker.rated?.([]);
        if (!this.#stopping) this.crash ??= `a process of clients ended (${signal ?? code})`;
      });
      tell(worker, { type: "start", plan });
      return worker;
    });
  }

  get pids(): readonly number[] {
    return this.#workers.flatMap(({ child }) => child.pid ?? []);
  }

  /** The first so many people of the crowd may come; the others wait. */
  admit(people: number): void {
    for (const worker of this.#workers) {
      const { clients, share } = worker.plan;
      worker.admitted = Math.min(clients, countOf(share, people));
      tell(worker, { type: "admit", clients: worker.admitted });
    }
  }

  /** Everything since the last call. */
  second(): FleetSecond {
    const tally = this.#tally;
    const [lagMs, cpuMs] = [this.#lagMs, this.#cpuMs];
    this.#tally = new Tally();
    this.#lagMs = 0;
    this.#cpuMs = 0;
    const sum = (of: (sample: SwarmSample) => number): number =>
      this.#workers.reduce((total, { last }) => total + (last ? of(last) : 0), 0);
    return {
      tally,
      inRoom: sum(({ inRoom }) => inRoom),
      away: sum(({ away }) => away),
      settled: this.#workers.every(
        ({ admitted, last }) => last?.settled === true && last.admitted === admitted,
      ),
      lagMs,
      cpuMs,
      rssBytes: sum(({ rssBytes }) => rssBytes),
    };
  }

  begin(): void {
    for (const worker of this.#workers) tell(worker, { type: "begin" });
  }

  /** Frames a second of each client, from `begin` to now. */
  async rates(): Promise<readonly number[]> {
    const all = await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise<readonly number[]>((resolve) => {
            const { child } = worker;
            if (!child.connected) return resolve([]);
            worker.rated = resolve;
            tell(worker, { type: "rates" });
          }),
      ),
    );
    return all.flat();
  }

  /** Everybody leaves. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#workers.map(async (worker) => {
        const { child } = worker;
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, "exit");
        tell(worker, { type: "stop" });
        const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
        await gone;
        clearTimeout(late);
      }),
    );
  }

  kill(): void {
    this.#stopping = true;
    for (const { child } of this.#workers) child.kill("SIGKILL");
  }

  #hear(worker: Worker, word: WorkerWord): void {
    if (word.type === "rates") return worker.rated?.(word.rates);
    worker.last = word;
    this.#tally.add(word.part);
    this.#lagMs = Math.max(this.#lagMs, word.lagMs);
    this.#cpuMs += word.cpuMs;
  }
}

function tell({ child }: Worker, order: WorkerOrder): void {
  // It may have ended by itself; that shows in its exit.
  if (child.connected) child.send(order);
}
