import { bundleWorker } from "./bundle.ts";
import { tasksOf } from "./campaign.ts";
import type { PlantedBug } from "./planted-bugs.ts";
import { Pool } from "./pool.ts";
import type { SeedReport } from "./seed-run.ts";

export const SEEDS_MAX = 500;

/** Runs seeds with the bug in the product until one shows it; undefined where none does. */
export async function catchBug(
  dir: string,
  bug: PlantedBug,
  workers: number,
): Promise<SeedReport | undefined> {
  const pool = new Pool(await bundleWorker(dir, bug), workers);
  let found: SeedReport | undefined;
  try {
    await pool.run(tasksOf(1, SEEDS_MAX), ({ report }) => {
      if (report.violations.length > 0) found ??= report;
      return found === undefined;
    });
  } finally {
    pool.close();
  }
  return found;
}
