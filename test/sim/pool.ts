import { type ChildProcess, fork } from "node:child_process";
import { brokenSeed } from "./broken-seed.ts";
import type { Done, Task } from "./worker.ts";

/**
 * A seed that takes longer than this runs in a circle: time does not get on in it. It takes half a
 * second; among twenty busy processes one took 40 s.
 */
const SEED_MS_MAX = 120_000;

/** Worker processes that run seeds, each as many as it can. */
export class Pool {
  readonly #bundle: string;
  readonly #workers: ChildProcess[];

  constructor(bundle: string, workers: number) {
    this.#bundle = bundle;
    this.#workers = Array.from({ length: workers }, () => start(bundle));
  }

  /** Runs tasks until there is none, or `done` answers false. */
  async run(tasks: Iterator<Task>, done: (done: Done) => boolean): Promise<void> {
    let going = true;
    const work = async (at: number): Promise<void> => {
      for (let next = tasks.next(); going && !next.done; next = tasks.next()) {
        const answer = await ask(this.#workers[at] as ChildProcess, next.value);
        if (typeof answer === "string") this.#workers[at] = start(this.#bundle);
        const { seed, plan } = next.value;
        const stuck = (what: string) => ({ report: brokenSeed(seed, plan, "stuck", what) });
        if (!done(typeof answer === "string" ? stuck(answer) : answer)) going = false;
      }
    };
    await Promise.all(this.#workers.map((_, at) => work(at)));
  }

  close(): void {
    for (const worker of this.#workers) if (worker.connected) worker.disconnect();
  }
}

const start = (bundle: string): ChildProcess =>
  fork(bundle, [], {
    // Every core has a worker: a collector with threads of its own would only take turns with them.
    execArgv: ["--max-semi-space-size=64", "--single-threaded-gc"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });

/** The report; or, in words, why there is none and will be none from this worker. */
function ask(worker: ChildProcess, task: Task): Promise<Done | string> {
  return new Promise((resolve) => {
    const finish = (answer: Done | string): void => {
      clearTimeout(stuck);
      worker.off("message", finish);
      worker.off("exit", ended);
      resolve(answer);
    };
    const ended = (code: number | null): void => finish(`its process ended (${code})`);
    const stuck = setTimeout(() => {
      worker.kill("SIGKILL");
      finish(`it did not end in ${SEED_MS_MAX / 1_000} s`);
    }, SEED_MS_MAX);
    worker.once("message", finish);
    worker.once("exit", ended);
    worker.send(task);
  });
}
