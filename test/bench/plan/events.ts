import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** One event to be run, as `npm run bench:event` is told it. */
export interface EventRun {
  readonly users: number;
  readonly hz: 1 | 2 | 5 | 10;
  readonly moving: number;
  readonly shardSize: number;
  readonly joinsPerS: number;
  readonly standHz?: number;
  readonly decode?: number;
  readonly saysPerMinute?: number;
}

export const GATEWAYS = 2;
export const NODES = 2;
/** People who decode everything, unless a run is about commands. */
const DECODE = 0.001;
const STAND_HZ = 0.5;
const SAYS = { decode: 0.1, saysPerMinute: 60 } as const;

/** What the coefficients are fitted to: everything that costs is there often and rarely. */
export const FITTED: readonly EventRun[] = [
  { users: 1_000, hz: 10, moving: 0.3, shardSize: 200, joinsPerS: 200 },
  { users: 3_000, hz: 10, moving: 0.3, shardSize: 200, joinsPerS: 300 },
  { users: 1_600, hz: 10, moving: 0.1, shardSize: 40, joinsPerS: 400 },
  { users: 2_000, hz: 5, moving: 0.8, shardSize: 200, joinsPerS: 300 },
  { users: 2_000, hz: 5, moving: 0.1, shardSize: 50, joinsPerS: 200 },
  { users: 4_000, hz: 2, moving: 0.3, shardSize: 200, joinsPerS: 400 },
  { users: 4_000, hz: 1, moving: 0.1, shardSize: 200, joinsPerS: 300, standHz: 0.25 },
  { users: 1_000, hz: 5, moving: 0.3, shardSize: 200, joinsPerS: 300, ...SAYS },
  { users: 2_000, hz: 5, moving: 0.3, shardSize: 100, joinsPerS: 500, ...SAYS },
];

/** What they are then held against; the second has more people, and frames, than any of those. */
export const CHECKED: readonly EventRun[] = [
  { users: 2_400, hz: 10, moving: 0.4, shardSize: 120, joinsPerS: 350 },
  { users: 6_000, hz: 5, moving: 0.3, shardSize: 200, joinsPerS: 300 },
];

/** The same with so many times the people, for a machine that is slower or has other work. */
export const scaled = (runs: readonly EventRun[], by: number): EventRun[] =>
  runs.map((run) => ({ ...run, users: Math.round(run.users * by), joinsPerS: run.joinsPerS * by }));

export const nameOf = (run: EventRun): string =>
  [
    `${run.users} people`,
    `${run.hz} Hz`,
    `${Math.round(run.moving * 100)} % moving`,
    `shards of ${run.shardSize}`,
    ...(run.saysPerMinute ? ["commands"] : []),
  ].join(", ");

export const decodeOf = ({ decode = DECODE }: EventRun): number => decode;
export const standHzOf = ({ standHz = STAND_HZ }: EventRun): number => standHz;

/** Of what test/bench/event.ts reports: what the fit looks at. */
export interface EventReport {
  readonly connected: number;
  readonly disconnects: number;
  readonly bytes_per_client_s: number;
  readonly server_bytes_per_connection: Readonly<Record<string, number>>;
  readonly process_bytes: Readonly<Record<string, number>>;
  readonly joining: Means;
  readonly steady: Means;
  readonly missed: readonly string[];
}

export interface Means {
  readonly seconds: number;
  readonly in_room: number;
  readonly joins_per_s: number;
  readonly frames_per_s: number;
  readonly poses_per_s: number;
  readonly cores: Readonly<Record<string, number>>;
}

const LOADER = ["--import", import.meta.resolve("tsx")];

/** The JSON of a benchmark beside this folder; one that is there already is not run again. */
export async function reportOf<T>(
  program: string,
  args: readonly string[],
  file: string,
): Promise<T> {
  if (!existsSync(file)) {
    const source = fileURLToPath(new URL(`../${program}.ts`, import.meta.url));
    const child = spawn(process.execPath, [...LOADER, source, ...args, "--json", file], {
      stdio: ["ignore", "ignore", 2],
    });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (!existsSync(file)) throw new Error(`${program} ended with ${code} and wrote no ${file}`);
  }
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

const TRIES_MAX = 4;
/** Of the frames that should have come. */
const FRAMES_SHARE_MIN = 0.95;

/** Everybody was there and was shown nearly all: whoever is behind does less, and costs less. */
export function inTime(run: EventRun, { connected, steady }: EventReport): boolean {
  return connected === run.users && steady.frames_per_s >= run.users * run.hz * FRAMES_SHARE_MIN;
}

/** A run that was in time, of a few tries: others may use the machine. */
export async function runEvent(
  run: EventRun,
  folder: string,
  seconds: number,
): Promise<EventReport> {
  const file = path.join(folder, `${nameOf(run).replaceAll(/[^\w]+/g, "-")}.json`);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const report = await reportOf<EventReport>("event", argsOf(run, seconds), file);
    if (inTime(run, report)) return report;
    console.error(`  behind: ${report.connected} in, ${report.steady.frames_per_s} frames/s`);
    rmSync(file);
  }
  throw new Error(`this machine was too busy ${TRIES_MAX} times for ${nameOf(run)}`);
}

/** `seconds`: of figures, once everybody is in. */
function argsOf(run: EventRun, seconds: number): string[] {
  const options: Readonly<Record<string, number>> = {
    users: run.users,
    hz: run.hz,
    moving: run.moving,
    "shard-size": run.shardSize,
    "joins-per-second": run.joinsPerS,
    "stand-hz": standHzOf(run),
    decode: decodeOf(run),
    says: run.saysPerMinute ?? 0,
    gateways: GATEWAYS,
    nodes: NODES,
    seconds,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return [...args, "--no-kill"];
}
