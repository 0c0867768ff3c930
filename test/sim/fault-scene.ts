import type { Random } from "../../src/kernel/random.ts";
import type { Disturbances } from "./disturbances.ts";
import type { Fleet } from "./fleet.ts";
import type { SimProcess, SimRole } from "./sim-process.ts";

/** What a fault acts on. `random` is its own: leaving one fault out changes no other. */
export interface Scene {
  readonly fleet: Fleet;
  readonly random: Random;
  readonly disturbances: Disturbances;
}

/** Strikes, and answers how long it lasts at most; undefined where there was nothing to strike. */
export type Fault = (scene: Scene) => number | undefined;

/** By then everything is over, so that the rest of the minute shows how it heals. */
const OVER_MS = 48_000;

/** A duration from this range, cut off where it would last too long. */
export const lasting = ({ fleet, random }: Scene, min: number, max: number): number =>
  Math.min(between(random, min, max), Math.max(100, OVER_MS - fleet.time.now));

export const between = (random: Random, min: number, max: number): number =>
  min + random.next() * (max - min);

export const one = <T>(random: Random, from: readonly T[]): T | undefined =>
  from[Math.floor(random.next() * from.length)];

/** A running process of that role. */
export function victim({ fleet, random }: Scene, role: SimRole): SimProcess | undefined {
  const up = fleet.processes.filter((process) => process.role === role && process.up);
  return one(
    random,
    up.filter((process) => !process.frozen),
  );
}

/** From the moment it begins to a while after it ends, much may be said of this process. */
export function harm({ fleet, disturbances }: Scene, process: SimProcess, ms: number): void {
  disturbances.add(process, fleet.time.now + ms);
  // Who asks placement while none answers waits.
  if (process.role === "placement") disturbances.add("placement", fleet.time.now + ms);
}
