import { writeFileSync } from "node:fs";
import os from "node:os";
import { toolFlags } from "../support/tool-flags.ts";
import { faultsOf, usPerUserTick, windowFigures } from "./crowd/mix.ts";
import { sumOf } from "./crowd/product.ts";
import { say } from "./crowd/progress.ts";
import { Show } from "./crowd/show.ts";
import { beNice, coresOfMachine } from "./density/cores.ts";
import { coreTime } from "./density/cpu.ts";

/**
 * How many people one gateway core serves in time: a gateway alone on a core, everything else on
 * the other, and a crowd that grows until frames come late or a core is full. README.md here says
 * what is measured.
 */
const values = toolFlags({
  /** At most. */
  users: { type: "string", default: "10000", least: 1, whole: true },
  from: { type: "string", default: "1000", least: 1, whole: true },
  step: { type: "string", default: "1000", least: 1, whole: true },
  seconds: { type: "string", default: "10", least: 0.1 },
  "warm-up": { type: "string", default: "4", least: 0 },
  /** The aim for frames, of 99 of 100. */
  "p99-ms": { type: "string", default: "25", least: 0.1 },
  processes: { type: "string", default: "2", least: 1, whole: true },
  "joins-per-second": { type: "string", default: "300", least: 1 },
  nice: { type: "string", default: "0", least: -20, whole: true },
  json: { type: "string" },
});
const [usersMax, from, step, seconds, warmUp, p99MsMax] = [
  values.users,
  values.from,
  values.step,
  values.seconds,
  values["warm-up"],
  values["p99-ms"],
].map(Number) as [number, number, number, number, number, number];
/** A core that is busier than this has nothing left, however its time is counted. */
const FULL = 0.97;

type Level = Awaited<ReturnType<typeof measure>>;
const cores = coresOfMachine();
if (!cores) say("one core, or no taskset: nothing is pinned, and the figures are worth less");
beNice(Number(values.nice));
const show = await Show.start({
  usersMax,
  gateways: 1,
  nodes: 1,
  processes: Number(values.processes),
  joinsPerSecond: Number(values["joins-per-second"]),
  cores,
  judgesTime: true,
  seed: 1,
  say,
});
const levels: Level[] = [];
let limit = `${usersMax} people were asked for`;
try {
  for (let users = from; users <= usersMax; users += step) {
    await show.grow(users);
    const reached = (await look()) && (await look());
    if (reached === undefined) continue;
    limit = reached;
    break;
  }
  await show.close();
} catch (error) {
  // What was measured before is not lost because of it.
  limit = (error as Error).message;
  say(`ended: ${limit}`);
  await show.kill();
}
const kept = levels.findLast((level) => level.kept);
const report = {
  users_per_gateway_core: kept?.users ?? null,
  aim_p99_ms: p99MsMax,
  at_that: kept ?? null,
  /** What kept it from being more. */
  limit,
  levels,
  pinned: cores ?? null,
  onlookers_first: show.crowd.onlookersFirst,
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
const { levels: _, ...short } = report;
console.log(JSON.stringify(short, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(levels.length > 0 ? 0 : 1);

/** Measures once; answers why it can not go on. A bad moment of the machine is given one more. */
async function look(): Promise<string | undefined> {
  const level = await measure();
  levels.push(level);
  say(lineOf(level));
  return limitOf(level);
}

async function measure() {
  const { cpu, crowd } = show;
  await crowd.settle(warmUp);
  cpu.since();
  const before = cores && [coreTime(cores.server), coreTime(cores.client)];
  const window = await crowd.window(seconds);
  const spent = cpu.since();
  const busy = cores &&
    before && {
      gateway: busyShare(before[0], coreTime(cores.server)),
      else: busyShare(before[1], coreTime(cores.client)),
    };
  const gateway = spent.gateway ?? 0;
  const faults = faultsOf(window, crowd.users);
  return {
    users: crowd.users,
    kept: faults.length === 0 && window.frameMs.p99 <= p99MsMax,
    gateway_cores: Number(gateway.toFixed(3)),
    gateway_us_per_user_tick: Number(usPerUserTick(gateway, window).toFixed(2)),
    server_us_per_user_tick: Number(usPerUserTick(sumOf(spent), window).toFixed(2)),
    /** Of the two cores, whoever had them. */
    cores_busy: busy ?? null,
    /** Of the gateway's core: what went to whatever else runs on this machine, or its host. */
    others_share: busy ? Number(Math.max(0, busy.gateway - gateway).toFixed(3)) : null,
    ...windowFigures(window),
    faults,
  };
}

function busyShare(
  before: ReturnType<typeof coreTime> | undefined,
  after: ReturnType<typeof coreTime>,
): number {
  const busy = after.busyMs - (before?.busyMs ?? 0);
  return Number((busy / (after.allMs - (before?.allMs ?? 0))).toFixed(3));
}

/** Why it can not go on; undefined where it can. */
function limitOf(level: Level): string | undefined {
  const { cores_busy: busy, faults, frame_ms: frame, others_share: others, users } = level;
  const at = `at ${users} people`;
  if (busy && busy.gateway >= FULL)
    return `the gateway's core was full ${at}, ${Math.round((others ?? 0) * 100)} % of it with others`;
  if (busy && busy.else >= FULL)
    return `the other core, with the clients and all else, was full ${at}`;
  if (frame.p99 > p99MsMax) return `p99 of frames was ${frame.p99} ms ${at}`;
  if (faults.length > 0) return `${faults[0]} ${at}`;
  return undefined;
}

function lineOf(level: Level): string {
  const { frame_ms: frame, pose_ms: pose, users } = level;
  return [
    `${users} people: gateway ${level.gateway_cores.toFixed(2)} cores`,
    `${level.gateway_us_per_user_tick} us a user-tick (all servers ${level.server_us_per_user_tick})`,
    `frames p50 ${frame.p50} p99 ${frame.p99} ms, poses p50 ${pose.p50} p99 ${pose.p99} ms`,
    `others on the core ${Math.round((level.others_share ?? 0) * 100)} %`,
    level.faults.length === 0 ? "nothing missed" : `FAULTS: ${level.faults.join("; ")}`,
  ].join(", ");
}
