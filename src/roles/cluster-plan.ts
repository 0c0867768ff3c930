import { JWT_SECRET, natsPassword, SESSION_SECRET } from "../config/keys.ts";
import type { Environment } from "../config/load.ts";
import type { NatsUser } from "../config/role-config.ts";
import { type Random, randomHex } from "../kernel/random.ts";
import type { ChildSpec } from "./children.ts";
import type { ClusterPorts } from "./ports.ts";
import { worldModules } from "./worlds.ts";

/** What the command line asks of a cluster on this machine. */
export interface ClusterFlags {
  readonly nodes: number;
  readonly gateways: number;
  /** In the demo room. */
  readonly bots: number;
  /** Of the control API; gateways have the next ones. 0: all are free ones. */
  readonly port: number;
  readonly quiet: boolean;
  /** Modules of worlds beside the demo's. */
  readonly worlds: readonly string[];
  /** Origins of web pages that may connect, beside the demo page's. */
  readonly origins: readonly string[];
}

/** Tenant and room of the demo; dev tokens are for this tenant unless they are asked otherwise. */
export const DEMO_TENANT = "demo";
export const DEMO_ROOM = "plaza";
export const DEMO_WORLD = "plaza";
/** The demo's event, in the same tenant. */
export const DEMO_EVENT = "show";
export const DEMO_EVENT_WORLD = "concert";
/** Bots that are at the event beside those in the room: as many again, and no more than this. */
const AUDIENCE_MAX = 20;
export const audienceOf = (bots: number): number => Math.min(bots, AUDIENCE_MAX);

const PLACEMENTS = 2;

const USERS: Readonly<Record<"placement" | "node" | "gateway", readonly NatsUser[]>> = {
  placement: ["placement", "sys"],
  node: ["node", "node-data"],
  gateway: ["gateway", "gateway-data"],
};

export interface ClusterPlan {
  readonly flags: ClusterFlags;
  readonly ports: ClusterPorts;
  /** Where NATS is, and its passwords where it has any. */
  readonly nats: Environment;
  /** Folder of the demo page; undefined where there is none. */
  readonly page: string | undefined;
  /** What this process was given. */
  readonly env: Environment;
}

/** Every process of the cluster but the NATS server and the bots, in the order they are started. */
export function planRoles(plan: ClusterPlan, random: Random): ChildSpec[] {
  const { flags, ports, page, env } = plan;
  const secrets = {
    ...fresh(env, JWT_SECRET.variable, random),
    ...fresh(env, SESSION_SECRET.variable, random),
  };
  const worlds = worldModules(flags.worlds);
  const hosted = worlds && ["--set", `node.worlds=${JSON.stringify(worlds)}`];
  const origins = JSON.stringify([...pageOrigins(ports.control), ...flags.origins]);
  const servers = (plan.nats.NATS_URL ?? "").split(",").length;
  const level = flags.quiet ? "warn" : "info";
  const common = ["--supervised", "--set", `log.level=${level}`, "--set", "stopMsMax=3000"];
  // Ctrl-C ends everything at once: there is nowhere to move to.
  const draining = ["--set", "gateway.drainMs=1000", "--set", "node.drainMs=0"];
  const times = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const spec = (role: keyof typeof USERS, i: number, args: string[], extra: Environment = {}) => ({
    role,
    name: `${role}-${i + 1}`,
    args: [role, ...common, ...draining, ...args],
    env: { ...roleEnv(plan, role, `${role}-${i + 1}`), ...extra },
  });
  return [
    ...times(PLACEMENTS, (i) =>
      spec("placement", i, [
        ...(page === undefined ? [] : ["--page", page]),
        ...["--set", `placement.replicas=${servers < 3 ? 1 : 3}`],
        // The first one is what the demo page and the operator talk to.
        ...["--set", `http.port=${i === 0 ? ports.control : 0}`],
      ]),
    ),
    ...times(flags.nodes, (i) => spec("node", i, ["--set", "http.port=0", ...(hosted ?? [])])),
    ...times(flags.gateways, (i) =>
      spec(
        "gateway",
        i,
        [
          ...["--set", "http.port=0", "--set", `gateway.listen.port=${ports.gateways[i]}`],
          ...["--set", `gateway.origins=${origins}`],
        ],
        secrets,
      ),
    ),
  ];
}

export const pageOrigins = (port: number): string[] => [
  `http://127.0.0.1:${port}`,
  `http://localhost:${port}`,
];

/** A process gets the keys of its own role and no others. */
function roleEnv(
  plan: ClusterPlan,
  role: keyof typeof USERS,
  name: string,
): Record<string, string | undefined> {
  const foreign = (variable: string) => variable.startsWith("ROOMCLUSTER_");
  const inherited = Object.entries(plan.env).filter(([variable]) => !foreign(variable));
  const passwords = USERS[role].map((user) => natsPassword(user).variable);
  const kept = role === "placement" ? ["ROOMCLUSTER_CONTROL_TOKEN"] : [];
  return {
    ...Object.fromEntries(inherited),
    ...Object.fromEntries(passwords.map((variable) => [variable, plan.nats[variable]])),
    ...Object.fromEntries(kept.map((variable) => [variable, plan.env[variable]])),
    NATS_URL: plan.nats.NATS_URL,
    ROOMCLUSTER_DEV: "1",
    ROOMCLUSTER_ROLE_ID: name,
  };
}

/** One of this run, unless the operator gave one: gateways of one cluster must agree. */
const fresh = (env: Environment, variable: string, random: Random) => ({
  [variable]: env[variable] ?? randomHex(random, 32),
});
