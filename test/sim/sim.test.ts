import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, planted } from "./bundle.ts";
import { Campaign, EVENT_EVERY, tasksOf } from "./campaign.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { catchBug, SEEDS_MAX } from "./planted-run.ts";
import { SEED_THAT_SHOWS } from "./planted-seeds.ts";
import { Pool } from "./pool.ts";

const SEEDS = 200;
/** No other file runs meanwhile: see vitest.config.ts. */
const WORKERS = 2;
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

let dir = "";
beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  dir = await mkdtemp(join(CACHE, "sim-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it(`keeps the promise in ${SEEDS} simulated minutes, each with every kind of trouble`, async () => {
  const pool = new Pool(await bundleWorker(dir), WORKERS);
  const campaign = new Campaign();
  try {
    await pool.run(tasksOf(1, SEEDS), (done) => {
      campaign.add(done);
      return campaign.failed.length === 0;
    });
  } finally {
    pool.close();
  }
  const [failed] = campaign.failed;
  const command = `npm run sim -- --seed ${failed?.seed} --trace`;
  expect(failed?.violations ?? [], command).toEqual([]);
  expect(campaign.shortcomings).toEqual([]);
  expect(campaign.twice).toBe(SEEDS / 50);
}, 600_000);

// Most are done with one seed, the one that is known: one process each, as many as there are cores.
describe("a bug that is planted", () => {
  it.concurrent.each(PLANTED_BUGS.map((bug) => [bug.name, bug] as const))(
    "shows: %s",
    async (_name, bug) => {
      const found = await catchBug(dir, bug, 1);
      expect(found?.violations[0], `${bug.says}: not seen in ${SEEDS_MAX} seeds`).toBeDefined();
    },
    600_000,
  );

  it("has its place in the product, once", () => {
    for (const { edits } of PLANTED_BUGS)
      for (const { file } of edits) expect(planted(file, edits)).not.toBe("");
  });

  it("has a seed that is known to show it, which is one that is searched", () => {
    const names = PLANTED_BUGS.map(({ name }) => name);
    expect(Object.keys(SEED_THAT_SHOWS).toSorted()).toEqual(names.toSorted());
    for (const { inEvents, name } of PLANTED_BUGS) {
      const seed = SEED_THAT_SHOWS[name] ?? 0;
      expect(seed, name).toBeLessThanOrEqual(SEEDS_MAX);
      if (inEvents) expect(seed % EVENT_EVERY, name).toBe(0);
    }
  });
});
