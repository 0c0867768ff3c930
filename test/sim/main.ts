import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toolFlags } from "../support/tool-flags.ts";
import { bundleWorker } from "./bundle.ts";
import { Campaign, MINIMA, tasksOf } from "./campaign.ts";
import type { PlannedFault } from "./fault-plan.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { catchBug } from "./planted-run.ts";
import { Pool } from "./pool.ts";
import type { SeedReport } from "./seed-run.ts";
import { shrink } from "./shrink.ts";

/**
 * `npm run sim -- [--seeds N] [--from N] [--json FILE]` runs seeds; `--seed N [--trace] [--plan
 * JSON]` runs one and tells its story; `--planted [NAME]` breaks the product on purpose and looks
 * whether it shows.
 */
const values = toolFlags({
  seeds: { type: "string", default: "200", least: 1, whole: true },
  from: { type: "string", default: "1", least: 1, whole: true },
  seed: { type: "string", least: 0, whole: true },
  plan: { type: "string" },
  trace: { type: "boolean", default: false },
  planted: { type: "boolean", default: false },
  bug: { type: "string" },
  json: { type: "string" },
  workers: { type: "string", default: String(os.availableParallelism()), least: 1, whole: true },
});

/** Where each trouble has struck, and each rule been put to the test (the suite asserts it). */
const SEEDS_WHOLE = 200;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
// Beside node_modules, where the bundle finds what it does not hold.
const BUILD = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

async function main(): Promise<boolean> {
  const { mkdirSync } = await import("node:fs");
  mkdirSync(BUILD, { recursive: true });
  const dir = await mkdtemp(join(BUILD, "sim-"));
  try {
    if (values.planted || values.bug) return await plantAll(dir);
    const pool = new Pool(await bundleWorker(dir), values.seed ? 1 : Number(values.workers));
    try {
      return values.seed ? await one(pool, Number(values.seed)) : await many(pool);
    } finally {
      pool.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function one(pool: Pool, seed: number): Promise<boolean> {
  const plan = values.plan && { plan: JSON.parse(values.plan) as PlannedFault[] };
  let failed = false;
  const task = { seed, trace: values.trace, ...(plan || {}) };
  await pool.run([task][Symbol.iterator](), ({ report }) => {
    console.log(JSON.stringify(report, undefined, 2));
    failed = report.violations.length > 0;
    return true;
  });
  return !failed;
}

async function many(pool: Pool): Promise<boolean> {
  const seeds = Number(values.seeds);
  const campaign = new Campaign();
  const startedAt = Date.now();
  const seconds = (): number => (Date.now() - startedAt) / 1_000;
  await pool.run(tasksOf(Number(values.from), seeds), (done) => {
    campaign.add(done);
    if (campaign.seeds % Math.max(10, Math.floor(seeds / 20)) === 0)
      say(
        `${campaign.seeds} of ${seeds} seeds, ${campaign.failed.length} failed, ${seconds().toFixed(0)} s`,
      );
    return campaign.failed.length < 10;
  });
  const tookS = seconds();
  for (const report of campaign.failed.slice(0, 3)) await explain(pool, report);
  const short = campaign.failed.length === 0 ? campaign.shortcomings : [];
  const summary = {
    seeds: campaign.seeds,
    twice: campaign.twice,
    failed: campaign.failed.map(({ seed, violations }) => ({ seed, violations })),
    undecided: campaign.undecided,
    shortcomings: short,
    least: campaign.least,
    minima: MINIMA,
    commands: campaign.commands,
    events: campaign.events,
    seconds: Number(tookS.toFixed(1)),
    struck: campaign.struck,
    fired: campaign.fired,
    machine: `${os.availableParallelism()} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
  };
  console.log(JSON.stringify({ ...summary, failed: campaign.failed.length }, undefined, 2));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(summary, undefined, 2)}\n`);
  for (const why of short) say(`Proves nothing: ${why}.`);
  if (short.length > 0 && seeds < SEEDS_WHOLE)
    say(`In ${SEEDS_WHOLE} seeds all of it happens; ${seeds} may be too few.`);
  return campaign.failed.length === 0 && short.length === 0;
}

/** What went wrong, the least that it takes, and the command that shows it again. */
async function explain(pool: Pool, report: SeedReport): Promise<void> {
  const { seed, violations } = report;
  say(`\nSeed ${seed} broke the promise:`);
  for (const { rule, atMs, what } of violations.slice(0, 8))
    say(`  ${rule} at ${(atMs / 1_000).toFixed(3)} s: ${what}`);
  const plan = await shrink(pool, report);
  say(
    `  It takes ${plan.map(({ kind, atMs }) => `${kind} at ${atMs / 1_000} s`).join(", ") || "no fault at all"}.`,
  );
  say(`  npm run sim -- --seed ${seed} --trace --plan '${JSON.stringify(plan)}'`);
}

async function plantAll(dir: string): Promise<boolean> {
  const wanted = values.bug?.split(",");
  const bugs = PLANTED_BUGS.filter(({ name }) => !wanted || wanted.includes(name));
  let missed = 0;
  const caught: object[] = [];
  for (const bug of bugs) {
    const startedAt = Date.now();
    const found = await catchBug(dir, bug, Number(values.workers));
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    if (!found) missed++;
    const first = found?.violations[0];
    say(
      found
        ? `${bug.name}: caught by seed ${found.seed} in ${seconds} s (${first?.rule}: ${first?.what.slice(0, 160)})`
        : `${bug.name}: NOT CAUGHT in ${seconds} s`,
    );
    caught.push({ bug: bug.name, seed: found?.seed ?? null, rule: first?.rule ?? null });
  }
  console.log(JSON.stringify({ bugs: bugs.length, missed, caught }, undefined, 2));
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ missed, caught })}\n`);
  return missed === 0;
}

main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(2);
  },
);
