import { CONTROL_TOKEN, JWKS_URL, JWT_SECRET, natsPassword, SESSION_SECRET } from "./keys.ts";
import type { NatsUser } from "./role-config.ts";

/** Those that are one of a few words. An empty one is none. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  ROOMCLUSTER_BUS: ["memory"],
  ROOMCLUSTER_DEV: ["0", "1"],
  ROOMCLUSTER_TEST_WITHOUT_NATS: ["0", "1"],
};

const USERS: Readonly<Record<NatsUser, true>> = {
  placement: true,
  node: true,
  gateway: true,
  "node-data": true,
  "gateway-data": true,
  sys: true,
};

/** What roles read, and what deploy/ has for itself and may share one file with them. */
const NAMES: readonly string[] = [
  ...Object.keys(WORDS),
  ...[JWT_SECRET, SESSION_SECRET, CONTROL_TOKEN].map(({ variable }) => variable),
  ...Object.keys(USERS).map((user) => natsPassword(user as NatsUser).variable),
  JWKS_URL,
  "ROOMCLUSTER_ROLE_ID",
  // deploy/compose.yaml
  "ROOMCLUSTER_TAG",
  "ROOMCLUSTER_ORIGINS",
  "ROOMCLUSTER_GATEWAY_1_URL",
  "ROOMCLUSTER_GATEWAY_2_URL",
  // deploy/nats/common.conf and cluster.conf
  "ROOMCLUSTER_NATS_LISTEN",
  "ROOMCLUSTER_NATS_HTTP",
  "ROOMCLUSTER_NATS_STORE_DIR",
  "ROOMCLUSTER_NATS_FILE_STORE_MAX",
  "ROOMCLUSTER_NATS_SYNC_INTERVAL",
  "ROOMCLUSTER_NATS_CLUSTER_LISTEN",
  "ROOMCLUSTER_NATS_ROUTE_PASSWORD",
  "ROOMCLUSTER_NATS_ROUTE_1",
  "ROOMCLUSTER_NATS_ROUTE_2",
  "ROOMCLUSTER_NATS_ROUTE_3",
];

/** Kubernetes gives a pod these of every service of its namespace, `roomcluster-gateway` say. */
const OF_A_SERVICE = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$/;

/** What is wrong with variables of ours in an environment, a sentence each. */
export function variableFaults(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, text = ""]) => {
    if (!name.startsWith("ROOMCLUSTER_")) return [];
    const words = WORDS[name];
    const value = text.trim();
    if (words && value !== "" && !words.includes(value))
      return [`${name} is ${words.join(" or ")}, or not set, not ${JSON.stringify(value)}.`];
    if (NAMES.includes(name) || OF_A_SERVICE.test(name)) return [];
    return [`There is no variable ${name}. Those that there are: roomcluster --help.`];
  });
}
