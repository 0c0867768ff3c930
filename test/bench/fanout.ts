import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildProduct } from "../support/built-product.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { waitUntil } from "../support/wait-until.ts";
import { beNice, coresOfMachine, startedOn } from "./density/cores.ts";

/**
 * What one frame to one client costs the writer: `ws.send`, the gateway's own write path, and a
 * plain send() loop in C as the floor, in turns. The same clients drain all of them, in a process
 * and on a core of their own.
 */
const values = toolFlags({
  connections: { type: "string", default: "1000", least: 1, whole: true },
  bytes: { type: "string", default: "800", least: 1, whole: true },
  hz: { type: "string", default: "10", least: 0.01 },
  seconds: { type: "string", default: "4", least: 0.1 },
  rounds: { type: "string", default: "7", least: 1, whole: true },
  nice: { type: "string", default: "0", least: -20, whole: true },
  quick: { type: "boolean", default: false },
  json: { type: "string" },
});
const connections = values.quick ? 200 : Number(values.connections);
const rounds = values.quick ? 3 : Number(values.rounds);
const nice = Number(values.nice);
const seconds = values.quick ? 2 : Number(values.seconds);
const FOLDER = fileURLToPath(new URL("fanout", import.meta.url));
const CACHE = fileURLToPath(new URL("../../.cache/bench", import.meta.url));
const LOADER = ["--import", import.meta.resolve("tsx")];
const say = (text: string): void => console.error(text);
const cores = coresOfMachine();
if (!cores) say("one core, or no taskset: nothing is pinned, and the figures are worth less");

type Name = "ours" | "ours_public" | "ws_send" | "c_floor";
const dist = path.dirname(path.dirname(buildProduct().main));
const floor = compiledFloor();
const sizes = [String(connections), values.bytes];
const oursWriter = [process.execPath, ...LOADER, path.join(FOLDER, "ours-writer.ts")];
const commands: Partial<Record<Name, readonly string[]>> = {
  ...(floor ? { c_floor: [floor, ...sizes] } : {}),
  ws_send: [process.execPath, ...LOADER, path.join(FOLDER, "ws-writer.ts"), ...sizes],
  ours: [...oursWriter, ...sizes, dist, "fast"],
  ours_public: [...oursWriter, ...sizes, dist, "public"],
};
const names = Object.keys(commands) as Name[];

/** A writer with its clients, both processes. */
class Pair {
  readonly name: Name;
  readonly #writer: ChildProcess;
  readonly #reader: ChildProcess;
  readonly #lines: string[] = [];

  private constructor(name: Name, writer: ChildProcess, reader: ChildProcess) {
    this.name = name;
    this.#writer = writer;
    this.#reader = reader;
    if (writer.stdout)
      createInterface({ input: writer.stdout }).on("line", (line) => this.#lines.push(line));
  }

  static async start(name: Name): Promise<Pair> {
    const [file = "", ...args] = commands[name] ?? [];
    const writer = await startedOn(cores?.server, async () =>
      spawn(file, args, { stdio: ["pipe", "pipe", 2] }),
    );
    const reader = await startedOn(cores?.client, async () =>
      spawn(process.execPath, [...LOADER, path.join(FOLDER, "reader.ts")], {
        stdio: ["ignore", 2, 2, "ipc"],
      }),
    );
    const pair = new Pair(name, writer, reader);
    const port = Number((await pair.#line("port"))[1]);
    await pair.#ask({ port, connections });
    await pair.#line("ready");
    return pair;
  }

  /** CPU of the writer for each frame, in us. Throws unless every frame was sent and came. */
  async measure(): Promise<number> {
    const before = await this.#ask("count");
    this.#writer.stdin?.write(`go ${seconds} ${values.hz}\n`);
    const [, frames, , cpuUs, , failed] = (await this.#line("frames")).map(Number);
    await waitUntil(
      `${this.name}'s clients have all frames`,
      async () => (await this.#ask("count")).frames - before.frames >= (frames as number),
      { timeoutMs: 10_000, pollMs: 100 },
    );
    const { lost } = await this.#ask("count");
    if (failed !== 0 || lost !== 0) throw new Error(`${this.name}: ${failed} failed, ${lost} lost`);
    return (cpuUs as number) / (frames as number);
  }

  async #line(word: string): Promise<string[]> {
    const at = () => this.#lines.findIndex((line) => line.startsWith(`${word} `) || line === word);
    await waitUntil(`${this.name} says ${word}`, () => at() >= 0, {
      timeoutMs: 60_000,
      pollMs: 20,
      dump: () => this.#lines.join("\n"),
    });
    return (this.#lines.splice(at(), 1)[0] as string).split(" ");
  }

  #ask(message: object | "count"): Promise<{ readonly frames: number; readonly lost: number }> {
    return new Promise((resolve) => {
      this.#reader.once("message", resolve);
      this.#reader.send(message);
    });
  }

  close(): void {
    this.#writer.kill("SIGKILL");
    this.#reader.kill("SIGKILL");
  }
}

beNice(nice);
const pairs: Pair[] = [];
const costs: Record<string, number[]> = {};
try {
  for (const name of names) pairs.push(await Pair.start(name));
  // The first turn is for the compilers; it is not counted.
  for (let round = -1; round < rounds; round++)
    for (let i = 0; i < pairs.length; i++) {
      const pair = pairs[(i + round + pairs.length) % pairs.length] as Pair;
      const us = await pair.measure();
      if (round < 0) continue;
      say(`${round + 1}/${rounds} ${pair.name}: ${us.toFixed(2)} us a frame`);
      costs[pair.name] = [...(costs[pair.name] ?? []), us];
    }
} finally {
  for (const pair of pairs) pair.close();
}

const of = (name: Name): number | null => median(costs[name] ?? []);
const report = {
  fanout_us: {
    ours: of("ours"),
    ours_public: of("ours_public"),
    ws_send: of("ws_send"),
    c_floor: of("c_floor"),
  },
  /** Round by round, since what a round shares is the state of the machine. */
  ratio_to_floor: {
    ours: ratio("ours"),
    ours_public: ratio("ours_public"),
    ws_send: ratio("ws_send"),
  },
  turns: costs,
  pinned: cores ?? null,
  options: {
    connections,
    bytes: Number(values.bytes),
    hz: Number(values.hz),
    seconds,
    rounds,
    nice,
  },
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
console.log(JSON.stringify(report, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(0);

function ratio(name: Name): number | null {
  const mine = costs[name] ?? [];
  const lowest = costs.c_floor ?? [];
  return median(mine.flatMap((us, round) => (lowest[round] ? us / lowest[round] : [])));
}

function median(all: readonly number[]): number | null {
  const middle = all.toSorted((a, b) => a - b)[all.length >> 1];
  return middle === undefined ? null : Number(middle.toFixed(2));
}

/** The floor, where this machine has a C compiler. */
function compiledFloor(): string | undefined {
  mkdirSync(CACHE, { recursive: true });
  const target = path.join(CACHE, "floor");
  try {
    execFileSync("cc", ["-O2", "-o", target, path.join(FOLDER, "floor.c")], { stdio: "pipe" });
    return target;
  } catch (error) {
    say(`no floor, because there is no C compiler here: ${(error as Error).message}`);
    return undefined;
  }
}
