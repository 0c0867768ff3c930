import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, connect, type Room } from "../../src/client/client.ts";
import { residentBytes } from "../../src/load/cpu.ts";
import type { Second } from "../../src/load/dense/recorder.ts";
import { buildProduct } from "../support/built-product.ts";
import { Cluster, SECRET } from "../support/cluster.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { waitUntil } from "../support/wait-until.ts";

/**
 * One event with everybody in it: people come by its address, are seated in shards, and watch a
 * performer on the stage. When all have been there for a while the node that owns the stage is
 * killed. README.md here says what each figure is.
 */
const values = toolFlags({
  users: { type: "string", default: "2000", least: 1, whole: true },
  "shard-size": { type: "string", default: "200", least: 1, whole: true },
  nodes: { type: "string", default: "2", least: 1, whole: true },
  gateways: { type: "string", default: "2", least: 1, whole: true },
  "joins-per-second": { type: "string", default: "1000", least: 1 },
  /** Under way in each process of the crowd. */
  "joins-at-once": { type: "string", default: "400", least: 1, whole: true },
  hz: { type: "string", default: "10", least: 0.01 },
  moving: { type: "string", default: "0.3", least: 0 },
  "stand-hz": { type: "string", default: "0.5", least: 0.01 },
  processes: { type: "string", least: 1, whole: true },
  seconds: { type: "string", default: "60", least: 0.1 },
  /** Share of people who decode all; commands a minute of each of them. */
  decode: { type: "string", default: "0.001", least: 0 },
  says: { type: "string", default: "0", least: 0 },
  /** Nobody is killed: for figures of a cluster that is well. */
  "no-kill": { type: "boolean", default: false },
  json: { type: "string" },
});
const EVENT = "demo/gala";
const STAGE_MS = 50;
const READY_MS_MAX = 60_000;
/**
 * Of gateways and of the crowd. On a machine that is full people are to come more slowly, rather
 * than that an owner is taken for dead which was given no processor.
 */
const SOCKETS_NICE = 5;
const say = (text: string): void => console.error(text);

const built = buildProduct(fileURLToPath(new URL("./gala-worlds.ts", import.meta.url)));
// Who stands and says so this rarely is not stuck, nor gone.
const standMs = Math.round(1_000 / Number(values["stand-hz"]));
const quietMs = Math.min(60_000, Math.max(3_000, 2 * standMs));
const pingMs = Math.max(5_000, standMs);
const peoplePerNode = Number(values.users) / Number(values.nodes);
const cluster = await Cluster.start({
  nats: 1,
  placements: 1,
  nodes: Number(values.nodes),
  gateways: Number(values.gateways),
  built,
  // A node of capacity 1 is given 4,000 people at most, however little it has to do: it is others
  // that take them in, all at once, when it dies. Gateways may take seconds between frames: what
  // all of them got is what is asked here.
  set: {
    gateway: [`gateway.quietMs=${quietMs}`, `gateway.pingMs=${pingMs}`, "gateway.frameMsMax=4000"],
    node: [`node.capacity=${Math.max(1, Math.ceil(peoplePerNode / 3_000))}`],
  },
});
for (const { role, pid } of cluster.members) if (role === "gateway") yieldTo(pid, SOCKETS_NICE);
const file = path.join(os.tmpdir(), `roomcluster-event-${process.pid}.json`);
let performer: { readonly client: Client; readonly room: Room<object> } | undefined;
let failoverMs: number | undefined;
try {
  const capacity = Number(values.users);
  const shardSize = Number(values["shard-size"]);
  const event = {
    event: EVENT,
    world: `gala-${values.hz.replace(".", "-")}`,
    capacity,
    shardSize,
    admitPerS: 100_000,
  };
  const dump = (): string => cluster.dump();
  const made = () => post("", event);
  await waitUntil("the event is made", made, { timeoutMs: READY_MS_MAX, dump });
  await post(`/${EVENT}/phase`, { phase: "doors_open" });
  // By hand, so that it stays: nobody is to be a ghost in order that all find a place.
  await post(`/${EVENT}/ladder`, { step: "whole" });
  performer = await perform();
  const bytesBefore = residentBefore();
  const ended = await crowd();
  const load = JSON.parse(readFileSync(file, "utf8")) as Load;
  const report = { ...reportOf(load), process_bytes: bytesBefore };
  console.log(JSON.stringify(report, undefined, 2));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = ended;
} finally {
  performer?.client.close();
  rmSync(file, { force: true });
  await cluster.close();
}
process.exit();

/** All threads of a process that is there: setpriority(2) is of one. Those to come are alike. */
function yieldTo(pid: number, nice: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) os.setPriority(Number(thread), nice);
}

