import { escaped, mark, pageOf, tableOf, tilesOf } from "../page/parts.ts";
import { type PlotLine, timePlot } from "../page/time-plot.ts";
import type { Second } from "./recorder.ts";
import { cautionsOf, type LoadReport, shownSeconds } from "./report.ts";
import { DURATIONS, type DurationName } from "./tally.ts";

/** What each duration is, for a reader who has not read the code. */
const MEANING: Readonly<Record<DurationName, string>> = {
  frame: "from a room's tick to the frame's arrival, every frame",
  stage: "the same of an event's stage, the wait for what it rides included",
  pose: "from a beacon's sending to a neighbour's eye; waits for the room's tick included",
  pose_far: "the same, to the eye of somebody further away",
  frame_gap: "between two frames of one client",
  focus_gap: "between two rows of a beacon that walks in focus",
  row_gap: "between two rows of anybody else",
  join: "from dialling to being in",
  absence: "from the loss of a socket to being in again",
  command: "from a command to its reply",
  ping: "from a ping to its pong: the gateway alone, and both ends' sockets",
};
const KNOWN_ROLES = new Set(["gateway", "node", "placement", "nats"]);
const POINTS_MAX = 600;
const WIDE = { width: 1_120, height: 230 };
const HALF = { width: 540, height: 190 };

/** The report as one page that needs nothing but itself. */
export function htmlOf(report: LoadReport): string {
  const { clients, flags, frames_per_s: frames, seconds } = report;
  const missed = report.checks.filter(({ kept }) => !kept).length;
  const verdict = report.ended ?? (missed === 0 ? "Every check passed" : `${missed} checks failed`);
  return pageOf({
    title: `Load run, ${clients.asked} clients`,
    heading: "Load run",
    lead: `${clients.at_end.toLocaleString("en")} clients in ${flags.rooms} ${flags.rooms === 1 ? "room" : "rooms"} at ${report.gateways} ${report.gateways === 1 ? "gateway" : "gateways"},
${frames.toLocaleString("en")} frames a second, ${Math.round(flags.moving * 100)} % of the people on their feet. ${escaped(verdict)}.`,
    meta: `<code>${escaped(report.command)}</code><br>
seed ${report.seed} · ${escaped(report.date)} · ${escaped(report.machine)} · machine
${Math.round(report.machine_busy * 100)} % busy`,
    sections: [
      summaryOf(report),
      ...cautionsOf(report).map((caution) => `<p class="caution">${caution}</p>`),
      latencyOf(report, seconds),
      `<div class="columns">${crowdOf(report, seconds)}${coresOf(report, seconds)}</div>`,
      `<div class="columns">
<section><h2>Durations</h2>${durationsOf(report)}</section>
<section><h2>Checks</h2>${checksOf(report)}</section>
</div>`,
      restOf(report),
    ],
  });
}

const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);

const summaryOf = (report: LoadReport): string => {
  const { clients, client_frames_per_s: rate, durations_ms: durations } = report;
  const found = Object.values(report.findings).reduce((sum, count) => sum + count, 0);
  return tilesOf([
    { name: "findings", value: String(found), good: found === 0 },
    {
      name: `of ${clients.asked.toLocaleString("en")} clients in at the end`,
      value: clients.at_end.toLocaleString("en"),
      good: clients.at_end === clients.asked,
    },
    { name: "frame p99, ms", value: ms(durations.frame.p99), good: true },
    { name: "pose p99, ms", value: ms(durations.pose.p99), good: true },
    { name: "frames/s of a client (median)", value: rate.p50.toFixed(1), good: true },
    {
      name: "bytes/s of a client",
      value: report.bytes_per_client_s.toLocaleString("en"),
      good: true,
    },
  ]);
};

type Spread = Second["frame"];
const spreadLines = (seconds: readonly Second[], of: (second: Second) => Spread): PlotLine[] => {
  const line = (name: string, kind: string, pick: (spread: Spread) => number): PlotLine => ({
    name,
    kind,
    // Where nothing was measured there is no point, not one at the bottom.
    values: seconds.map((second) => pick(of(second)) || undefined),
  });
  return [
    line("p50", "median", ({ p50 }) => p50),
    line("p99", "high", ({ p99 }) => p99),
    line("p99.9", "highest", ({ p999 }) => p999),
  ];
};

/** What all plots of a run have in common. */
function axes(report: LoadReport, seconds: readonly Second[]) {
  const all = report.seconds;
  const steady = all.filter((second) => second.steady);
  const tookMs = (all.at(-1)?.atS ?? 1) * 1_000;
  const [first, last] = [steady[0], steady.at(-1)];
  return {
    atMs: seconds.map(({ atS }) => atS * 1_000),
    tookMs,
    shaded: first && last ? ([(first.atS - 1) * 1_000, last.atS * 1_000] as const) : undefined,
  };
}

