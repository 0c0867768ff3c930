#!/usr/bin/env node
import { parseArgs } from "node:util";
import { CONTROL_TOKEN, JWT_SECRET } from "./config/keys.ts";
import { environment, loadConfig, sourceOf } from "./config/load.ts";
import type { Role } from "./config/role-config.ts";
import { variableFaults } from "./config/variables.ts";
import { HELP } from "./help.ts";
import { holdingClock } from "./kernel/clock.ts";
import { EXIT, runRole, type StartRole } from "./roles/process.ts";
import { packageVersion } from "./roles/project.ts";

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>["options"]>;

const ROLE_OPTIONS = {
  config: { type: "string" },
  set: { type: "string", multiple: true },
  // For processes that another one started and watches over.
  supervised: { type: "boolean" },
} as const satisfies Options;

const OPTIONS = {
  cluster: {
    nodes: { type: "string", default: "3" },
    gateways: { type: "string", default: "2" },
    bots: { type: "string", default: "30" },
    port: { type: "string", default: "7070" },
    quiet: { type: "boolean", default: false },
    world: { type: "string", multiple: true },
    origin: { type: "string", multiple: true },
  },
  placement: { ...ROLE_OPTIONS, page: { type: "string" } },
  node: ROLE_OPTIONS,
  gateway: ROLE_OPTIONS,
  restart: {
    control: { type: "string", multiple: true },
    role: { type: "string", multiple: true },
    drain: { type: "string" },
    wait: { type: "string", default: "60" },
    steady: { type: "string", default: "5" },
    "rooms-left": { type: "string", default: "stop" },
    token: { type: "string" },
    json: { type: "boolean", default: false },
  },
  bots: {
    gateway: { type: "string", multiple: true },
    room: { type: "string", default: "plaza" },
    bots: { type: "string", default: "20" },
    event: { type: "string" },
    audience: { type: "string", default: "20" },
    supervised: { type: "boolean" },
  },
} as const satisfies Record<string, Options>;

function fail(sentence: string): never {
  process.stderr.write(`roomcluster: ${sentence}\n`);
  process.exit(EXIT.usage);
}

/** What the command line says, or the end of this process with a sentence. */
function parse<const O extends Options>(args: readonly string[], options: O) {
  try {
    const parsed = parseArgs({
      args: negativesJoined(args),
      options: { ...options, help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
      strict: true,
      allowPositionals: false,
    });
    const asked = parsed.values as { help?: boolean; version?: boolean };
    if (asked.help === true) help();
    if (asked.version === true) showVersion();
    return parsed.values as ReturnType<typeof parseArgs<{ options: O }>>["values"];
  } catch (error) {
    return fail(`${(error as Error).message.split(/\.\s/)[0]}. See roomcluster --help.`);
  }
}

/** So that the value is what is complained about, not the way in which it was given. */
function negativesJoined(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    if (/^-\d/.test(arg) && before !== undefined && /^--[a-z\d-]+$/.test(before)) {
      joined[joined.length - 1] = `${before}=${arg}`;
    } else {
      joined.push(arg);
    }
  }
  return joined;
}

function showVersion(): never {
  process.stdout.write(`${packageVersion()}\n`);
  process.exit(EXIT.stopped);
}

function help(): never {
  process.stdout.write(HELP);
  process.exit(EXIT.stopped);
}

function whole(name: string, text: string, max: number, min = 0): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= min && value <= max) return value;
  return fail(`--${name} is a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

/** As browsers send it: a path or a slash at the end would never be equal. */
function checkedOrigin(text: string): string {
  if (URL.canParse(text) && new URL(text).origin === text) return text;
  return fail(`--origin is of the form https://host[:port], not ${JSON.stringify(text)}.`);
}

function role<R extends Role>(
  name: R,
  values: {
    config?: string | undefined;
    set?: string[] | undefined;
    supervised?: boolean | undefined;
  },
  start: StartRole<R>,
): Promise<void> {
  const version = packageVersion();
  const source = sourceOf({ configFile: values.config, set: values.set ?? [], version });
  if (!source.ok) return fail(source.error);
  const config = loadConfig(name, source.value);
  if (!config.ok) return fail(`this ${name} can not start:\n  ${config.error.join("\n  ")}`);
  return runRole(config.value, start, { supervised: values.supervised === true });
}

/** In this order: the replicas, which the command itself talks to, come last. */
const RESTARTED = ["node", "gateway", "placement"] as const;

async function restart(args: readonly string[]): Promise<void> {
  const values = parse(args, OPTIONS.restart);
  const { role: named = RESTARTED, drain, wait, steady, "rooms-left": roomsLeft, json } = values;
  const controls = values.control ?? ["http://127.0.0.1:7070"];
  // An empty variable is none.
  const token = values.token ?? (environment()[CONTROL_TOKEN.variable] || undefined);
  for (const one of named)
    if (!(RESTARTED as readonly string[]).includes(one))
      fail(`--role is node, gateway or placement, not ${JSON.stringify(one)}.`);
  for (const one of controls)
    if (!URL.canParse(one) || !/^https?:$/.test(new URL(one).protocol))
      fail(`--control is of the form http://host[:port], not ${JSON.stringify(one)}.`);
  // What fetch would say of another one shows it.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    fail("a token is of letters, digits and signs, without spaces.");
  if (roomsLeft !== "stop" && roomsLeft !== "go-on")
    return fail(`--rooms-left is stop or go-on, not ${JSON.stringify(roomsLeft)}.`);
  const options = {
    roles: RESTARTED.filter((one) => named.includes(one)),
    waitMs: 1_000 * whole("wait", wait, 3_600, 1),
    steadyMs: 1_000 * whole("steady", steady, 3_600),
    drainMs: drain === undefined ? undefined : 1_000 * whole("drain", drain, 3_600, 1),
    roomsLeft,
    json,
  } as const;
  const { controlClient } = await import("./roles/control-client.ts");
  const { runRestart } = await import("./roles/restart.ts");
  const parts = { api: controlClient(controls, token), clock: holdingClock };
  const outcome = await runRestart(options, parts);
  process.exitCode = outcome === "done" ? EXIT.stopped : EXIT[outcome];
}

