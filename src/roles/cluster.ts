import { environment } from "../config/load.ts";
import { prettyLine } from "../observe/log.ts";
import type { ClusterFlags } from "./cluster-plan.ts";
import { type LocalCluster, startLocalCluster } from "./local-cluster.ts";
import { startMemoryCluster } from "./memory-cluster.ts";
import { EXIT } from "./process.ts";

const LEVELS_QUIET = new Set(["warn", "error", "fatal"]);

/** `npm start`: a whole cluster on this machine, until Ctrl-C. Logs go to standard error. */
export async function runCluster(flags: ClusterFlags): Promise<void> {
  const env = environment();
  const say = (line: string): void => {
    process.stderr.write(`roomcluster: ${line}\n`);
  };
  const onLine = (_name: string, line: string): void => {
    if (!flags.quiet || isWorthReading(line)) process.stderr.write(shown(line));
  };
  let stopSoFar: () => Promise<void> = async () => undefined;
  stopWhenAsked(() => stopSoFar(), say);
  const inMemory = env.ROOMCLUSTER_BUS === "memory";
  if (inMemory) {
    say("all roles run in this one process, without NATS: it forgets its rooms at the end,");
    say("and no node of it can be killed.");
  }
  const start = inMemory ? startMemoryCluster : startLocalCluster;
  const cluster = await start({ flags, env, say, onLine }, (stop) => {
    stopSoFar = stop;
  });
  if (!cluster.ok) {
    say(cluster.error);
    process.exit(EXIT.failed);
  }
  process.stdout.write(announcement(cluster.value, flags));
}

/** For a person, then for a machine: the last line is `ready ` and one JSON object. */
export function announcement(cluster: Omit<LocalCluster, "stop">, flags: ClusterFlags): string {
  const { control, demo, gateways, nats, show } = cluster;
  const where = demo === null ? "by its pid" : "in the page or by its pid";
  const hint = nats === null ? "" : `Kill a node ${where}; `;
  const sizes = [
    count(flags.nodes, "node"),
    count(flags.gateways, "gateway"),
    count(flags.bots, "bot"),
  ];
  const lines = [
    "",
    ...(demo === null ? [] : [`  The plaza      ${demo}`]),
    ...(show === null ? [] : [`  The concert    ${show}`]),
    `  Control API    ${control}/v1/nodes`,
    ...gateways.map((url, i) => `  Gateway ${i + 1}      ${url}`),
    `  NATS           ${nats ?? "none: everything is in memory"}`,
    "",
    `  ${sizes.join(", ")}, in dev mode: anyone may act as anyone.`,
    `  ${hint}Ctrl-C ends all.`,
    "",
  ];
  const machine = { control, demo, gateways, nats, processes: cluster.processes() };
  return `${lines.join("\n")}\nready ${JSON.stringify(machine)}\n`;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function stopWhenAsked(stop: () => Promise<void>, say: (line: string) => void): void {
  let stopping = false;
  const stopFor = (reason: string): void => {
    // npm and others repeat what a terminal has sent to all of us already.
    if (stopping) return;
    stopping = true;
    say(`${reason}: stopping everything`);
    stop().then(() => process.exit(EXIT.stopped));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stopFor);
  // Who reads along may end first, `| head` for one, and every further line is an error then.
  for (const output of [process.stdout, process.stderr]) {
    output.on("error", () => stopFor("nobody reads the output any more"));
  }
}

/** Lines of crash reports are no JSON and are always worth reading. */
function isWorthReading(line: string): boolean {
  const level = /^\{"level":"(\w+)"/.exec(line)?.[1];
  return level === undefined ? line.trim() !== "" : LEVELS_QUIET.has(level);
}

const shown = (line: string): string =>
  process.stderr.isTTY === true ? prettyLine(`${line}\n`) : `${line}\n`;
