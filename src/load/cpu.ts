import { readFileSync } from "node:fs";

interface Ticks {
  readonly busy: number;
  readonly all: number;
}

/** How busy the whole machine is, everything that runs on it included; 0 where it does not tell. */
export class MachineLoad {
  #before = ticks();
  readonly #first = this.#before;

  /** Share since the last call. */
  since(): number {
    const now = ticks();
    const share = shareOf(this.#before, now);
    this.#before = now;
    return share;
  }

  /** Share since the beginning. */
  total(): number {
    return shareOf(this.#first, ticks());
  }
}

function shareOf(from: Ticks, to: Ticks): number {
  const all = to.all - from.all;
  return all <= 0 ? 0 : Math.round(((to.busy - from.busy) / all) * 100) / 100;
}

function ticks(): Ticks {
  try {
    const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, ...rest] = line
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const others = rest.slice(0, 3).reduce((sum, value) => sum + value, 0);
    const busy = user + nice + system + others;
    return { busy, all: busy + idle + wait };
  } catch {
    return { busy: 0, all: 0 };
  }
}

/** Clock ticks of /proc in a second: 100 on every Linux of today. */
const TICKS_PER_SECOND = 100;

/** Processor time of this run's own processes, sampled, because it is gone when one ends. */
export class OwnLoad {
  readonly #last = new Map<number, number>();
  #seconds = 0;

  sample(pids: readonly number[]): void {
    for (const pid of pids) {
      const ticks = ticksOf(pid);
      if (ticks === undefined) continue;
      this.#seconds += (ticks - (this.#last.get(pid) ?? 0)) / TICKS_PER_SECOND;
      this.#last.set(pid, ticks);
    }
  }

  /** Cores that were busy for it on average. */
  cores(elapsedMs: number): number {
    return Math.round((this.#seconds / (elapsedMs / 1_000)) * 100) / 100;
  }
}

/** Processor time of a process so far, in ms; undefined where it is not there. */
export function processorMs(pid: number): number | undefined {
  const ticks = ticksOf(pid);
  return ticks === undefined ? undefined : (ticks * 1_000) / TICKS_PER_SECOND;
}

/** Memory of a process that is its own or shared with files, in bytes. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

function ticksOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold anything; user and system time are 14th and 15th.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return undefined;
  }
}
