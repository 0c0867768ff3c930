import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { FrameOrder } from "../../src/load/dense/frame-order.ts";
import { Swarm } from "../../src/load/dense/swarm.ts";
import { inflowOf, WsReader } from "../../src/load/dense/ws-reader.ts";
import { FrameSource, sourceFrame } from "../support/frame-source.ts";
import { swarmPlan } from "../support/swarm-plan.ts";
import { toolFlags } from "../support/tool-flags.ts";

/**
 * What the dense crowd's own receiving costs for each frame: in JavaScript alone, and with the
 * sockets. Its receiver must not be what a load run measures. Frames come from another process.
 */
const values = toolFlags({
  clients: { type: "string", default: "1000", least: 1, whole: true },
  seconds: { type: "string", default: "5", least: 0.1 },
  rows: { type: "string", default: "40", least: 0, whole: true },
  /** Frames a second that are offered; 0 is as many as the source can. */
  rate: { type: "string", default: "0", least: 0, whole: true },
  json: { type: "string" },
  /** How the other process knows what it is. */
  source: { type: "boolean", default: false },
});
const [clients, seconds, rows, rate] = [
  values.clients,
  values.seconds,
  values.rows,
  values.rate,
].map(Number) as [number, number, number, number];

if (values.source) await beSource();
else await measure();

async function beSource(): Promise<void> {
  const source = await FrameSource.listen();
  process.on("disconnect", () => process.exit(0));
  process.send?.(source.url);
  await once(process, "message");
  const words = new Uint32Array(rows * 4);
  let tick = 0;
  let due = performance.now();
  const turn = (): void => {
    const perTick = rate === 0 ? 0 : (1_000 * source.sockets.size) / rate;
    if (performance.now() >= due) {
      due += perTick;
      source.write(sourceFrame({ tick: ++tick }, words));
    }
    setImmediate(turn);
  };
  turn();
}

async function measure(): Promise<void> {
  const inMemory = inMemoryCost();
  const child = fork(fileURLToPath(import.meta.url), [
    "--source",
    ...["--rows", values.rows, "--rate", values.rate],
  ]);
  const overSockets = await socketCost(child);
  child.disconnect();
  const report = {
    clients,
    frame_bytes: sourceFrame({}, new Uint32Array(rows * 4)).length,
    javascript_us_per_frame: inMemory,
    ...overSockets,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
  };
  console.log(JSON.stringify(report, undefined, 2));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  process.exit(0);
}

/** Parsing and head checks of frames that are in memory already: three to a read. */
function inMemoryCost(): number {
  const order = new FrameOrder(1);
  const reader = new WsReader({
    message: ({ view }, at, length) => {
      if (order.check(0, 0, view, at, length) !== undefined) throw new Error("a breach");
    },
    pinged: () => undefined,
    closed: () => undefined,
    broken: (why) => {
      throw new Error(why);
    },
  });
  const frame = sourceFrame({}, new Uint32Array(rows * 4));
  const inflow = inflowOf(new Uint8Array(64 * 1024));
  for (let i = 0; i < 3; i++) inflow.bytes.set(frame, i * frame.length);
  const tickAt = frame.length - (32 + rows * 16) + 4;
  let tick = 0;
  const READS = 300_000;
  let before = process.cpuUsage();
  // The first half warms up.
  for (let read = 0; read < 2 * READS; read++) {
    if (read === READS) before = process.cpuUsage();
    for (let i = 0; i < 3; i++) inflow.view.setUint32(i * frame.length + tickAt, ++tick, true);
    reader.read(inflow, 0, 3 * frame.length);
  }
  const { system, user } = process.cpuUsage(before);
  return Math.round(((user + system) / READS / 3) * 1_000) / 1_000;
}

async function socketCost(child: ChildProcess) {
  const [url] = (await once(child, "message")) as [string];
  const swarm = new Swarm(swarmPlan(url, { clients, joinsPerSecond: 2_000 }));
  swarm.admit(clients);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (swarm.sample().settled) break;
  }
  child.send("go");
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  swarm.sample();
  const before = { cpu: process.cpuUsage(), at: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const { system, user } = process.cpuUsage(before.cpu);
  const took = performance.now() - before.at;
  const { part } = swarm.sample();
  const found = Object.values(part.findings).reduce((sum, count) => sum + count, 0);
  if (found > 0) throw new Error(`findings: ${JSON.stringify(part.details)}`);
  const { frames } = part.counts;
  return {
    frames_per_s: Math.round((frames / took) * 1_000),
    us_per_frame: Math.round(((user + system) / frames) * 100) / 100,
    of_it_user: Math.round((user / frames) * 100) / 100,
    frames_per_s_of_a_core: Math.round((frames / (user + system)) * 1e6),
  };
}
