import { brokenSeed } from "./broken-seed.ts";
import type { PlannedFault } from "./fault-plan.ts";
import { runSeed, type SeedReport } from "./seed-run.ts";

/** What a worker is asked, by its parent process. */
export interface Task {
  readonly seed: number;
  readonly plan?: readonly PlannedFault[];
  /** Run it again, and compare. */
  readonly twice?: boolean;
  /** Tell the story on stdout. */
  readonly trace?: boolean;
}

export interface Done {
  readonly report: SeedReport;
}

/** One after the other, each in a turn of the loop of its own: promises have settled by then. */
process.on("message", (task: Task) => setImmediate(() => run(task)));
process.on("disconnect", () => process.exit(0));

let failure: unknown;
process.on("unhandledRejection", (reason) => {
  failure ??= reason;
});

function run(task: Task): void {
  failure = undefined;
  const report = guarded(task);
  const again = task.twice ? guarded(task) : report;
  const violations = [...report.violations];
  if (again.hash !== report.hash)
    violations.push({
      rule: "deterministic",
      atMs: 0,
      what: `hashes ${report.hash}, ${again.hash}`,
    });
  // Rejections are told when the turn is over.
  setImmediate(() => {
    if (failure !== undefined)
      violations.push({ rule: "crash", atMs: 0, what: told(failure).slice(0, 2_000) });
    process.send?.({ report: { ...report, violations } } satisfies Done);
  });
}

/** A bug of ours that throws is a finding like any other. */
function guarded({ seed, plan, trace }: Task): SeedReport {
  const options = {
    seed,
    ...(plan ? { plan } : {}),
    ...(trace ? { tell: (line: string) => void process.stdout.write(`${line}\n`) } : {}),
  };
  try {
    return runSeed(options);
  } catch (error) {
    return brokenSeed(seed, plan, "crash", told(error).slice(0, 2_000));
  }
}

const told = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
