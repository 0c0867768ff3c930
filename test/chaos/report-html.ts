import { escaped, mark, pageOf, tableOf, tilesOf } from "../../src/load/page/parts.ts";
import type { FaultRecord } from "./measure.ts";
import { FIGURES } from "./measure.ts";
import { factsOf, type Lane } from "./plan.ts";
import type { ChaosReport } from "./report.ts";
import { type LatencyPoint, timelineOf } from "./report-timeline.ts";
import { clock } from "./words.ts";

export interface PageFacts {
  readonly report: ChaosReport;
  readonly latency: readonly LatencyPoint[];
}

const LANES: readonly (readonly [Lane, string])[] = [
  ["node", "nodes"],
  ["gateway", "gateways"],
  ["placement", "placement"],
  ["nats", "NATS"],
  ["clients", "client links"],
];

/** The report as one page that needs nothing but itself. */
export function htmlOf({ latency, report }: PageFacts): string {
  const missed = report.aims.filter(({ kept }) => !kept).length;
  const verdict =
    missed === 0 ? "Every aim was kept." : `${missed} of ${report.aims.length} aims were missed.`;
  const busy = Math.round(report.machine_busy * 100);
  const minutes = (report.took_ms / 60_000).toFixed(1);
  return pageOf({
    title: `Chaos run, seed ${report.seed}`,
    heading: "Chaos run",
    lead: `${report.faults_total} faults in ${minutes} minutes on ${report.nodes} nodes,
${report.gateways} gateways, ${report.placements} placement replicas and ${report.nats} NATS servers
with ${report.bots} people in ${report.rooms} rooms. ${verdict}`,
    meta: `<code>${escaped(report.command)}</code><br>
seed ${report.seed} · ${escaped(report.date)} ·
${escaped(report.machine)} · machine ${busy} % busy, ${report.own_cores} cores of it with
this run`,
    sections: [
      summaryOf(report),
      `<section><h2>Timeline</h2>
<p class="note">Each bar is a fault, from the strike until every room served again. Below: how long
commands took, each second's median and slowest, on a logarithmic scale.</p>
${timelineOf(report.timeline, latency, report.took_ms, LANES)}
${legendOf()}</section>`,
      `<div class="columns">
<section><h2>Aims</h2>${aimsOf(report)}</section>
<section><h2>What people waited for</h2>${figuresOf(report)}</section>
</div>`,
      `<section><h2>Faults</h2>${faultsOf(report.timeline)}</section>`,
      `<section><h2>Kinds</h2>${kindsOf(report)}</section>`,
    ],
  });
}

const summaryOf = (report: ChaosReport): string =>
  tilesOf([
    { name: "commands lost", value: String(report.lost), good: report.lost === 0 },
    { name: "done twice", value: String(report.doubled), good: report.doubled === 0 },
    {
      name: "frames that went back",
      value: String(report.regressed),
      good: report.regressed === 0,
    },
    {
      name: "faults recovered",
      value: `${(report.recovered * 100).toFixed(0)} %`,
      good: report.recovered === 1,
    },
    {
      name: "old owners' words refused",
      value: String(report.stale_rejected),
      good: report.stale_rejected > 0,
    },
    { name: "commands acknowledged", value: report.commands.toLocaleString("en"), good: true },
  ]);

function aimsOf(report: ChaosReport): string {
  const rows = report.aims.map(
    ({ aim, kept, name, value }) =>
      `<tr><td>${mark(kept, ["kept", "missed"])}</td>
<td>${escaped(name)}</td><td class="number">${escaped(value)}</td>
<td class="number quiet">${escaped(aim)}</td></tr>`,
  );
  return tableOf(["", "", "found", "aim"], rows);
}

function figuresOf(report: ChaosReport): string {
  const rows = FIGURES.map((name) => {
    const spread = report[name];
    const cells = spread ? [spread.p50, spread.p99, spread.max] : ["–", "–", "–"];
    return `<tr><td>${name.replace(/_ms$/, "").replaceAll("_", " ")}</td>${cells
      .map((value) => `<td class="number">${value}</td>`)
      .join("")}<td class="number quiet">${report.samples[name]}</td></tr>`;
  });
  const usual = `<p class="note">Of each affected client, ms from the strike to fresh state of the
new owner. A migration's pause: latency of a command whose room moved as planned between its sending
and its answer, less the usual ${report.usual_command_ms} ms.</p>`;
  return `${tableOf(["ms", "p50", "p99", "max", "samples"], rows)}${usual}`;
}

function faultsOf(records: readonly FaultRecord[]): string {
  const rows = records.map((record) => {
    const { atMs, cuts, kind, note, servedAfterMs, unserved, victims, waitsMs } = record;
    const { lane, what } = factsOf(kind);
    const served = servedAfterMs === null ? "not in time" : `${(servedAfterMs / 1e3).toFixed(2)} s`;
    const slowest = waitsMs.length > 0 ? `${Math.max(...waitsMs)} ms` : "";
    const notes = [unserved > 0 ? `${unserved} clients saw no new owner` : "", note];
    return `<tr id="fault-${record.number}"><td class="number quiet">${clock(atMs)}</td>
<td class="name" title="${escaped(what)}"><i class="dot ${lane}"></i>${kind.replaceAll("_", " ")}</td>
<td class="name">${escaped(victims.join(", "))}</td>
<td class="number${servedAfterMs === null ? " bad" : ""}">${served}</td>
<td class="number">${slowest}</td><td class="number">${cuts > 0 ? cuts : ""}</td>
<td class="quiet">${escaped(notes.filter((text) => text !== "").join("; "))}</td></tr>`;
  });
  const heads = ["at", "fault", "victim", "served again", "slowest client", "sockets lost", ""];
  return tableOf(heads, rows);
}

function kindsOf(report: ChaosReport): string {
  const entries = Object.entries(report.faults).map(
    ([kind, count]) =>
      `<li class="${count === 0 ? "bad" : ""}"><b>${count}</b> ${kind.replaceAll("_", " ")}</li>`,
  );
  const skipped = Object.entries(report.skipped).map(
    ([kind, why]) =>
      `<li class="quiet">skipped: ${kind.replaceAll("_", " ")}: ${escaped(why)}</li>`,
  );
  return `<ul class="kinds">${[...entries, ...skipped].join("")}</ul>`;
}

const legendOf = (): string =>
  `<p class="legend">${LANES.map(([lane, name]) => `<span><i class="dot ${lane}"></i>${name}</span>`).join("")}
<span><i class="line median"></i>median</span><span><i class="dot slowest"></i>slowest</span></p>`;
