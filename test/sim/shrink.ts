import type { PlannedFault } from "./fault-plan.ts";
import type { Pool } from "./pool.ts";
import type { SeedReport } from "./seed-run.ts";

const RUNS_MAX = 60;

/**
 * Leaves out one fault after the other, for as long as the same rule is broken without it. What is
 * left is needed, each for itself.
 */
export async function shrink(pool: Pool, failed: SeedReport): Promise<readonly PlannedFault[]> {
  const rules = new Set(failed.violations.map(({ rule }) => rule));
  let plan = failed.plan;
  let runs = 0;
  for (let at = 0; at < plan.length && runs < RUNS_MAX; runs++) {
    const without = plan.filter((_, i) => i !== at);
    const report = await rerun(pool, failed.seed, without);
    if (report.violations.some(({ rule }) => rules.has(rule))) plan = without;
    else at++;
  }
  return plan;
}

async function rerun(pool: Pool, seed: number, plan: readonly PlannedFault[]): Promise<SeedReport> {
  let report: SeedReport | undefined;
  await pool.run([{ seed, plan }][Symbol.iterator](), (done) => {
    report = done.report;
    return true;
  });
  if (!report) throw new Error("a task that was run has a report");
  return report;
}