/** True where it was done. */
async function post(where: string, body: object): Promise<boolean> {
  const answer = await fetch(`${cluster.control}/v1/events${where}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) say(`/v1/events${where}: ${answer.status} ${await answer.text()}`);
  return answer.ok;
}

/** Somebody who walks to and fro on the stage, as a motion capture would tell it. */
async function perform() {
  const client = await connect({
    urls: cluster.gateways,
    token: (gateway) => cluster.token(gateway, "star", "performer"),
    agent: "bench",
  });
  const profile = { name: "star", color: 0xffcc00, model: "capsule" };
  const room = await client.join<object>("gala", { profile, poseHz: 1_000 / STAGE_MS });
  const moving = setInterval(() => {
    const x = Math.sin(performance.now() / 1_000) * 4;
    room.setPose({ x, y: 1.2, z: -10, yaw: 0, pitch: 0, reach: [0, 1, 0], animation: 1 });
  }, STAGE_MS);
  room.on("ended", () => clearInterval(moving));
  return { client, room };
}

/** The crowd of `roomcluster load`; once all are in, and half of the time is over, a node dies. */
async function crowd(): Promise<number> {
  const args = ["load", "--gateway", cluster.gateways.join(","), "--room", "event/gala"];
  const people = ["--clients", values.users, "--joins-per-second", values["joins-per-second"]];
  people.push("--joins-at-once", values["joins-at-once"]);
  const spread = values.processes ? ["--processes", values.processes] : [];
  const mix = ["--moving", values.moving, "--move-hz", values.hz, "--stand-hz", values["stand-hz"]];
  const checked = ["--decode", values.decode, "--says", values.says];
  const how = ["--seconds", values.seconds, ...checked, "--token-secret", SECRET];
  const pids = cluster.members.map(({ role, pid }) => `${role}:${pid}`);
  const nats = cluster.nats.servers.map(({ pid }) => `nats:${pid}`);
  const servers = ["--pids", [...pids, ...nats].join(","), "--json", file];
  const child = spawn(
    process.execPath,
    [built.main, ...args, ...people, ...spread, ...mix, ...how, ...servers],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  if (child.pid !== undefined) yieldTo(child.pid, SOCKETS_NICE);
  let killing: NodeJS.Timeout | undefined;
  child.stderr.on("data", (data: Buffer) => {
    const text = data.toString().trimEnd();
    say(text);
    const full = text.includes(` ${values.users}/${values.users} in`);
    if (full && !values["no-kill"])
      killing ??= setTimeout(() => void killStage(), Number(values.seconds) * 500);
  });
  const code = await new Promise<number>((resolve) => child.once("exit", (n) => resolve(n ?? 1)));
  clearTimeout(killing);
  return code;
}

async function killStage(): Promise<void> {
  const { owner } = await cluster.room("gala");
  if (owner === null) return;
  const before = performer?.room.epoch ?? 0;
  const atMs = performance.now();
  cluster.kill(owner);
  say(`killed ${owner}, which owns the stage`);
  const risen = (): boolean => (performer?.room.epoch ?? 0) > before;
  const dump = (): string => cluster.dump();
  await waitUntil("the stage has another owner", risen, { timeoutMs: 30_000, pollMs: 5, dump });
  failoverMs = Math.round(performance.now() - atMs);
}

/** Memory of one process of each role while nobody is there. */
function residentBefore(): Record<string, number> {
  const nats = cluster.nats.servers.map(({ pid }) => ({ role: "nats", pid }));
  return Object.fromEntries(
    [...cluster.members, ...nats].map(({ role, pid }) => [role, residentBytes(pid) ?? 0]),
  );
}

/** Before, compilers are still at work on what has only now become hot. */
function lastHalf(seconds: readonly Second[]): readonly Second[] {
  return seconds.slice(seconds.length >> 1);
}

/** Finer than the figures of the whole run, which are rounded for people. */
function meansOf(seconds: readonly Second[]) {
  const mean = (of: (second: Second) => number): number =>
    seconds.reduce((sum, second) => sum + of(second), 0) / Math.max(1, seconds.length);
  const roles = Object.keys(seconds[0]?.cores ?? {});
  const cores = roles.map((role) => [role, mean((second) => second.cores[role] ?? 0)]);
  return {
    seconds: seconds.length,
    in_room: mean(({ inRoom }) => inRoom),
    joins_per_s: mean(({ joins }) => joins),
    frames_per_s: mean(({ framesPerS }) => framesPerS),
    poses_per_s: mean(({ posesPerS }) => posesPerS),
    cores: Object.fromEntries(cores) as Record<string, number>,
  };
}

interface Load {
  readonly clients: { readonly at_end: number };
  readonly counts: { readonly cut_off: number; readonly stage_frames: number };
  readonly durations_ms: Readonly<Record<"stage", { readonly p50: number; readonly p99: number }>>;
  readonly frames_per_s: number;
  readonly poses_per_s: number;
  readonly bytes_per_client_s: number;
  readonly seconds: readonly Second[];
  readonly joins_per_s: { readonly most: number; readonly mean: number };
  readonly client_frames_per_s: object;
  readonly cores: Readonly<Record<string, number>>;
  readonly bytes_per_connection: object;
  readonly findings: Readonly<Record<string, number>>;
  readonly checks: readonly { readonly name: string; readonly kept: boolean }[];
  readonly took_s: number;
}

function reportOf(load: Load) {
  const { load: own = 0, ...servers } = load.cores;
  const { p50, p99 } = load.durations_ms.stage;
  return {
    connected: load.clients.at_end,
    disconnects: load.counts.cut_off,
    frames_per_s: load.frames_per_s,
    client_frames_per_s: load.client_frames_per_s,
    poses_per_s: load.poses_per_s,
    bytes_per_client_s: load.bytes_per_client_s,
    stage_frames: load.counts.stage_frames,
    stage_ms: { p50, p99 },
    join_per_s: load.joins_per_s,
    joining: meansOf(load.seconds.filter(({ joins, steady }) => joins > 0 && !steady)),
    steady: meansOf(lastHalf(load.seconds.filter(({ steady }) => steady))),
    server_cores: Number(
      Object.values(servers)
        .reduce((sum, one) => sum + one, 0)
        .toFixed(2),
    ),
    cores: load.cores,
    client_cores: own,
    server_bytes_per_connection: load.bytes_per_connection,
    failover_ms: failoverMs ?? null,
    missed: load.checks.filter(({ kept }) => !kept).map(({ name }) => name),
    options: values,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
  };
}
