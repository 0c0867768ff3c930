/**
 * A moment inside a row: in pitch and the hand's place, which rooms pass on as they are. A beacon's
 * hand flutters for it; nothing else about it is unlike other people.
 */

/** Steps of a pitch, and of each of the three axes of reach, that stay in range (PR21). */
const PITCHES = 255;
const REACHES = 31;
const STEPS = PITCHES * REACHES ** 3;
const STEPS_MS = 10;
/** After so long stamps come round: 12.6 minutes. */
export const STAMP_WRAP_MS = STEPS / STEPS_MS;

/** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
export interface SharedClock {
  now(): number;
}

/**
 * `performance.now()` counts from this process's start. How far that is from the machine's clock
 * is found once; both are the same clock, so it never changes. `timeOrigin` would not do: it is
 * wall time, read once, and differs between processes by what the clock was set meanwhile.
 */
export function sharedClock(): SharedClock {
  const before = performance.now();
  const machineMs = Number(process.hrtime.bigint() / 1_000n) / 1_000;
  const offset = machineMs - (before + performance.now()) / 2;
  return { now: () => performance.now() + offset };
}

/** Writes the moment into the row at word `at`. */
export function writeStamp(words: Uint32Array, at: number, nowMs: number): void {
  let step = Math.floor(nowMs * STEPS_MS) % STEPS;
  const pitch = ((step % PITCHES) - 127) & 0xff;
  step = Math.floor(step / PITCHES);
  let hand = 0;
  for (let axis = 0; axis < 3; axis++) {
    hand |= (((step % REACHES) - 15) & 0x1f) << (5 * axis);
    step = Math.floor(step / REACHES);
  }
  words[at + 2] = ((words[at + 2] as number) & 0xffffff) | (pitch << 24);
  words[at + 3] = ((words[at + 3] as number) & 0xffff) | (hand << 16);
}

/** What tells a stamp from others. */
export function readStamp(words: Uint32Array, at: number): number {
  const hand = (words[at + 3] as number) >>> 16;
  let step = 0;
  for (let axis = 2; axis >= 0; axis--) {
    const signed = ((hand >>> (5 * axis)) << 27) >> 27;
    step = step * REACHES + signed + 15;
  }
  return step * PITCHES + ((words[at + 2] as number) >> 24) + 127;
}

/** How long ago that was. Slightly negative where clocks are read in another order. */
export function stampAgeMs(stamp: number, nowMs: number): number {
  const steps = (((nowMs * STEPS_MS - stamp) % STEPS) + STEPS) % STEPS;
  return (steps > STEPS / 2 ? steps - STEPS : steps) / STEPS_MS;
}
