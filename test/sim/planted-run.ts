import { bundleWorker } from "./bundle.ts";
import { EVENT_EVERY, tasksOf } from "./campaign.ts";
import { UNDECIDED } from "./history.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { SEED_THAT_SHOWS } from "./planted-seeds.ts";
import { Pool } from "./pool.ts";
import type { SeedReport } from "./seed-run.ts";
import type { Task } from "./worker.ts";

export const SEEDS_MAX = 500;
/** Of a bug: a busy machine gives up on a seed, too. */
const PROVES_NOTHING: ReadonlySet<string> = new Set([UNDECIDED, "stuck"]);

function* tasksFor({ name, inEvents }: PlantedBug): Generator<Task> {
  const known = SEED_THAT_SHOWS[name];
  if (known !== undefined) yield { seed: known };
  for (const task of tasksOf(1, SEEDS_MAX))
    if (!inEvents || task.seed % EVENT_EVERY === 0) yield task;
}

/** Runs seeds with the bug in the product until one shows it; undefined where none does. */
export async function catchBug(
  dir: string,
  bug: PlantedBug,
  workers: number,
): Promise<SeedReport | undefined> {
  const pool = new Pool(await bundleWorker(dir, bug), workers);
  let found: SeedReport | undefined;
  try {
    await pool.run(tasksFor(bug), ({ report }) => {
      if (report.violations.some(({ rule }) => !PROVES_NOTHING.has(rule))) found ??= report;
      return found === undefined;
    });
  } finally {
    pool.close();
  }
  return found;
}
