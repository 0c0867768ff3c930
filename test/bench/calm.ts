import { writeFileSync } from "node:fs";
import os from "node:os";
import { Percentiles } from "../../src/load/percentiles.ts";
import { buildProduct } from "../support/built-product.ts";
import { CalmDrill, DISTURBANCES, type Disturbance, type Harm } from "../support/calm-drill.ts";
import { toolFlags } from "../support/tool-flags.ts";

/**
 * What should disturb nobody, many times: one of three nats-servers dies and comes back, a node's
 * event loop does nothing else for 2 s, a placement replica dies and comes back. No room may be
 * claimed by another node, no node suspected, no socket closed, no command lost or done twice.
 * Everything in processes of its own on this machine, the clients in this one.
 */
const values = toolFlags({
  times: { type: "string", default: "100", least: 1, whole: true },
  /** In all. Each kind gets its share of what the ones before it left, however often it came. */
  minutes: { type: "string", default: "60", least: 0.01 },
  nodes: { type: "string", default: "4", least: 1, whole: true },
  rooms: { type: "string", default: "40", least: 1, whole: true },
  clients: { type: "string", default: "40", least: 1, whole: true },
  /** Comma separated. */
  only: { type: "string", default: DISTURBANCES.join() },
  json: { type: "string" },
});
const [times, minutes, nodes, rooms, clients] = [
  values.times,
  values.minutes,
  values.nodes,
  values.rooms,
  values.clients,
].map(Number) as [number, number, number, number, number];
// The longest last: it gets what the others leave.
const kinds = DISTURBANCES.filter((kind) => values.only.split(",").includes(kind)).toReversed();

const say = (text: string): void => console.error(text);
const built = buildProduct();
const drill = await CalmDrill.start({ nodes, rooms, clients, built });
const endAt = performance.now() + minutes * 60_000;
const reports: Partial<Record<Disturbance, object>> = {};
for (const [at, kind] of kinds.entries()) {
  reports[kind] = await reportOf(kind, (endAt - performance.now()) / (kinds.length - at));
  say(JSON.stringify({ [kind]: reports[kind] }));
}
const report = {
  ...reports,
  nodes,
  rooms,
  clients,
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
console.log(JSON.stringify(report, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
await drill.close();
process.exit(0);

async function reportOf(kind: Disturbance, msMax: number): Promise<object> {
  const until = performance.now() + msMax;
  const harms: Harm[] = [];
  const took = new Percentiles();
  while (harms.length < times && performance.now() < until) {
    const harm = await drill.disturb(kind);
    harms.push(harm);
    took.record(harm.calmAgainMs);
    const { failovers, suspensions, socketsClosed, moved, pauses } = harm;
    say(
      `${kind} ${harms.length}: ${failovers.length} failovers, ${suspensions.length} suspensions, ` +
        `${socketsClosed} sockets closed, ${moved} moved, ${pauses} pauses, ` +
        `calm after ${harm.calmAgainMs.toFixed(0)} ms, ` +
        `${harm.cpuWaitMsMax.toFixed(0)} ms without a processor`,
    );
    for (const detail of [...failovers, ...suspensions]) say(`  ${detail}`);
  }
  const { lost, doubled } = await drill.verdict();
  const { p50, p99, max } = took.summary();
  return {
    times: harms.length,
    failovers: sum(harms.map(({ failovers }) => failovers.length)),
    suspensions: sum(harms.map(({ suspensions }) => suspensions.length)),
    socketsClosed: sum(harms.map(({ socketsClosed }) => socketsClosed)),
    lost,
    doubled,
    moved: sum(harms.map(({ moved }) => moved)),
    pauses: sum(harms.map(({ pauses }) => pauses)),
    cpu_wait_ms_max: Math.round(Math.max(...harms.map(({ cpuWaitMsMax }) => cpuWaitMsMax))),
    calm_again_ms: { p50: Math.round(p50), p99: Math.round(p99), max: Math.round(max) },
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
