import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildProduct } from "../support/built-product.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { parseKinds } from "./plan.ts";
import { failuresOf, reportOf, tableOf } from "./report.ts";
import { htmlOf } from "./report-html.ts";
import { latencyPoints } from "./report-timeline.ts";
import { Chaos } from "./run.ts";

const HELP = `npm run chaos -- [options]: faults on a real cluster under load, and what people notice

  --minutes M     how long faults are fired                     (default 10)
  --seed N        which faults, in which order, and the bots'   (default: drawn, and printed)
  --bots N        people                                        (default 300)
  --rooms N                                                     (default 30)
  --nodes N                                                     (default 6)
  --kinds A,B,…   only these kinds of faults
  --say MS        mean time between one person's commands       (default 3000)
  --json FILE     the report, with every fault
  --html FILE     the same as a page with a timeline
  --logs FOLDER   what every process said

Everything runs on this machine, on 127.0.0.1 and, where network namespaces may be made, in those.
`;

const values = toolFlags({
  minutes: { type: "string", default: "10", least: 0.01 },
  seed: { type: "string", least: 0, whole: true },
  bots: { type: "string", default: "300", least: 1, whole: true },
  rooms: { type: "string", default: "30", least: 1, whole: true },
  nodes: { type: "string", default: "6", least: 1, whole: true },
  kinds: { type: "string" },
  say: { type: "string", default: "3000", least: 1, whole: true },
  json: { type: "string" },
  html: { type: "string" },
  logs: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const say = (line: string): void => console.error(line);
const kinds = values.kinds === undefined ? undefined : parseKinds(values.kinds);
if (kinds && "unknown" in kinds) fail(`there is no kind of fault called ${kinds.unknown}`);
const numbers = [values.minutes, values.bots, values.rooms, values.nodes, values.say].map(Number);
if (numbers.some((value) => !(value > 0))) fail("every number must be above 0");
const [minutes, bots, rooms, nodes, sayMs] = numbers as [number, number, number, number, number];
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed);
if (!Number.isInteger(seed)) fail("--seed is a whole number");
const shape = { nats: 3, placements: 2, nodes, gateways: 2, rooms } as const;

say(`seed ${seed}: npm run chaos -- --minutes ${minutes} --seed ${seed} repeats these faults`);
let chaos: Chaos | undefined;
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    // All that was started ends with this process, by its `exit` listeners.
    if (interrupted || chaos === undefined) process.exit(130);
    interrupted = true;
    say("ending everything; once more to do without waiting");
    void chaos.close().finally(() => process.exit(130));
  });
chaos = await Chaos.open({
  seed,
  runMs: minutes * 60_000,
  fleet: { ...shape, built: buildProduct(), ...(values.logs ? keepLogs(values.logs) : {}) },
  bots,
  botProcesses: 2,
  sayMs,
  say,
  ...(kinds ? { kinds } : {}),
});
const result = await chaos.run().catch(async (error: Error) => {
  say(`the run itself failed: ${error.message}`);
  await chaos?.close();
  return process.exit(1);
});
const command = `npm run chaos -- ${process.argv.slice(2).join(" ")}`.trim();
const report = reportOf(result, { seed, command, minutes, ...shape, bots });
say("");
console.log(tableOf(report));
if (values.json) write(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
if (values.html) {
  const latency = latencyPoints(result.commands, result.startMs, result.tookMs);
  write(values.html, htmlOf({ report, latency }));
}
await chaos.close();
const failures = failuresOf(report);
for (const failure of failures) say(`FAILED: ${failure}`);
process.exit(failures.length === 0 ? 0 : 1);

function keepLogs(folder: string) {
  mkdirSync(folder, { recursive: true });
  return {
    onOutput: (name: string, text: string): void =>
      appendFileSync(path.join(folder, `${name}.log`), text),
  };
}

function write(file: string, text: string): void {
  writeFileSync(file, text);
  say(`wrote ${path.resolve(file)}`);
}

function fail(sentence: string): never {
  say(`chaos: ${sentence}. See --help.`);
  process.exit(2);
}
