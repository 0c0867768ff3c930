import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** One process at one moment. */
export interface ProcessCpu {
  readonly pid: number;
  readonly name: string;
  readonly cpuMs: number;
}

const MS_PER_CLOCK_TICK = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

interface Stat extends ProcessCpu {
  readonly parent: number;
}

/** proc(5): the command is in parentheses and may hold anything; fields are counted behind it. */
function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_CLOCK_TICK;
  return { pid, name: commandOf(pid), parent: Number(fields[1]), cpuMs };
}

/** What tells our processes apart: the program, and the first argument that is no path or flag. */
function commandOf(pid: number): string {
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const base = program.split("/").at(-1) ?? "";
    const script = args.find((arg) => /^[a-z]+$/.test(arg)) ?? args.find((arg) => /js$/.test(arg));
    return base === "node" ? (script?.split("/").at(-1) ?? base) : base;
  } catch {
    return "gone";
  }
}

/**
 * Every process that descends from `root`, but for the trees below `except`: whatever a contestant
 * starts is found, so none can be forgotten.
 */
export function processesBelow(root: number, except: ReadonlySet<number>): ProcessCpu[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
  const children = new Map<number, Stat[]>();
  for (const stat of all) children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat]);
  const below = (pid: number): Stat[] =>
    (children.get(pid) ?? [])
      .filter((child) => !except.has(child.pid))
      .flatMap((child) => [child, ...below(child.pid)]);
  return below(root).map(({ pid, name, cpuMs }) => ({ pid, name, cpuMs }));
}

/** What each spent from `before` to `after`. Throws when a process came or went meanwhile. */
export function spentBetween(
  before: readonly ProcessCpu[],
  after: readonly ProcessCpu[],
): Readonly<Record<string, number>> {
  const started = new Map(before.map((each) => [each.pid, each.cpuMs]));
  const same = after.length === before.length && after.every(({ pid }) => started.has(pid));
  if (!same) throw new Error("a process of the contestant came or went while it was measured");
  const spent: Record<string, number> = {};
  for (const { pid, name, cpuMs } of after)
    spent[name] = (spent[name] ?? 0) + cpuMs - (started.get(pid) ?? 0);
  return spent;
}

/** What one core did since the machine started, in ms. */
export interface CoreTime {
  /** For whomever, other guests of the same host included. */
  readonly busyMs: number;
  readonly allMs: number;
}

/** proc(5): user, nice, system, idle, iowait, irq, softirq, steal. */
export function coreTime(core: number): CoreTime {
  const lines = readFileSync("/proc/stat", "utf8").split("\n");
  const fields = lines.find((line) => line.startsWith(`cpu${core} `))?.split(" ") ?? [];
  const ms = fields.slice(1, 9).map((field) => Number(field) * MS_PER_CLOCK_TICK);
  const allMs = ms.reduce((sum, part) => sum + part, 0);
  const [, , , idle = 0, wait = 0] = ms;
  return { busyMs: allMs - idle - wait, allMs };
}
