import { createInterface } from "node:readline";

/** Writes one frame to every connection; answers how many were left out. */
export type WriteAll = () => number;

/**
 * A writer's side of the talk with its parent, the same as in floor.c: `port N`, `ready`, then
 * `go SECONDS HZ` is answered by `frames N cpu_us N failed N`.
 */
export class WriterTalk {
  readonly #connections: number;

  constructor(connections: number) {
    this.#connections = connections;
  }

  listening(port: number): void {
    say(`port ${port}`);
  }

  entered(count: number): void {
    if (count === this.#connections) say("ready");
  }

  serve(writeAll: WriteAll): void {
    const lines = createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      const [word, seconds, hz] = line.split(" ");
      if (word === "go") this.#go(Number(seconds), Number(hz), writeAll);
    });
    lines.on("close", () => process.exit(0));
  }

  #go(seconds: number, hz: number, writeAll: WriteAll): void {
    const ticks = Math.floor(seconds * hz);
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    let tick = 0;
    let failed = 0;
    const next = (): void => {
      if (tick === ticks) {
        const { user, system } = process.cpuUsage(cpu);
        const frames = ticks * this.#connections - failed;
        return say(`frames ${frames} cpu_us ${user + system} failed ${failed}`);
      }
      failed += writeAll();
      tick++;
      setTimeout(next, Math.max(0, startedMs + (tick * 1000) / hz - performance.now()));
    };
    next();
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
