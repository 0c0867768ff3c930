import type { StoreOp } from "./conformance-ops.ts";
import { type Outcome, Player, type Writer } from "./conformance-player.ts";

export interface Difference {
  readonly at: number;
  readonly op: StoreOp;
  readonly real: Outcome;
  readonly simulated: Outcome;
}

/** What real followers did that the simulated stores do only when told to. */
export interface Tally {
  ops: number;
  repeats: number;
  /** Reads through a follower that lacked the newest records, or had some that were trimmed. */
  stale: number;
  untrimmed: number;
}

export const emptyTally = (): Tally => ({ ops: 0, repeats: 0, stale: 0, untrimmed: 0 });

/** Plays one after the other on both, until an outcome differs. */
export async function compare(
  ops: readonly StoreOp[],
  stores: { readonly real: readonly Writer[]; readonly simulated: readonly Writer[] },
  prefix: string,
  tally: Tally,
): Promise<Difference | undefined> {
  const real = new Player(stores.real, prefix);
  const simulated = new Player(stores.simulated, prefix);
  for (const [at, op] of ops.entries()) {
    const asReal = await real.play(op);
    const asSimulated = await simulated.play(op, asReal);
    tally.ops++;
    if (!agree(op, asReal, asSimulated, tally))
      return { at, op, real: asReal, simulated: asSimulated };
  }
  tally.repeats += real.repeats;
  return undefined;
}

function agree(op: StoreOp, real: Outcome, simulated: Outcome, tally: Tally): boolean {
  if (JSON.stringify(real) === JSON.stringify(simulated)) return true;
  if (op.do !== "readThrough" || op.leader) return false;
  return isStale(real as readonly string[], simulated as readonly string[], tally);
}

/** A follower may lack the end, and may still have what its leader has trimmed. */
function isStale(real: readonly string[], simulated: readonly string[], tally: Tally): boolean {
  const [first] = simulated;
  const trimmed = first === undefined ? real.length : real.indexOf(first);
  const kept = real.slice(trimmed < 0 ? real.length : trimmed);
  const rises = real.every((name, i) => i === 0 || number(name) === number(real[i - 1]) + 1);
  const isPrefix = kept.every((name, i) => name === simulated[i]);
  if (!rises || !isPrefix) return false;
  if (trimmed > 0) tally.untrimmed++;
  if (kept.length < simulated.length) tally.stale++;
  return true;
}

const number = (name: string | undefined): number => Number.parseInt(name ?? "", 10);

/**
 * Drops operations as long as a difference is left: first by halves, then one by one, at most so
 * many runs. `run` plays on rooms that nobody has used.
 */
export async function shrink(
  ops: readonly StoreOp[],
  run: (ops: readonly StoreOp[]) => Promise<Difference | undefined>,
  runsMax: number,
): Promise<readonly StoreOp[]> {
  let least = ops;
  let runs = 0;
  for (let size = Math.ceil(least.length / 2); size >= 1 && runs < runsMax; ) {
    let isShorter = false;
    for (let start = 0; start < least.length && runs < runsMax; ) {
      const without = [...least.slice(0, start), ...least.slice(start + size)];
      runs++;
      const difference = without.length > 0 ? await run(without) : undefined;
      if (difference) {
        least = without.slice(0, difference.at + 1);
        isShorter = true;
      } else start += size;
    }
    if (size === 1 && !isShorter) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return least;
}
