import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import os from "node:os";

/** Which cores whom: servers on one, clients on the other. */
export interface Cores {
  readonly server: number;
  readonly client: number;
}

/** Undefined where there is only one core, or no taskset; then the figures are worth less. */
export function coresOfMachine(): Cores | undefined {
  if (os.cpus().length < 2) return undefined;
  try {
    execFileSync("taskset", ["-pc", String(process.pid)], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { server: 0, client: 1 };
}

/**
 * Puts this process, and all it starts, before others on a machine that is shared; as nice(1) has
 * it, below 0 takes a privilege. Linux weighs sessions against each other first (autogroup in
 * sched(7)), so the session has to be nice as well.
 */
export function beNice(nice: number): void {
  if (nice === 0) return;
  os.setPriority(nice);
  if (existsSync(AUTOGROUP)) writeFileSync(AUTOGROUP, String(nice));
}

const AUTOGROUP = "/proc/self/autogroup";

/**
 * Does `work` while this process is bound to a core, so that every process it starts is too, from
 * its first instruction on: a runtime that counts cores at its start (Go's) counts one.
 */
export async function startedOn<T>(core: number | undefined, work: () => Promise<T>): Promise<T> {
  if (core === undefined) return work();
  bind(String(core));
  try {
    return await work();
  } finally {
    bind(`0-${os.cpus().length - 1}`);
  }
}

const bind = (list: string): void =>
  void execFileSync("taskset", ["-pc", list, String(process.pid)], { stdio: "ignore" });
