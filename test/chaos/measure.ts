import { percentiles, type Summary } from "../../src/load/percentiles.ts";
import type { CommandSeen } from "./bots.ts";
import { type Figure, factsOf, type Kind } from "./plan.ts";

/** What one fault did. Times are in ms from the beginning of the run, durations from the strike. */
export interface FaultRecord {
  readonly number: number;
  readonly kind: Kind;
  readonly victims: readonly string[];
  readonly atMs: number;
  /** When what was taken away was back: processes started again, links open. */
  readonly healedAfterMs: number;
  /** When every room answered commands and everybody saw frames again; null: not in time. */
  readonly servedAfterMs: number | null;
  /** Of each affected client: from the strike to fresh state of the new epoch. */
  readonly waitsMs: readonly number[];
  /** Affected clients that never saw a new epoch. */
  readonly unserved: number;
  /** Latencies of commands whose room changed owners between sending and answer. */
  readonly movedMs: readonly number[];
  /** Sockets that clients lost. */
  readonly cuts: number;
  /** What else happened, for people: processes that ended and that nobody had ended. */
  readonly note: string;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export const FIGURES = [
  "failover_ms",
  "freeze_failover_ms",
  "stall_failover_ms",
  "failover_bus_down_ms",
  "failover_overlapped_ms",
  "migration_pause_ms",
] as const satisfies readonly Figure[];

export interface Figures {
  readonly spreads: Readonly<Record<Figure, Spread | null>>;
  readonly samples: Readonly<Record<Figure, number>>;
  /** Median latency of a command while nothing was wrong. */
  readonly usualMs: number;
}

const spreadOf = ({ p50, p99, max }: Summary): Spread => ({
  p50: Math.round(p50),
  p99: Math.round(p99),
  max: Math.round(max),
});

/**
 * A migration's pause is the latency of a command whose room moved, as planned, between its sending
 * and its answer, less the median latency of commands while nothing was wrong.
 */
export function figuresOf(
  records: readonly FaultRecord[],
  commands: readonly Pick<CommandSeen, "sentMs" | "tookMs" | "outcome">[],
  startMs: number,
): Figures {
  const usualMs = usualLatency(records, commands, startMs);
  const values: Record<Figure, number[]> = {
    failover_ms: [],
    freeze_failover_ms: [],
    stall_failover_ms: [],
    failover_bus_down_ms: [],
    failover_overlapped_ms: [],
    migration_pause_ms: [],
  };
  for (const record of records) {
    const { figure } = factsOf(record.kind);
    if (figure === undefined) continue;
    const pauses = record.movedMs.map((ms) => Math.max(0, ms - usualMs));
    values[figure].push(...(figure === "migration_pause_ms" ? pauses : record.waitsMs));
  }
  const spread = (figure: Figure): Spread | null =>
    values[figure].length === 0 ? null : spreadOf(percentiles(values[figure]));
  return {
    spreads: Object.fromEntries(FIGURES.map((name) => [name, spread(name)])) as Figures["spreads"],
    samples: Object.fromEntries(
      FIGURES.map((name) => [name, values[name].length]),
    ) as Figures["samples"],
    usualMs: Math.round(usualMs * 10) / 10,
  };
}

/** After a fault, its restarted processes compile for a while. */
const SETTLE_MS = 500;

function usualLatency(
  records: readonly FaultRecord[],
  commands: readonly Pick<CommandSeen, "sentMs" | "tookMs" | "outcome">[],
  startMs: number,
): number {
  const troubled = records.map(({ atMs, healedAfterMs, servedAfterMs }) => ({
    from: atMs - 2_000,
    to: atMs + Math.max(healedAfterMs, servedAfterMs ?? 0) + SETTLE_MS,
  }));
  const quiet = commands.filter(({ sentMs, outcome }) => {
    const at = sentMs - startMs;
    return outcome === "acked" && at >= 0 && !troubled.some(({ from, to }) => at > from && at < to);
  });
  return percentiles(quiet.map(({ tookMs }) => tookMs)).p50;
}

/** How often each kind struck, the ones that never did included. */
export function countKinds(
  records: readonly FaultRecord[],
  kinds: readonly Kind[],
): Record<string, number> {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  for (const { kind } of records) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The share of faults after which every room served again; 1 where there was none. */
export function recoveredShare(records: readonly FaultRecord[]): number {
  const recovered = records.filter(
    ({ servedAfterMs, unserved }) => servedAfterMs !== null && unserved === 0,
  );
  return records.length === 0 ? 1 : Math.round((recovered.length / records.length) * 1e4) / 1e4;
}

export const closedByMigration = (records: readonly FaultRecord[]): number =>
  records.filter(({ kind }) => factsOf(kind).planned).reduce((sum, { cuts }) => sum + cuts, 0);
