import { writeFileSync } from "node:fs";
import os from "node:os";
import { toolFlags } from "../support/tool-flags.ts";
import { say } from "./crowd/progress.ts";
import { beNice, coresOfMachine } from "./density/cores.ts";
import { soak } from "./soak/soak.ts";

/**
 * Hours in short: a gateway at a good part of what its core can do, and memory and latency watched
 * for as long as one likes. README.md here says when it fails.
 */
const values = toolFlags({
  minutes: { type: "string", default: "30", least: 0.01 },
  "warm-up": { type: "string", default: "120", least: 0 },
  "sample-seconds": { type: "string", default: "10", least: 0.1 },
  /** Of the gateway's core. */
  share: { type: "string", default: "0.6", least: 0.01 },
  /** So many people instead. */
  users: { type: "string", least: 1, whole: true },
  processes: { type: "string", default: "2", least: 1, whole: true },
  "joins-per-second": { type: "string", default: "300", least: 1 },
  nice: { type: "string", default: "0", least: -20, whole: true },
  json: { type: "string" },
});
const USERS_MAX = 12_000;
const MEMORY_LIMIT = { share: 0.05, least: 8 * 1024 * 1024 };
const P99_LIMIT = { share: 0.2, least: 2 };

const cores = coresOfMachine();
if (!cores) say("one core, or no taskset: nothing is pinned, and the figures are worth less");
beNice(Number(values.nice));
const result = await soak({
  users: values.users === undefined ? undefined : Number(values.users),
  share: Number(values.share),
  usersMax: values.users === undefined ? USERS_MAX : Number(values.users),
  warmUpS: Number(values["warm-up"]),
  seconds: Number(values.minutes) * 60,
  sampleS: Number(values["sample-seconds"]),
  processes: Number(values.processes),
  joinsPerSecond: Number(values["joins-per-second"]),
  cores,
  judgesTime: true,
  say,
  memory: MEMORY_LIMIT,
  p99Ms: P99_LIMIT,
});
const report = {
  ...result,
  share: Number(values.share),
  pinned: cores ?? null,
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
const { samples: _, ...short } = report;
console.log(JSON.stringify(short, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
const { memory_flat, nothing_missed, p99_flat } = report.verdict;
process.exit(memory_flat && p99_flat && nothing_missed ? 0 : 1);
