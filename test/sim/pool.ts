import { type ChildProcess, fork } from "node:child_process";
import type { Done, Task } from "./worker.ts";

/** A seed that takes longer than this is stuck in a loop without end. */
const SEED_MS_MAX = 60_000;

/** Worker processes that run seeds, each as many as it can. */
export class Pool {
  readonly #workers: ChildProcess[];

  constructor(bundle: string, workers: number) {
    this.#workers = Array.from({ length: workers }, () =>
      fork(bundle, [], {
        execArgv: ["--max-semi-space-size=64"],
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      }),
    );
  }

  /** Runs tasks until there is none, or `done` answers false. */
  async run(tasks: Iterator<Task>, done: (done: Done) => boolean): Promise<void> {
    let going = true;
    const work = async (worker: ChildProcess): Promise<void> => {
      for (let next = tasks.next(); going && !next.done; next = tasks.next())
        if (!done(await ask(worker, next.value))) going = false;
    };
    await Promise.all(this.#workers.map(work));
  }

  close(): void {
    for (const worker of this.#workers) if (worker.connected) worker.disconnect();
  }
}

function ask(worker: ChildProcess, task: Task): Promise<Done> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(stuck);
      worker.off("message", answered);
      worker.off("exit", ended);
      settle();
    };
    const answered = (done: Done): void => finish(() => resolve(done));
    const ended = (code: number | null): void =>
      finish(() => reject(new Error(`the worker of seed ${task.seed} ended (${code})`)));
    const stuck = setTimeout(() => {
      worker.kill("SIGKILL");
      finish(() => reject(new Error(`seed ${task.seed} did not end in ${SEED_MS_MAX} ms`)));
    }, SEED_MS_MAX);
    worker.once("message", answered);
    worker.once("exit", ended);
    worker.send(task);
  });
}
