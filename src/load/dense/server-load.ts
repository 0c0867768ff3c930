import { processorMs, residentBytes } from "../cpu.ts";
import type { ServerProcess } from "./target.ts";

/** Processor time by role, in cores. */
export type CoresByRole = Readonly<Record<string, number>>;

/** What the server's processes on this machine use, read from /proc. */
export class ServerLoad {
  readonly #processes: ServerProcess[];
  readonly #last = new Map<number, number>();
  readonly #total = new Map<string, number>();
  #lastAtMs: number;

  constructor(processes: readonly ServerProcess[], nowMs: number) {
    this.#processes = [...processes];
    this.#lastAtMs = nowMs;
    for (const { pid } of processes) this.#last.set(pid, processorMs(pid) ?? 0);
  }

  /** Some may have been started again meanwhile: all that those have used counts. */
  watch(processes: readonly ServerProcess[]): void {
    const known = new Set(this.#processes.map(({ pid }) => pid));
    this.#processes.push(...processes.filter(({ pid }) => !known.has(pid)));
  }

  /** Cores of each role since the last call. */
  since(nowMs: number): CoresByRole {
    const elapsed = Math.max(1, nowMs - this.#lastAtMs);
    this.#lastAtMs = nowMs;
    const cores: Record<string, number> = {};
    for (const { pid, role } of this.#processes) {
      const before = this.#last.get(pid) ?? 0;
      // One that has ended used nothing since.
      const now = processorMs(pid) ?? before;
      this.#last.set(pid, now);
      this.#total.set(role, (this.#total.get(role) ?? 0) + now - before);
      cores[role] = (cores[role] ?? 0) + (now - before) / elapsed;
    }
    return cores;
  }

  /** Milliseconds of each role so far. */
  totals(): ReadonlyMap<string, number> {
    return new Map(this.#total);
  }

  /** Memory of each role now. */
  resident(): Readonly<Record<string, number>> {
    const bytes: Record<string, number> = {};
    for (const { pid, role } of this.#processes)
      bytes[role] = (bytes[role] ?? 0) + (residentBytes(pid) ?? 0);
    return bytes;
  }
}
