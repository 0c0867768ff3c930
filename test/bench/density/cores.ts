import { execFileSync } from "node:child_process";
import os from "node:os";

/** Which cores whom: servers on one, clients on the other. */
export interface Cores {
  readonly server: number;
  readonly client: number;
}

/** What whatever is started here begins with. */
export interface Footing {
  readonly core: number | undefined;
  /** As nice(1) has it. Below 0 takes a privilege. */
  readonly nice: number;
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
 * Does `work` while this process is bound to a core, so that every process it starts is too, from
 * its first instruction on: a runtime that counts cores at its start (Go's) counts one.
 */
export async function startedOn<T>(footing: Footing, work: () => Promise<T>): Promise<T> {
  const { core, nice } = footing;
  const before = os.getPriority();
  if (core !== undefined) bind(String(core));
  if (nice !== 0) os.setPriority(nice);
  try {
    return await work();
  } finally {
    if (core !== undefined) bind(`0-${os.cpus().length - 1}`);
    if (nice !== 0) os.setPriority(before);
  }
}

const bind = (list: string): void =>
  void execFileSync("taskset", ["-pc", list, String(process.pid)], { stdio: "ignore" });
