import { setTimeout as pause } from "node:timers/promises";

export interface WaitOptions {
  /** Default 5 s. */
  readonly timeoutMs?: number;
  readonly pollMs?: number;
  /** What everyone believes, for the message of the failure. */
  readonly dump?: () => unknown;
}

/** Waits until `condition` holds. The description completes "waited for …". */
export async function waitUntil(
  description: string,
  condition: () => boolean | Promise<boolean>,
  options: WaitOptions = {},
): Promise<void> {
  const { timeoutMs = 5_000, pollMs = 5, dump } = options;
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() >= deadline) {
      const beliefs = dump ? `\n${shown(dump())}` : "";
      throw new Error(`waited ${timeoutMs} ms in vain for ${description}${beliefs}`);
    }
    await pause(pollMs);
  }
}

const shown = (dump: unknown): string =>
  typeof dump === "string" ? dump : JSON.stringify(dump, undefined, 2);
