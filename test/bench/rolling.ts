import { writeFileSync } from "node:fs";
import os from "node:os";
import { Percentiles, type Summary } from "../../src/load/percentiles.ts";
import { buildProduct } from "../support/built-product.ts";
import { Cluster } from "../support/cluster.ts";
import { Crew, type Sailor } from "../support/crew.ts";
import { toolFlags } from "../support/tool-flags.ts";

/**
 * A rolling restart under load: every node in turn is told to stop by SIGTERM, hands its rooms
 * over, ends, and is started again. What people notice is how long their commands take. Three
 * nats-servers from deploy/nats, everything in processes of its own on this machine, the clients
 * in this one.
 */
const values = toolFlags({
  nodes: { type: "string", default: "6", least: 1, whole: true },
  rooms: { type: "string", default: "200", least: 1, whole: true },
  clients: { type: "string", default: "200", least: 1, whole: true },
  /** Between two commands of a client. More often: more of them meet a move. */
  "command-ms": { type: "string", default: "1000", least: 1, whole: true },
  json: { type: "string" },
});
const [nodes, roomCount, clients] = [values.nodes, values.rooms, values.clients].map(Number) as [
  number,
  number,
  number,
];
const COMMAND_MS = Number(values["command-ms"]);
const POSE_MS = 200;

const say = (text: string): void => console.error(text);
const rooms = Array.from({ length: roomCount }, (_, i) => `hall-${i}`);

const built = buildProduct();
const cluster = await Cluster.start({ nats: 3, placements: 2, nodes, gateways: 2, built });
const crew = new Crew(cluster);
const latencies = new Percentiles();
/** Of commands whose room changed owners between their sending and their answer. */
const pauses = new Percentiles();
let met = 0;
let failed = 0;
let working = true;

say(`creating ${roomCount} rooms`);
await Promise.all(rooms.map((room) => cluster.createRoom(room)));
say(`joining ${clients} clients`);
for (let at = 0; at < clients; at += 50)
  await Promise.all(
    Array.from({ length: Math.min(50, clients - at) }, (_, i) =>
      crew.join(`c${at + i}`, rooms[(at + i) % roomCount] as string),
    ),
  );
const walking = setInterval(walk, POSE_MS);
const work = crew.sailors.map((sailor, i) => labour(sailor, i));
const tookMs: number[] = [];
for (let number = 1; number <= nodes; number++) await restart(`node-${number}`);
working = false;
await Promise.all(work);
clearInterval(walking);

const verdict = await crew.verdict(rooms);
const report = {
  nodes,
  rooms: roomCount,
  clients,
  restart_ms: tookMs.map(Math.round),
  command_ms: rounded(latencies.summary()),
  migration_pause_ms: rounded(pauses.summary()),
  /** So many commands met a move. */
  migration_pauses: met,
  command_every_ms: COMMAND_MS,
  commands: verdict.acked,
  failed,
  lost: verdict.lost.length,
  doubled: verdict.doubled.length,
  sockets_closed: crew.sailors.reduce((sum, { closes }) => sum + closes, 0),
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
console.log(JSON.stringify(report, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
crew.close();
await cluster.close();
process.exit(0);

function rounded({ p50, p99, max }: Summary): { p50: number; p99: number; max: number } {
  return { p50: Math.round(p50), p99: Math.round(p99), max: Math.round(max) };
}

/** One command after the other, spread over the period, each timed from sending to its answer. */
async function labour(sailor: Sailor, number: number): Promise<void> {
  await pause((number / clients) * COMMAND_MS);
  for (let n = 1; working; n++) {
    const token = `${sailor.name}-${n}`;
    const { epoch } = sailor.room;
    const sentAt = performance.now();
    try {
      await sailor.room.command("put", { token });
      sailor.acked.add(token);
      const took = performance.now() - sentAt;
      latencies.record(took);
      if (sailor.room.epoch > epoch) {
        met++;
        pauses.record(took);
      }
    } catch (error) {
      failed++;
      say(`${token}: ${error instanceof Error ? error.message : error}`);
    }
    await pause(COMMAND_MS);
  }
}

function walk(): void {
  const x = Math.sin(performance.now() / 1_000) * 8;
  for (const [i, { room }] of crew.sailors.entries())
    room.setPose({ x, y: 0, z: i % 9, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 1 });
}

async function restart(name: string): Promise<void> {
  const began = performance.now();
  const { rooms: owned } = (await cluster.nodes()).find((node) => node.name === name) ?? {
    rooms: 0,
  };
  cluster.signal(name, "SIGTERM");
  await cluster.ended(name, 60_000);
  const { exitCode } = cluster.member(name).child;
  if (exitCode !== 0) throw new Error(`${name} ended with ${exitCode}\n${cluster.dump()}`);
  const movedMs = performance.now() - began;
  await cluster.restart(name);
  await cluster.standsBy(name);
  tookMs.push(performance.now() - began);
  const { p50, p99, max } = rounded(pauses.summary());
  say(
    `${name}: ${owned} rooms moved off in ${movedMs.toFixed(0)} ms; ` +
      `pauses so far p50 ${p50}, p99 ${p99}, max ${max} ms`,
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
