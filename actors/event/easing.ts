import type { ProcessId } from "../../src/kernel/ids.ts";
import { LADDER, type Step, stepFrom } from "../../src/protocol/event-ladder.ts";

/** So long too many gateways have to be behind for the first step up, and as much more for each. */
const PRESSED_MS = 5_000;
/** So long none may be for a step down; more where the last one was taken back soon after. */
const CALM_MS = 30_000;
const CALM_FACTOR_MAX = 8;
/** Of the gateways that report. */
const PRESSED_SHARE = 0.25;

/**
 * When an event takes a step of its ladder by itself: gateways say how far behind they are, and
 * where a quarter of them are for a while it asks less of all. Pure.
 */
export class Easing {
  readonly #behind = new Map<ProcessId, boolean>();
  #pressedSince: number | undefined;
  #calmSince: number | undefined;
  #calmFactor = 1;
  #steppedDownAt = Number.NEGATIVE_INFINITY;

  /** `stretch`: how much longer than its ticks the gateway's frames are apart by itself. */
  hear(from: ProcessId, stretch: number): void {
    this.#behind.set(from, stretch > 1);
  }

  /** It reports no more. */
  forget(process: ProcessId): void {
    this.#behind.delete(process);
  }

  /** The step to take now from this one, or undefined. */
  due(step: Step, now: number): Step | undefined {
    let behind = 0;
    for (const one of this.#behind.values()) if (one) behind++;
    const pressed = behind > 0 && behind >= this.#behind.size * PRESSED_SHARE;
    this.#pressedSince = pressed ? (this.#pressedSince ?? now) : undefined;
    const calm = behind === 0 && this.#behind.size > 0;
    this.#calmSince = calm ? (this.#calmSince ?? now) : undefined;
    const pressedMs = PRESSED_MS * (1 + LADDER.indexOf(step));
    if (this.#pressedSince !== undefined && now - this.#pressedSince >= pressedMs)
      return stepFrom(step, 1);
    const calmMs = CALM_MS * this.#calmFactor;
    if (this.#calmSince !== undefined && now - this.#calmSince >= calmMs) return stepFrom(step, -1);
    return undefined;
  }

  /** The step was taken; the next one is judged by what comes from now on. */
  took(up: boolean, now: number): void {
    this.#pressedSince = undefined;
    this.#calmSince = undefined;
    if (!up) this.#steppedDownAt = now;
    else if (now - this.#steppedDownAt < CALM_MS * this.#calmFactor)
      this.#calmFactor = Math.min(CALM_FACTOR_MAX, this.#calmFactor * 2);
    else this.#calmFactor = 1;
  }
}
