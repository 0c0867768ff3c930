import os from "node:os";
import {
  closedByMigration,
  countKinds,
  FIGURES,
  type Figures,
  figuresOf,
  recoveredShare,
  type Spread,
} from "./measure.ts";
import { type Figure, factsOf, type Kind } from "./plan.ts";
import type { ChaosResult } from "./run.ts";

export interface RunFacts {
  readonly seed: number;
  readonly command: string;
  readonly minutes: number;
  readonly nodes: number;
  readonly nats: number;
  readonly placements: number;
  readonly gateways: number;
  readonly rooms: number;
  readonly bots: number;
}

export interface Aim {
  readonly name: string;
  readonly aim: string;
  readonly value: string;
  readonly kept: boolean;
  /** Whether missing it breaks a promise, rather than being slow. */
  readonly hard: boolean;
}

export type ChaosReport = ReturnType<typeof reportOf>;

/** Everything that a run found, as its JSON file has it. */
export function reportOf(result: ChaosResult, facts: RunFacts, now: Date = new Date()) {
  const { audit, commands, counts, kinds, records, startMs } = result;
  const { samples, spreads, usualMs } = figuresOf(records, commands, startMs);
  const faults = countKinds(records, kinds);
  const { doubled, ghosts, holes, regressed, unknown, unverified } = counts;
  const body = {
    ...facts,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: now.toISOString(),
    took_ms: Math.round(result.tookMs),
    faults,
    faults_total: records.length,
    never_fired: kinds.filter((kind) => faults[kind] === 0),
    skipped: result.skipped,
    ...spreads,
    samples,
    usual_command_ms: usualMs,
    // Both what bots saw while it ran and what the ledgers show at the end.
    lost: counts.lost + audit.lost.length,
    doubled: doubled + audit.doubled.length,
    ghosts,
    regressed,
    ended: counts.ended,
    stale_rejected: Object.values(result.fenced).reduce((sum, count) => sum + count, 0),
    stale_rejected_by: result.fenced,
    sockets_closed_by_migration: closedByMigration(records),
    recovered: recoveredShare(records),
    commands: audit.acked,
    refused: counts.refused,
    unknown,
    unverified,
    open_at_end: audit.open,
    holes,
    frames: counts.frames,
    bots_at_end: result.present,
    bots_failed: result.failures,
    machine_busy: result.machineBusy,
    own_cores: result.ownCores,
    deaths: result.deaths,
    misfired: result.misfired,
    audit: { lost: audit.lost.slice(0, 50), doubled: audit.doubled.slice(0, 50) },
    findings: result.findings.slice(0, 200),
  };
  return { ...body, aims: aimsOf(body, spreads, askedOf(result)), timeline: records };
}

const P99_MAX: readonly (readonly [Figure, string, number])[] = [
  ["failover_ms", "a node killed (SIGKILL), p99", 1_000],
  ["freeze_failover_ms", "a node frozen or cut off, p99", 2_500],
  ["stall_failover_ms", "a node's event loop stalled, p99", 4_000],
  ["failover_bus_down_ms", "a node together with a NATS stream leader, p99", 12_000],
  ["migration_pause_ms", "a planned move's pause, p99", 75],
];

interface Judged {
  readonly lost: number;
  readonly doubled: number;
  readonly regressed: number;
  readonly stale_rejected: number;
  readonly sockets_closed_by_migration: number;
  readonly recovered: number;
  readonly never_fired: readonly string[];
  readonly bots_failed: Readonly<Record<string, number>>;
  readonly deaths: readonly string[];
}

/** Figures that the run was to give, also where this machine did not let it. */
const askedOf = ({ kinds, skipped }: ChaosResult): ReadonlySet<Figure | undefined> =>
  new Set([...kinds, ...(Object.keys(skipped) as Kind[])].map((kind) => factsOf(kind).figure));

