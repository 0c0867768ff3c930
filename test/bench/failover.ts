import { writeFileSync } from "node:fs";
import os from "node:os";
import { Percentiles, type Summary } from "../../src/load/percentiles.ts";
import { buildProduct } from "../support/built-product.ts";
import { Cluster } from "../support/cluster.ts";
import { Crew, type Sailor } from "../support/crew.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { waitUntil } from "../support/wait-until.ts";

/**
 * How long a killed node's people go without fresh state. Two nodes take turns: one owns every
 * room, dies by SIGKILL, and the other takes all of them over, so each kill hits every room and
 * every client. Three nats-servers from deploy/nats, everything in processes of its own on this
 * machine, the clients in this one.
 */
const values = toolFlags({
  kills: { type: "string", default: "30", least: 1, whole: true },
  rooms: { type: "string", default: "100", least: 1, whole: true },
  clients: { type: "string", default: "500", least: 1, whole: true },
  json: { type: "string" },
});
const kills = Number(values.kills);
const roomCount = Number(values.rooms);
const clientCount = Number(values.clients);
const POSE_MS = 100;
const COMMAND_MS = 2_000;

const say = (text: string): void => console.error(text);
const rooms = Array.from({ length: roomCount }, (_, i) => `hall-${i}`);

const built = buildProduct();
const cluster = await Cluster.start({ nats: 3, placements: 2, nodes: 2, gateways: 2, built });
const crew = new Crew(cluster);
const waits = new Percentiles();
let walking: NodeJS.Timeout | undefined;
try {
  say(`creating ${roomCount} rooms`);
  await Promise.all(rooms.map((room) => cluster.createRoom(room)));
  await gather();
  say(`joining ${clientCount} clients`);
  for (let at = 0; at < clientCount; at += 50)
    await Promise.all(
      Array.from({ length: Math.min(50, clientCount - at) }, (_, i) =>
        crew.join(`c${at + i}`, rooms[(at + i) % roomCount] as string),
      ),
    );
  walk();
  crew.work(COMMAND_MS);
  for (let kill = 1; kill <= kills; kill++) await killOwner(kill);
} finally {
  clearInterval(walking);
}
await crew.rest();
const verdict = await crew.verdict(rooms);
const sockets = crew.sailors.reduce((sum, { closes }) => sum + closes, 0);
const report = {
  kills,
  rooms: roomCount,
  clients: clientCount,
  failover_ms: rounded(waits.summary()),
  acked: verdict.acked,
  lost: verdict.lost.length,
  doubled: verdict.doubled.length,
  sockets_closed: sockets,
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

/** Everyone moves at 10 Hz, spread over the period. */
function walk(): void {
  let step = 0;
  walking = setInterval(() => {
    const share = step++ % 10;
    for (let i = share; i < crew.sailors.length; i += 10) {
      const x = Math.sin((step + i) / 20) * 8;
      const pose = { x, y: 0, z: i % 9, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 1 } as const;
      crew.sailors[i]?.room.setPose(pose);
    }
  }, POSE_MS / 10);
}

/** All rooms on one node: its neighbour dies first. */
async function gather(): Promise<void> {
  const spare = "node-2";
  cluster.kill(spare);
  await Promise.all(
    rooms.map((room) => cluster.owned(room, ({ owner }) => owner?.startsWith("node-1.") === true)),
  );
  await cluster.restart(spare);
  // Or the next kill would measure its start.
  await cluster.standsBy(spare);
}

async function killOwner(kill: number): Promise<void> {
  const victim = kill % 2 === 1 ? "node-1" : "node-2";
  const { rooms: owned } = (await cluster.nodes()).find(
    (node) => node.id === cluster.member(victim).id,
  ) ?? { rooms: 0 };
  if (owned < roomCount) throw new Error(`${victim} owns ${owned} rooms, not ${roomCount}`);
  const before = new Map<Sailor, number>(crew.sailors.map((s) => [s, s.room.epoch]));
  const killedAt = performance.now();
  cluster.kill(victim);
  await waitUntil(
    "everyone has fresh state of a new epoch",
    () => crew.sailors.every((s) => freshAt(s, before) !== undefined),
    { timeoutMs: 30_000, dump: () => `${stuck(before)}\n${cluster.dump()}` },
  );
  const took = new Percentiles();
  for (const sailor of crew.sailors) took.record((freshAt(sailor, before) ?? 0) - killedAt);
  waits.merge(took);
  const { p50, p99, max } = rounded(took.summary());
  say(`kill ${kill}/${kills} of ${victim}, ${owned} rooms: p50 ${p50}, p99 ${p99}, max ${max} ms`);
  await cluster.restart(victim);
  await cluster.standsBy(victim);
  // Commands that waited are answered before the next kill, as in a show that goes on.
  const acked = crew.sailors.reduce((sum, s) => sum + s.acked.size, 0);
  await waitUntil(
    "commands are acknowledged again",
    () => crew.sailors.reduce((sum, s) => sum + s.acked.size, 0) > acked + clientCount / 4,
    { timeoutMs: 30_000, dump: () => cluster.dump() },
  );
}

/** When the first frame of an epoch above the one before the kill came. */
function freshAt(sailor: Sailor, before: Map<Sailor, number>): number | undefined {
  const old = before.get(sailor) ?? 0;
  for (const [epoch, at] of sailor.firstFrameAt) if (epoch > old) return at;
  return undefined;
}

function stuck(before: Map<Sailor, number>): string {
  return crew.sailors
    .filter((s) => freshAt(s, before) === undefined)
    .map((s) => `${s.name} ${s.room.name} epoch ${s.room.epoch} ${s.client.state}`)
    .join("\n");
}
