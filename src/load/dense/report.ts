import os from "node:os";
import { percentiles } from "../percentiles.ts";
import type { LoadFlags } from "./flags.ts";
import type { Recorder, Second } from "./recorder.ts";
import { DURATIONS, type DurationName, FINDINGS, type Tally } from "./tally.ts";

/** What a run did, beside what its recorder knows. */
export interface RunFacts {
  readonly flags: LoadFlags;
  readonly command: string;
  readonly date: string;
  readonly run: string;
  readonly seed: number;
  readonly gateways: number;
  readonly processes: number;
  /** Gateways stand on this machine. */
  readonly local: boolean;
  /** From the first client to the last of the figures. */
  readonly tookMs: number;
  readonly steadyMs: number;
  /** Frames a second of each client. */
  readonly rates: readonly number[];
  /** Of this machine's processors, while everybody was in. */
  readonly machineBusy: number;
  readonly serverMs: Readonly<Record<string, number>>;
  readonly ownMs: number;
  /** Who was cut off, and on the way back. */
  readonly awayAtEnd: number;
  /** Bytes of each role's memory, before anybody came and with everybody in. */
  readonly residentBefore: Readonly<Record<string, number>>;
  readonly residentFull: Readonly<Record<string, number>>;
  /** What ended the run early; undefined where nothing did. */
  readonly ended: string | undefined;
}

export interface Check {
  readonly name: string;
  readonly kept: boolean;
  readonly value: string;
}

