import { roundTo, timeAxis } from "../../src/load/page/time-plot.ts";
import type { CommandSeen } from "./bots.ts";
import type { FaultRecord } from "./measure.ts";
import { factsOf, type Lane } from "./plan.ts";

/** Commands that were sent within one step of the run. */
export interface LatencyPoint {
  readonly atMs: number;
  readonly p50: number;
  readonly max: number;
}

const WIDTH = 1_120;
const LEFT = 88;
const RIGHT = 12;
const LANE_HEIGHT = 26;
const PLOT_TOP_GAP = 34;
const PLOT_HEIGHT = 190;
const AXIS_HEIGHT = 24;
const SCALE_MS = [1, 10, 100, 1_000, 10_000];
const BAR_WIDTH_MIN = 4;

/** Medians and maxima of each step; steps in which nobody sent anything are left out. */
export function latencyPoints(
  commands: readonly Pick<CommandSeen, "sentMs" | "tookMs">[],
  startMs: number,
  tookMs: number,
): LatencyPoint[] {
  const stepMs = Math.max(1_000, tookMs / 600);
  const steps = new Map<number, number[]>();
  for (const { sentMs, tookMs: took } of commands) {
    const step = Math.floor((sentMs - startMs) / stepMs);
    if (step < 0) continue;
    const values = steps.get(step);
    if (values) values.push(took);
    else steps.set(step, [took]);
  }
  return [...steps]
    .sort(([a], [b]) => a - b)
    .map(([step, values]) => {
      values.sort((a, b) => a - b);
      const p50 = values[Math.ceil(values.length / 2) - 1] ?? 0;
      return { atMs: (step + 0.5) * stepMs, p50, max: values.at(-1) ?? 0 };
    });
}

/** Faults by what they hit above, command latency below, on one axis of time. */
export function timelineOf(
  records: readonly FaultRecord[],
  latency: readonly LatencyPoint[],
  tookMs: number,
  lanes: readonly (readonly [Lane, string])[],
): string {
  const x = (ms: number): number =>
    roundTo(LEFT + (Math.min(ms, tookMs) / tookMs) * (WIDTH - LEFT - RIGHT));
  const plotTop = lanes.length * LANE_HEIGHT + PLOT_TOP_GAP;
  const height = plotTop + PLOT_HEIGHT + AXIS_HEIGHT;
  const laneAt = new Map(lanes.map(([lane], i) => [lane, i]));
  const strikes = records.map(
    ({ atMs, kind }) =>
      `<line class="strike ${factsOf(kind).lane}" x1="${x(atMs)}" x2="${x(atMs)}" y1="8" y2="${plotTop + PLOT_HEIGHT}"/>`,
  );
  const bars = records.map((record) => barOf(record, x, laneAt, tookMs));
  return `<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${height}" role="img"
aria-label="Faults and command latency over the run">
${lanesOf(lanes)}${timeAxis(tookMs, x, plotTop + PLOT_HEIGHT)}${scaleOf(plotTop)}
${strikes.join("")}${latencyOf(latency, x, plotTop)}${bars.join("")}
</svg></div>`;
}

function barOf(
  record: FaultRecord,
  x: (ms: number) => number,
  laneAt: ReadonlyMap<Lane, number>,
  tookMs: number,
): string {
  const { atMs, kind, number, servedAfterMs, victims } = record;
  const { lane } = factsOf(kind);
  const y = (laneAt.get(lane) ?? 0) * LANE_HEIGHT + 8;
  const end = servedAfterMs === null ? tookMs : atMs + servedAfterMs;
  const width = Math.max(BAR_WIDTH_MIN, roundTo(x(end) - x(atMs)));
  const served =
    servedAfterMs === null ? "not served again" : `served again after ${servedAfterMs} ms`;
  const title = `#${number} ${kind.replaceAll("_", " ")}: ${victims.join(", ")}, ${served}`;
  const open = servedAfterMs === null ? " open" : "";
  return `<a href="#fault-${number}"><rect class="bar ${lane}${open}" x="${x(atMs)}" y="${y}" width="${width}" height="${LANE_HEIGHT - 12}" rx="3"><title>${title}</title></rect></a>`;
}

const lanesOf = (lanes: readonly (readonly [Lane, string])[]): string =>
  lanes
    .map(
      ([, name], i) =>
        `<text x="0" y="${i * LANE_HEIGHT + 19}">${name}</text><line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${(i + 1) * LANE_HEIGHT + 2}" y2="${(i + 1) * LANE_HEIGHT + 2}"/>`,
    )
    .join("");

/** Of a latency on the logarithmic scale. */
function yOf(ms: number, plotTop: number): number {
  const [least = 1] = SCALE_MS;
  const most = SCALE_MS.at(-1) ?? 1;
  const clamped = Math.min(most * 3, Math.max(least, ms));
  const share = Math.log(clamped / least) / Math.log((most * 3) / least);
  return roundTo(plotTop + PLOT_HEIGHT * (1 - share));
}

const scaleOf = (plotTop: number): string =>
  [
    ...SCALE_MS.map((ms) => {
      const y = yOf(ms, plotTop);
      const label = ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
      return `<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/><text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${label}</text>`;
    }),
    `<text x="0" y="${plotTop - 12}">commands</text>`,
  ].join("");

function latencyOf(
  latency: readonly LatencyPoint[],
  x: (ms: number) => number,
  plotTop: number,
): string {
  const median = latency.map(({ atMs, p50 }) => `${x(atMs)},${yOf(p50, plotTop)}`).join(" ");
  const dots = latency.map(
    ({ atMs, max }) =>
      `<circle class="slowest" cx="${x(atMs)}" cy="${yOf(max, plotTop)}" r="1.6"/>`,
  );
  return `${dots.join("")}<polyline class="median" points="${median}"/>`;
}
