import { writeFileSync } from "node:fs";
import os from "node:os";
import { MachineLoad } from "../../src/load/cpu.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { faultsOf } from "./crowd/mix.ts";
import { sumOf } from "./crowd/product.ts";
import { say } from "./crowd/progress.ts";
import { Show } from "./crowd/show.ts";
import { beNice } from "./density/cores.ts";
import {
  type ByRole,
  flatnessOf,
  rounded,
  type Size,
  sizeFigures,
  totalCost,
} from "./scale/figures.ts";
import { scalePage } from "./scale/page.ts";

/**
 * What a person costs in a small crowd and in a large one: processor time of all servers together,
 * for each update that somebody got. README.md here says what is counted.
 */
const values = toolFlags({
  users: { type: "string", default: "1000,2000,4000,7000,10000" },
  gateways: { type: "string", default: "2", least: 1, whole: true },
  nodes: { type: "string", default: "1", least: 1, whole: true },
  seconds: { type: "string", default: "10", least: 0.1 },
  "warm-up": { type: "string", default: "5", least: 0 },
  processes: { type: "string", default: "2", least: 1, whole: true },
  "joins-per-second": { type: "string", default: "300", least: 1 },
  nice: { type: "string", default: "0", least: -20, whole: true },
  json: { type: "string" },
  html: { type: "string" },
});
const wanted = values.users.split(",").map(Number);
const [gateways, nodes, seconds, warmUp] = [
  values.gateways,
  values.nodes,
  values.seconds,
  values["warm-up"],
].map(Number) as [number, number, number, number];
const REST_S = 5;

beNice(Number(values.nice));
const show = await Show.start({
  usersMax: Math.max(...wanted),
  gateways,
  nodes,
  processes: Number(values.processes),
  joinsPerSecond: Number(values["joins-per-second"]),
  cores: undefined,
  judgesTime: true,
  seed: 1,
  say,
});
const sizes: Size[] = [];
let ended: string | null = null;
let rest: ByRole = {};
try {
  show.cpu.since();
  await show.crowd.settle(REST_S);
  rest = show.cpu.since();
  say(`nobody is in: ${sumOf(rest).toFixed(3)} cores`);
  for (const users of wanted.toSorted((a, b) => a - b)) {
    await show.grow(users);
    sizes.push(await measure());
  }
  await show.close();
} catch (error) {
  // What was measured before is not lost because of it.
  ended = (error as Error).message;
  say(`ended: ${ended}`);
  await show.kill();
}
const report = {
  sizes: sizes.map(sizeFigures),
  ...flatnessOf(sizes),
  cores_at_rest: Number(sumOf(rest).toFixed(3)),
  rest_by_role: rounded(rest, 3),
  ended,
  gateways,
  nodes,
  seconds,
  onlookers_first: show.crowd.onlookersFirst,
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
};
console.log(JSON.stringify(report, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
if (values.html) writeFileSync(values.html, scalePage(sizes, report));
process.exit(ended === null ? 0 : 1);

async function measure(): Promise<Size> {
  const { cpu, crowd } = show;
  await crowd.settle(warmUp);
  cpu.since();
  const machine = new MachineLoad();
  const window = await crowd.window(seconds);
  const cores = cpu.since();
  const size: Size = {
    users: crowd.users,
    framesPerS: window.frames / window.seconds,
    cores,
    frameMs: window.frameMs,
    clientCores: window.clientCores,
    machineBusy: machine.since(),
    faults: faultsOf(window, crowd.users),
  };
  const parts = Object.entries(cores).map(([role, busy]) => `${role} ${busy.toFixed(2)}`);
  say(
    [
      `${size.users} people: ${totalCost(size).toFixed(1)} us a user-tick`,
      `cores ${parts.join(" ")}, machine ${Math.round(size.machineBusy * 100)} % busy`,
      `p99 ${size.frameMs.p99.toFixed(1)} ms`,
      size.faults.length === 0 ? "nothing missed" : `DOES NOT COUNT: ${size.faults.join("; ")}`,
    ].join(", "),
  );
  return size;
}
