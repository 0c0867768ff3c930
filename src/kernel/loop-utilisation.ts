import { performance } from "node:perf_hooks";

/** Over which the share is smoothed. */
const WINDOW_MS = 1_000;

/** Share of the last second or so that the loop spent running; each call weighs by its length. */
export function loopUtilisation(): () => number {
  let last = performance.eventLoopUtilization();
  let smoothed = 0;
  return () => {
    const now = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(now, last);
    last = now;
    const spanMs = since.active + since.idle;
    const weight = 1 - Math.exp(-spanMs / WINDOW_MS);
    if (spanMs > 0) smoothed += weight * (since.utilization - smoothed);
    return smoothed;
  };
}
