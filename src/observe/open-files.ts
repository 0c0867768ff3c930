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
