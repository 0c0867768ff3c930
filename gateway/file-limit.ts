import { readFileSync } from "node:fs";

/** This process's soft limit on open files, or undefined where the system does not tell. */
export function openFilesMax(): number | undefined {
  try {
    return parseLimits(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return undefined;
  }
}

/** Reads the line of /proc/<pid>/limits (proc(5)); `unlimited` is no limit. */
export function parseLimits(limits: string): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  const count = Number(soft);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

/** How many sockets to allow, and the sentence that says why, where it is fewer than wished. */
export function socketCap(
  wished: number,
  reserved: number,
  filesMax: number | undefined,
): { readonly sockets: number; readonly why: string | undefined } {
  if (filesMax === undefined || wished + reserved <= filesMax)
    return { sockets: wished, why: undefined };
  const sockets = Math.max(0, filesMax - reserved);
  return {
    sockets,
    why: `The limit on open files is ${filesMax}, ${reserved} of which are reserved: this gateway takes ${sockets} sockets, not ${wished}. Raise it (ulimit -n, LimitNOFILE) or run more gateways.`,
  };
}
