import { assert } from "./assert.ts";

/** 24.8 days. Beyond it, and at NaN, Node fires after 1 ms, which virtual time would hide. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Every clock checks its delays so. */
export function assertDelay(delayMs: number): void {
  assert(delayMs <= TIMER_MS_MAX, () => `timers wait at most ${TIMER_MS_MAX} ms, not ${delayMs}`);
}

/** A timer that has been set; opaque to everyone but the clock that made it. */
export interface Timer {
  readonly cancel: () => void;
}

/** The only source of time and timers. Simulation replaces it with virtual time. */
export interface Clock {
  /** Monotonic milliseconds since some fixed moment of this process; never goes back. */
  now(): number;
  /** Milliseconds since 1970, for what people and other machines read. Never decides safety. */
  wallNow(): number;
  /**
   * Runs `fire` once, `delayMs` from now; 0: when the input that is there has been handled. Timers
   * do not keep the process alive.
   */
  after(delayMs: number, fire: () => void): Timer;
  /** Runs `fire` every `periodMs`, the first time after `firstMs` (default: one period). */
  every(periodMs: number, fire: () => void, firstMs?: number): Timer;
}

export const systemClock: Clock = timersOf((fire, delayMs) => {
  const handle = setTimeout(fire, delayMs);
  handle.unref?.();
  return handle;
});

/** Like `systemClock`, but a timer that is set keeps the process alive. */
export const holdingClock: Clock = timersOf((fire, delayMs) => setTimeout(fire, delayMs));

/**
 * Node's own, which is there within the same turn of the loop; its timers take at least 1 ms. A
 * browser has none. It holds the process for that one turn: unreferenced, it would wait for the
 * next input.
 */
const soon =
  typeof setImmediate === "function"
    ? (fire: () => void): Timer => {
        const handle = setImmediate(fire);
        return { cancel: () => clearImmediate(handle) };
      }
    : undefined;

function timersOf(set: (fire: () => void, delayMs: number) => NodeJS.Timeout): Clock {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    after(delayMs, fire) {
      assertDelay(delayMs);
      if (delayMs <= 0 && soon) return soon(fire);
      const handle = set(fire, delayMs);
      return { cancel: () => clearTimeout(handle) };
    },
    every(periodMs, fire, firstMs = periodMs) {
      assertDelay(periodMs);
      assertDelay(firstMs);
      // Re-armed against the schedule, not the last firing, so that the period does not drift.
      let due = performance.now() + firstMs;
      let handle = set(tick, firstMs);
      function tick(): void {
        const now = performance.now();
        due = Math.max(due + periodMs, now);
        handle = set(tick, due - now);
        fire();
      }
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** Resolves after `delayMs` of the clock's time. */
export const delay = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => clock.after(delayMs, resolve));
