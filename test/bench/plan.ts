import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Check,
  type Coefficients,
  coresByRole,
  errorPercent,
  sumOf,
} from "../../src/plan/cost-model.ts";
import { ROLES, type RoleName } from "../../src/plan/work.ts";
import { toolFlags } from "../support/tool-flags.ts";
import {
  CHECKED,
  type EventReport,
  type EventRun,
  FITTED,
  nameOf,
  reportOf,
  runEvent,
  scaled,
} from "./plan/events.ts";
import { checkOf, fitted, fittedBytes, mostOf, windowsWith } from "./plan/fit.ts";
import { sourceText } from "./plan/source-file.ts";
import { type Window, windowsOf } from "./plan/windows.ts";

/**
 * Fits the coefficients of `roomcluster plan` to small events, and holds them against events that
 * were not in the fit. README.md here says how.
 */
const values = toolFlags({
  seconds: { type: "string", default: "24", least: 0.1 },
  /** Times the people of every event. */
  scale: { type: "string", default: "1", least: 0.01 },
  /** Runs' reports are kept here, and not run again where they are there. */
  keep: { type: "string" },
  /** Puts the coefficients where `roomcluster plan` has them. */
  write: { type: "boolean", default: false },
  json: { type: "string" },
});
const ERROR_PERCENT_MAX = 20;
const TARGET = fileURLToPath(new URL("../../src/plan/coefficients.ts", import.meta.url));
const CACHE = fileURLToPath(new URL(`../../.cache/plan-${process.pid}`, import.meta.url));
const say = (text: string): void => console.error(text);
const folder = path.resolve(values.keep ?? CACHE);
mkdirSync(folder, { recursive: true });

interface Fanout {
  readonly fanout_us: { readonly c_floor: number | null };
}
interface Memory {
  readonly bytes_per_connection: { readonly user: number; readonly kernel: number | null };
}
interface Ran {
  readonly run: EventRun;
  readonly report: EventReport;
}

const fanout = await reportOf<Fanout>(
  "fanout",
  ["--rounds", "3"],
  path.join(folder, "fanout.json"),
);
const scale = Number(values.scale);
const fits = await all(scaled(FITTED, scale));
const checks = await all(scaled(CHECKED, scale));
const memoryArgs = ["--users", "2000", "--kinds", "0"];
const memory = await reportOf<Memory>("memory", memoryArgs, path.join(folder, "memory.json"));

const windows = fits.flatMap(({ run, report }) => windowsOf(run, report));
const us = fitted(windows);
const most = mostOf(windows);
const coefficients: Coefficients = {
  source: {
    command: `npm run bench:plan -- --seconds ${values.seconds} --scale ${scale} --write`,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
    floorUs: floorOf(fanout),
    most,
    runs: fits.length,
  },
  us,
  windows: windowsWith(windows),
  bytes: bytesOf(fits, memory),
  checks: checks.map(({ run, report }) => checkOf(run, report, us, most.users)),
};
for (const window of windows) say(lineOf(window));
for (const check of coefficients.checks) say(checkLine(check));
const report = { coefficients, windows };
console.log(JSON.stringify(coefficients, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
if (values.write) writeFileSync(TARGET, sourceText(coefficients));
const off = coefficients.checks.filter((check) => Math.abs(offBy(check)) > ERROR_PERCENT_MAX);
for (const { name } of off) say(`missed by more than ${ERROR_PERCENT_MAX} %: ${name}`);
process.exit(off.length > 0 ? 1 : 0);

async function all(runs: readonly EventRun[]): Promise<Ran[]> {
  const ran: Ran[] = [];
  for (const run of runs) {
    say(`event of ${nameOf(run)}`);
    const report = await runEvent(run, folder, Number(values.seconds));
    ran.push({ run, report });
  }
  return ran;
}

function floorOf({ fanout_us: { c_floor: floor } }: Fanout): number {
  if (floor === null) throw new Error("there is no C compiler here, so no floor to compare with");
  return floor;
}

/** Of a gateway, garbage included, and no less than what stays; the kernel's part was counted. */
function bytesOf(ran: readonly Ran[], memory: Memory): Coefficients["bytes"] {
  const { kernel, user } = memory.bytes_per_connection;
  if (kernel === null) throw new Error("this kernel does not tell what a socket takes");
  const reports = ran.map(({ report }) => report);
  const byRole = (of: (role: RoleName) => number): Record<RoleName, number> =>
    Object.fromEntries(ROLES.map((role) => [role, of(role)])) as Record<RoleName, number>;
  return {
    process: byRole((role) => fittedBytes(role, reports).process),
    person: byRole((role) =>
      Math.max(fittedBytes(role, reports).person, role === "gateway" ? user : 0),
    ),
    kernelConnection: kernel,
  };
}

function offBy(check: Check): number {
  const { measured, predicted } = sumOf(check);
  return errorPercent(predicted, measured);
}

function percent(value: number): string {
  return `${value >= 0 ? "+" : ""}${value.toFixed(1)} %`;
}

function lineOf({ counts, cores, name }: Window): string {
  const model = coresByRole(counts, us);
  const roles = ROLES.map((role) => {
    const error = percent(errorPercent(model[role], cores[role]));
    return `${role} ${cores[role].toFixed(3)} (${error})`;
  });
  return `${name}: ${roles.join(", ")}`;
}

function checkLine(check: Check): string {
  const roles = ROLES.map((role) => {
    const { measured, predicted } = check.cores[role];
    const error = percent(errorPercent(predicted, measured));
    return `${role} ${predicted.toFixed(3)} of ${measured.toFixed(3)} (${error})`;
  });
  return `CHECK ${check.name}: ${roles.join(", ")}; all ${percent(offBy(check))}`;
}
