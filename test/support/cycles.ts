import v8 from "node:v8";
import vm from "node:vm";

v8.setFlagsFromString("--expose-gc");
// Code that is compiled or let go while the cycles run makes hundreds of kB, and would hide a leak.
v8.setFlagsFromString("--no-opt");
v8.setFlagsFromString("--no-flush-bytecode");
const collect: () => void = vm.runInNewContext("gc");

/** What JavaScript holds after two collections: the first may leave what finalizers let go. */
function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export interface Cycles {
  readonly count: number;
  readonly cycle: (number: number) => Promise<void>;
  /** Waits until whatever cycles leave for later is over. */
  readonly settle: () => Promise<void>;
  /** Timers, subscriptions, rooms: whatever is to be the same after all cycles. */
  readonly counts: () => Readonly<Record<string, number>>;
}

export interface CyclesReport {
  /** After a tenth of the cycles, which fill caches, and after all of them. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  /** What one cycle of the second half left behind: the median of its five parts. */
  readonly grownBytes: number;
}

const PARTS = 5;

/** Runs cycles and compares what is there before and after. */
export async function runCycles({ count, cycle, settle, counts }: Cycles): Promise<CyclesReport> {
  let done = 0;
  const runTo = async (end: number): Promise<void> => {
    while (done < end) await cycle(done++);
    await settle();
  };
  await runTo(Math.ceil(count / 10));
  const before = counts();
  await runTo(Math.ceil(count / 2));
  // V8 lets go of something large of its own now and then. One part shows that, not the median.
  const grown: number[] = [];
  for (let part = 1; part <= PARTS; part++) {
    const [held, from] = [heldBytes(), done];
    await runTo(Math.ceil((count * (PARTS + part)) / (2 * PARTS)));
    grown.push((heldBytes() - held) / (done - from));
  }
  grown.sort((a, b) => a - b);
  return { before, after: counts(), grownBytes: grown[PARTS >> 1] ?? Number.NaN };
}
