import { randomBelow, seededRandom } from "../../src/kernel/random.ts";
import { FAULT_KINDS, type FaultKind } from "./faults.ts";

/** One fault of a seed's schedule. It draws from a seed of its own: any subset can be replayed. */
export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly seed: number;
}

/** The cluster is up by then; after the last fault it has the rest of the minute to recover. */
const FIRST_MS = 5_000;
const LAST_MS = 34_000;

/** Some faults together, as they come: at least five, the last of them 26 s before the end. */
export function planFaults(seed: number): PlannedFault[] {
  const random = seededRandom(seed ^ 0x5eed);
  const count = 6 + randomBelow(random, 4);
  const plan = Array.from({ length: count }, (_, i) => ({
    atMs: Math.round(FIRST_MS + random.next() * (LAST_MS - FIRST_MS)),
    // Each kind comes round: in any run of so many seeds every one is struck.
    kind: (i === 0
      ? FAULT_KINDS[seed % FAULT_KINDS.length]
      : FAULT_KINDS[randomBelow(random, FAULT_KINDS.length)]) as FaultKind,
    seed: Math.floor(random.next() * 2 ** 32),
  }));
  // At least one change of epoch that nobody asked for.
  plan.push({ atMs: 20_000, kind: "nodeCrash", seed: Math.floor(random.next() * 2 ** 32) });
  return plan.sort((a, b) => a.atMs - b.atMs);
}