export interface DurationFigures {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export type LoadReport = ReturnType<typeof reportOf>;

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** Everything that a run found, as its JSON file has it. */
export function reportOf(recorder: Recorder, facts: RunFacts) {
  const { all, seconds, steady, unjudged } = recorder;
  const steadyS = Math.max(facts.steadyMs / 1_000, 0.001);
  const inRoom = seconds.at(-1)?.inRoom ?? 0;
  const rates = percentiles([...facts.rates]);
  const sorted = [...facts.rates].sort((a, b) => a - b);
  const cores: Record<string, number> = {
    ...coresOf(facts.serverMs, steadyS),
    load: round(facts.ownMs / 1_000 / steadyS),
  };
  const joining = seconds.filter(({ joins }) => joins > 0).map(({ joins }) => joins);
  // Neither secrets nor tokens belong into a file that is passed round.
  const { controlToken: _token, tokenSecret: _secret, ...flags } = facts.flags;
  return {
    command: facts.command,
    date: facts.date,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    run: facts.run,
    seed: facts.seed,
    flags,
    gateways: facts.gateways,
    processes: facts.processes,
    took_s: round(facts.tookMs / 1_000, 1),
    steady_s: round(steadyS, 1),
    clients: { asked: facts.flags.clients, joined: all.counts.joined, at_end: inRoom },
    joins_per_s: { most: Math.max(0, ...joining), mean: round(percentiles(joining).mean, 0) },
    frames_per_s: round(steady.counts.frames / steadyS, 0),
    poses_per_s: round(steady.counts.poses_sent / steadyS, 0),
    client_frames_per_s: {
      least: round(sorted[0] ?? 0),
      p1: round(sorted[Math.floor(sorted.length / 100)] ?? 0),
      p50: round(rates.p50),
    },
    bytes_per_client_s: round(steady.counts.frame_bytes / steadyS / Math.max(1, inRoom), 0),
    durations_ms: durationsOf(steady, all),
    /** What frames are compared with: this machine's clock, or the fastest of them. */
    frame_clock: facts.local ? "machine" : "fastest frame",
    ticks_skipped_share: round(
      steady.counts.ticks_skipped / Math.max(1, steady.counts.frames + steady.counts.ticks_skipped),
      4,
    ),
    cores,
    machine_busy: facts.machineBusy,
    bytes_per_connection: perConnection(facts, inRoom),
    counts: all.counts,
    findings: all.findings,
    unjudged_late_rows: unjudged,
    own_lag_ms_max: lagOf(seconds),
    steady_lag_ms_max: lagOf(seconds.filter((second) => second.steady)),
    failures: Object.fromEntries(all.failures),
    losses: Object.fromEntries(all.losses),
    details: all.details,
    ended: facts.ended ?? null,
    checks: checksOf(all, facts),
    seconds,
  };
}

const LAG_MS_TOLD = 50;
const lagOf = (seconds: readonly Second[]): number =>
  round(Math.max(0, ...seconds.map(({ lagMs }) => lagMs)), 0);

const coresOf = (ms: Readonly<Record<string, number>>, seconds: number): Record<string, number> =>
  Object.fromEntries(
    Object.entries(ms).map(([role, used]) => [role, round(used / 1_000 / seconds)]),
  );

/** Coming in, and back, is of the whole run; all else is of the time when everybody was in. */
function durationsOf(steady: Tally, all: Tally): Record<DurationName, DurationFigures> {
  const figures = DURATIONS.map((name) => {
    const of = name === "join" || name === "absence" ? all : steady;
    const { count, max, p50, p99, p999 } = of.durations[name].summary();
    const rounded = { p50: round(p50), p99: round(p99), p999: round(p999), max: round(max) };
    return [name, { count, ...rounded }];
  });
  return Object.fromEntries(figures) as Record<DurationName, DurationFigures>;
}

/** What each role's memory grew by, for each client; heaps breathe, so it takes many of them. */
function perConnection(facts: RunFacts, clients: number): Record<string, number> {
  if (clients === 0) return {};
  return Object.fromEntries(
    Object.entries(facts.residentFull).map(([role, bytes]) => [
      role,
      Math.round((bytes - (facts.residentBefore[role] ?? 0)) / clients),
    ]),
  );
}

function checksOf(all: Tally, facts: RunFacts): Check[] {
  const none = (name: string, count: number): Check => ({
    name,
    kept: count === 0,
    value: String(count),
  });
  const { decode } = facts.flags;
  const sum = (counts: ReadonlyMap<string, number>) =>
    [...counts.values()].reduce((a, b) => a + b, 0);
  const found = FINDINGS.map((name) => none(name.replaceAll("_", " "), all.findings[name]));
  return [
    ...found,
    none("joins that failed", sum(all.failures)),
    none("clients that were cut off", sum(all.losses)),
    none("clients that had not come back at the end", facts.awayAtEnd),
    // Checks that looked at nothing have shown nothing.
    {
      name: "frames that were checked",
      kept: all.counts.frames > 0 && (decode === 0 || all.counts.rows_decoded > 0),
      value: `${all.counts.frames} heads, ${all.counts.rows_decoded} rows`,
    },
  ];
}

/** Why a run has failed, a line each; empty where it has not. */
export const failuresOf = (report: Pick<LoadReport, "checks" | "ended">): string[] => [
  ...(report.ended === null ? [] : [report.ended]),
  ...report.checks.filter(({ kept }) => !kept).map(({ name, value }) => `${name}: ${value}`),
];

/** What a reader of the figures has to know about how they came about. */
export function cautionsOf(
  report: Pick<LoadReport, "frame_clock" | "steady_lag_ms_max">,
): string[] {
  const lag = report.steady_lag_ms_max;
  return [
    ...(lag > LAG_MS_TOLD
      ? [`This crowd was itself up to ${lag} ms late: its machine is too busy for these figures.`]
      : []),
    ...(report.frame_clock === "machine"
      ? []
      : ["Frames are compared with the fastest of them: other machines have other clocks."]),
  ];
}

/** For a terminal. */
export function tableOf(report: LoadReport): string {
  const { clients, client_frames_per_s: rate, cores, durations_ms: durations } = report;
  const names = DURATIONS.filter((name) => durations[name].count > 0);
  const cell = (value: number): string => value.toFixed(value < 100 ? 1 : 0).padStart(9);
  const rows = names.map((name) => {
    const { count, max, p50, p99, p999 } = durations[name];
    const figures = [p50, p99, p999, max].map(cell).join("");
    return `  ${name.replaceAll("_", " ").padEnd(12)}${figures}${String(count).padStart(12)}`;
  });
  const heads = ["p50", "p99", "p99.9", "max"].map((name) => name.padStart(9)).join("");
  const used = Object.entries(cores).map(([role, value]) => `${role} ${value.toFixed(2)}`);
  return [
    `${clients.at_end} of ${clients.asked} clients in, ${report.frames_per_s} frames/s in, ${report.poses_per_s} poses/s out, ${report.steady_s} s`,
    `  ${"ms".padEnd(12)}${heads}${"count".padStart(12)}`,
    ...rows,
    `  each client ${rate.p50} frames/s (least ${rate.least}), ${report.bytes_per_client_s} B/s; ${(report.ticks_skipped_share * 100).toFixed(2)} % of ticks skipped`,
    `  joins ${report.joins_per_s.mean}/s; cores: ${used.join(", ")}; machine ${Math.round(report.machine_busy * 100)} % busy`,
    ...cautionsOf(report).map((caution) => `  ${caution}`),
    ...Object.entries({ ...report.failures, ...report.losses }).map(
      ([why, n]) => `  ${n} ×  ${why}`,
    ),
    ...report.details.slice(0, 8).map((detail) => `  ${detail}`),
  ].join("\n");
}

/** Plots show a run of any length in so many points at most. */
export const shownSeconds = (seconds: readonly Second[], most: number): readonly Second[] => {
  const each = Math.ceil(seconds.length / most);
  return seconds.filter((_, i) => i % each === 0);
};
