import type { Random } from "./random.ts";

/** Exponential delays with full jitter: each is uniform in [0, min(capMs, baseMs · 2^attempt)). */
export function backoffMs(
  attempt: number,
  limits: { readonly baseMs: number; readonly capMs: number },
  random: Pick<Random, "next">,
): number {
  return random.next() * Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt, 30));
}