async function load(args: readonly string[]): Promise<void> {
  if (args[0] === "--worker") {
    const { runWorker } = await import("./load/dense/worker.ts");
    return runWorker();
  }
  const { LOAD_HELP, LOAD_OPTIONS, readFlags } = await import("./load/dense/flags.ts");
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(LOAD_HELP);
    return;
  }
  const env = environment();
  const flags = readFlags(parse(args, LOAD_OPTIONS), {
    tokenSecret: env[JWT_SECRET.variable] || undefined,
    controlToken: env[CONTROL_TOKEN.variable] || undefined,
  });
  if (!flags.ok) return fail(flags.error);
  const { runLoad } = await import("./roles/load.ts");
  return runLoad(flags.value, args);
}

async function plan(args: readonly string[]): Promise<void> {
  const { PLAN_HELP, PLAN_OPTIONS, readPlanFlags } = await import("./plan/flags.ts");
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(PLAN_HELP);
    return;
  }
  const flags = readPlanFlags(parse(args, PLAN_OPTIONS));
  if (!flags.ok) return fail(flags.error);
  const { COEFFICIENTS } = await import("./plan/coefficients.ts");
  const { planOf } = await import("./plan/plan.ts");
  const planned = planOf(flags.value, COEFFICIENTS);
  if (!planned.ok) return fail(planned.error);
  if (flags.value.json) {
    process.stdout.write(`${JSON.stringify(planned.value, undefined, 2)}\n`);
    return;
  }
  const { planText } = await import("./plan/plan-text.ts");
  process.stdout.write(planText(planned.value));
}

/** A role tells these with everything else that is wrong; whoever asks for help gets it anyway. */
function checkVariables(words: readonly string[]): void {
  const [command = ""] = words;
  const asks = words.some((word) => ["--help", "-h", "help", "--version"].includes(word));
  if (asks || ["placement", "node", "gateway"].includes(command)) return;
  const faults = variableFaults(environment());
  if (faults.length > 0) fail(faults.join("\n  "));
}

function checkedGateway(text: string): string {
  if (URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol)) return text;
  return fail(`--gateway is of the form ws://host[:port], not ${JSON.stringify(text)}.`);
}

/** Each command loads its own parts only: a gateway has no use for the code of rooms. */
async function main([command = "", ...args]: readonly string[]): Promise<void> {
  checkVariables([command, ...args]);
  switch (command) {
    case "cluster": {
      const values = parse(args, OPTIONS.cluster);
      const { nodes, gateways, bots, port, quiet, world = [], origin = [] } = values;
      const flags = {
        nodes: whole("nodes", nodes, 64, 1),
        gateways: whole("gateways", gateways, 64, 1),
        bots: whole("bots", bots, 10_000),
        port: whole("port", port, 65_535),
        quiet,
        worlds: world,
        origins: origin.map(checkedOrigin),
      };
      const last = flags.port + flags.gateways;
      if (last > 65_535) fail(`--port ${port} leaves no port for gateway ${65_536 - flags.port}.`);
      const { runCluster } = await import("./roles/cluster.ts");
      return runCluster(flags);
    }
    case "placement": {
      const values = parse(args, OPTIONS.placement);
      const { startPlacementRole } = await import("./roles/placement.ts");
      return role("placement", values, startPlacementRole({ page: values.page }));
    }
    case "node": {
      const values = parse(args, OPTIONS.node);
      const { startNodeRole } = await import("./roles/node.ts");
      return role("node", values, startNodeRole);
    }
    case "gateway": {
      const values = parse(args, OPTIONS.gateway);
      const { startGatewayRole } = await import("./roles/gateway.ts");
      return role("gateway", values, startGatewayRole);
    }
    case "restart":
      return restart(args);
    case "load":
      return load(args);
    case "plan":
      return plan(args);
    case "bots": {
      const { gateway = [], room, event, supervised, ...given } = parse(args, OPTIONS.bots);
      if (gateway.length === 0) fail("bots need a --gateway URL to go to.");
      const bots = whole("bots", given.bots, 10_000, 1);
      const audience = whole("audience", given.audience, 10_000);
      const show = event === undefined ? undefined : { event, audience };
      const gateways = gateway.map(checkedGateway);
      const { runBots } = await import("./roles/bots.ts");
      return runBots({ gateways, room, bots, show, supervised: supervised === true });
    }
    case "--help":
    case "-h":
    case "help":
      return help();
    case "--version":
      return showVersion();
    case "":
      return fail("which command? See roomcluster --help.");
    default:
      return fail(`there is no command ${JSON.stringify(command)}. See roomcluster --help.`);
  }
}

await main(process.argv.slice(2));