function latencyOf(report: LoadReport, all: readonly Second[]): string {
  const seconds = shownSeconds(all, POINTS_MAX);
  const plot = (label: string, of: (second: Second) => Spread): string =>
    timePlot({
      ...axes(report, seconds),
      ...WIDE,
      label,
      unit: "ms",
      scale: "logarithmic",
      lines: spreadLines(seconds, of),
    });
  return `<section><h2>Frames</h2>
<p class="note">From a room's tick to the frame's arrival at each client, second by second, on a
logarithmic scale. Shaded: everybody is in; the figures below are of that time.</p>
${plot("Latency of frames over the run", ({ frame }) => frame)}</section>
<section><h2>Poses</h2>
<p class="note">From one person's sending to a neighbour's eye, ${Math.round(report.flags.focusM)} m away at most:
gateway, bus, the room's tick, bus, gateway.</p>
${plot("Latency of poses over the run", ({ pose }) => pose)}</section>`;
}

function crowdOf(report: LoadReport, all: readonly Second[]): string {
  const seconds = shownSeconds(all, POINTS_MAX);
  const plot = (label: string, lines: readonly PlotLine[]): string =>
    timePlot({ ...axes(report, seconds), ...HALF, label, unit: "", scale: "linear", lines });
  const line = (name: string, kind: string, of: (second: Second) => number): PlotLine => ({
    name,
    kind,
    values: seconds.map(of),
  });
  return `<section><h2>People</h2>
${plot("Clients over the run", [
  line("in the room", "median", ({ inRoom }) => inRoom),
  line("joins a second", "high", ({ joins }) => joins),
])}</section>
<section><h2>Messages a second</h2>
${plot("Frames and poses over the run", [
  line("frames in", "median", ({ framesPerS }) => framesPerS),
  line("poses out", "high", ({ posesPerS }) => posesPerS),
])}</section>`;
}

function coresOf(report: LoadReport, all: readonly Second[]): string {
  const seconds = shownSeconds(all, POINTS_MAX);
  const roles = [...new Set(seconds.flatMap(({ cores }) => Object.keys(cores)))];
  const kindOf = (role: string): string => {
    if (role === "load") return "clients";
    return KNOWN_ROLES.has(role) ? role : "other";
  };
  const lines = roles.map((role) => ({
    name: role === "load" ? "this crowd" : escaped(role),
    kind: kindOf(role),
    values: seconds.map(({ cores }) => cores[role]),
  }));
  const figures = roles.map((role) => {
    const bytes = report.bytes_per_connection[role] ?? 0;
    return `<tr><td>${role === "load" ? "this crowd" : escaped(role)}</td>
<td class="number">${(report.cores[role] ?? 0).toFixed(2)}</td>
<td class="number quiet">${bytes > 0 ? `${(bytes / 1_024).toFixed(1)} KiB` : "–"}</td></tr>`;
  });
  const plot = timePlot({
    ...axes(report, seconds),
    ...HALF,
    label: "Processor time over the run",
    unit: "",
    scale: "linear",
    lines,
  });
  return `<section><h2>Cores in use</h2>
${plot}</section>
<section><h2>By role</h2>
${tableOf(["", "cores", "memory a client"], figures)}
<p class="note">Memory is what the role's processes grew by since before the first client, shared out among
all clients; heaps breathe, so it takes thousands of them to mean something.</p></section>`;
}

function durationsOf(report: LoadReport): string {
  const rows = DURATIONS.filter((name) => report.durations_ms[name].count > 0).map((name) => {
    const { count, max, p50, p99, p999 } = report.durations_ms[name];
    const cells = [p50, p99, p999, max].map((value) => `<td class="number">${ms(value)}</td>`);
    return `<tr><td class="name" title="${MEANING[name]}">${name.replaceAll("_", " ")}</td>${cells.join("")}
<td class="number quiet">${count.toLocaleString("en")}</td></tr>`;
  });
  const words = DURATIONS.filter((name) => report.durations_ms[name].count > 0).map(
    (name) => `<b>${name.replaceAll("_", " ")}</b> ${MEANING[name]}`,
  );
  return `${tableOf(["ms", "p50", "p99", "p99.9", "max", "count"], rows)}
<p class="note">${words.join("; ")}.</p>`;
}

function checksOf({ checks, unjudged_late_rows: unjudged }: LoadReport): string {
  const rows = checks.map(
    ({ kept, name, value }) =>
      `<tr><td>${mark(kept, ["passed", "failed"])}</td><td>${escaped(name)}</td>
<td class="number">${escaped(value)}</td></tr>`,
  );
  const late =
    unjudged === 0
      ? ""
      : `<p class="note">${unjudged} late rows were not judged: this crowd itself was late then.</p>`;
  return `${tableOf(["", "", "found"], rows)}${late}`;
}

function restOf(report: LoadReport): string {
  const reasons = Object.entries({ ...report.failures, ...report.losses }).map(
    ([why, count]) => `<li class="bad"><b>${count}</b> ${escaped(why)}</li>`,
  );
  const details = report.details.map((detail) => `<li>${escaped(detail)}</li>`);
  const counts = Object.entries(report.counts).map(
    ([name, count]) => `<li><b>${count.toLocaleString("en")}</b> ${name.replaceAll("_", " ")}</li>`,
  );
  const list = (items: readonly string[]): string => `<ul class="kinds">${items.join("")}</ul>`;
  const found = [...reasons, ...details];
  return `${found.length > 0 ? `<section><h2>What went wrong</h2>${list(found)}</section>` : ""}
<section><h2>Counts</h2>${list(counts)}</section>`;
}