function aimsOf(
  body: Judged,
  spreads: Figures["spreads"],
  asked: ReadonlySet<Figure | undefined>,
): Aim[] {
  const count = (name: string, value: number): Aim => ({
    name,
    aim: "0",
    value: String(value),
    kept: value === 0,
    hard: true,
  });
  return [
    count("commands lost", body.lost),
    count("commands done twice", body.doubled),
    count("frames that went back", body.regressed),
    count("sockets closed by a planned move", body.sockets_closed_by_migration),
    {
      name: "faults after which every room served again",
      aim: "all",
      value: `${(body.recovered * 100).toFixed(body.recovered === 1 ? 0 : 1)} %`,
      kept: body.recovered === 1,
      hard: true,
    },
    {
      name: "kinds of faults that never struck",
      aim: "none",
      value: body.never_fired.join(", ") || "none",
      kept: body.never_fired.length === 0,
      hard: true,
    },
    {
      name: "bots that did not come in",
      aim: "none",
      value:
        Object.entries(body.bots_failed)
          .map(([why, bots]) => `${bots}: ${why}`)
          .join("; ") || "none",
      kept: Object.keys(body.bots_failed).length === 0,
      hard: true,
    },
    { ...count("processes that nobody had ended", body.deaths.length), hard: false },
    {
      name: "words of old owners refused",
      aim: "> 0",
      value: String(body.stale_rejected),
      kept: body.stale_rejected > 0,
      hard: false,
    },
    ...P99_MAX.filter(([figure]) => asked.has(figure)).map(([figure, name, most]) =>
      latencyAim(name, most, spreads[figure]),
    ),
  ];
}

const latencyAim = (name: string, most: number, spread: Spread | null): Aim => ({
  name,
  aim: `<= ${most} ms`,
  value: spread ? `${spread.p99} ms` : "not measured",
  kept: spread !== null && spread.p99 <= most,
  hard: false,
});

/** For a terminal. */
export function tableOf(report: ChaosReport): string {
  const wide = Math.max(...report.aims.map(({ name }) => name.length));
  const aims = report.aims.map(
    ({ aim, kept, name, value }) =>
      `  ${kept ? "kept  " : "MISSED"}  ${name.padEnd(wide)}  ${value} (aim ${aim})`,
  );
  const spreads = FIGURES.flatMap((name) => {
    const spread = report[name];
    if (!spread) return [];
    const { max, p50, p99 } = spread;
    const figures = [p50, p99, max].map((ms) => String(ms).padStart(7)).join("");
    return [`  ${name.padEnd(24)}${figures}   ${String(report.samples[name]).padStart(6)} samples`];
  });
  const kinds = Object.entries(report.faults).map(
    ([kind, count]) => `  ${String(count).padStart(3)}  ${kind}`,
  );
  const skipped = Object.entries(report.skipped).map(([kind, why]) => `  skipped  ${kind}: ${why}`);
  return [
    `${report.faults_total} faults in ${(report.took_ms / 60_000).toFixed(1)} min, seed ${report.seed}`,
    ...kinds,
    ...skipped,
    "",
    `  ${"ms".padEnd(24)}${["p50", "p99", "max"].map((name) => name.padStart(7)).join("")}`,
    ...spreads,
    "",
    ...aims,
    "",
    `  ${report.commands} commands acknowledged by ${report.bots} bots, ${report.refused} refused, ` +
      `${report.unknown} unknown; ${report.bots_at_end} bots at the end, ${report.ended} memberships ended`,
    `  a command usually takes ${report.usual_command_ms} ms; the machine was ` +
      `${Math.round(report.machine_busy * 100)} % busy, this run took ${report.own_cores} cores of it`,
    ...report.deaths.map((death) => `  ended by itself: ${death.split("\n")[0]}`),
  ].join("\n");
}

/** Why the run has failed, a line each; empty where it has not. */
export const failuresOf = (report: ChaosReport): string[] =>
  report.aims
    .filter(({ hard, kept }) => hard && !kept)
    .map(({ aim, name, value }) => `${name}: ${value}, not ${aim}`);
