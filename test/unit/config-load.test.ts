import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ROOM_DEFAULTS } from "../../actors/room/room-config.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { describeConfig, loadConfig, parseFile, sourceOf } from "../../src/config/load.ts";
import type { Role } from "../../src/config/role-config.ts";
import { variableFaults } from "../../src/config/variables.ts";
import { placementDefaults } from "../../src/placement/service.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const SAMPLE = path.join(ROOT, "deploy/config.sample.json");
const ROLES: readonly Role[] = ["placement", "node", "gateway"];

const NATS = { NATS_URL: "nats://n1:4222,nats://n2:4222" };
const SECRETS = {
  ROOMCLUSTER_NATS_PLACEMENT_PASSWORD: "pPLACEMENTpassword",
  ROOMCLUSTER_NATS_SYS_PASSWORD: "pSYSpassword",
  ROOMCLUSTER_NATS_NODE_PASSWORD: "pNODEpassword",
  ROOMCLUSTER_NATS_NODE_DATA_PASSWORD: "pNODEDATApassword",
  ROOMCLUSTER_NATS_GATEWAY_PASSWORD: "pGATEWAYpassword",
  ROOMCLUSTER_NATS_GATEWAY_DATA_PASSWORD: "pGATEWAYDATApassword",
  ROOMCLUSTER_JWT_SECRET: "jwt-secret-of-thirty-two-characters!",
  ROOMCLUSTER_SESSION_SECRET: "session-secret-of-thirty-two-chars!!",
  ROOMCLUSTER_CONTROL_TOKEN: "control-token-of-an-operator",
};
const NEEDS: Readonly<Record<Role, readonly string[]>> = {
  placement: [
    "NATS_URL",
    "ROOMCLUSTER_NATS_PLACEMENT_PASSWORD",
    "ROOMCLUSTER_NATS_SYS_PASSWORD",
    "ROOMCLUSTER_CONTROL_TOKEN",
  ],
  node: ["NATS_URL", "ROOMCLUSTER_NATS_NODE_PASSWORD", "ROOMCLUSTER_NATS_NODE_DATA_PASSWORD"],
  gateway: [
    "NATS_URL",
    "ROOMCLUSTER_NATS_GATEWAY_PASSWORD",
    "ROOMCLUSTER_NATS_GATEWAY_DATA_PASSWORD",
    "ROOMCLUSTER_JWT_SECRET",
    "ROOMCLUSTER_SESSION_SECRET",
  ],
};

type Env = Record<string, string | undefined>;
const load = <R extends Role>(role: R, env: Env, file: unknown = {}, set: string[] = []) =>
  loadConfig(role, { env, file, set, version: "1.2.3" });

function problemsOf(role: Role, env: Env, file: unknown = {}, set: string[] = []) {
  const loaded = load(role, env, file, set);
  return loaded.ok ? [] : loaded.error;
}

describe("keys", () => {
  test.each(ROLES)("[CF2] %s starts with exactly its own keys", (role) => {
    const all: Env = { ...NATS, ...SECRETS };
    const own = Object.fromEntries(NEEDS[role].map((name) => [name, all[name]]));
    expect(problemsOf(role, own)).toEqual([]);
  });

  const single = ROLES.flatMap((role) => NEEDS[role].map((name) => [role, name] as const));
  test.each(single)("[CF2] %s without %s says so, and nothing else", (role, name) => {
    for (const value of [undefined, "", "  "]) {
      const problems = problemsOf(role, { ...NATS, ...SECRETS, [name]: value });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(new RegExp(`${name} (or \\w+ )?is missing: `));
    }
  });

  test.each(ROLES)("[CF2] %s without any key names all of them", (role) => {
    const problems = problemsOf(role, {});
    expect(problems).toHaveLength(NEEDS[role].length);
    for (const name of NEEDS[role]) expect(problems.join("\n")).toContain(name);
  });

  test("[CF4] a key of one character has no plural", () => {
    const problems = problemsOf("placement", {
      ROOMCLUSTER_DEV: "1",
      ROOMCLUSTER_CONTROL_TOKEN: "x",
    });
    expect(problems).toEqual([
      expect.stringContaining("ROOMCLUSTER_CONTROL_TOKEN has 1 character; "),
    ]);
  });

  test("[CF2] another value than 1 is not dev mode", () => {
    for (const value of ["0", "true", "yes", ""]) {
      expect(problemsOf("gateway", { ROOMCLUSTER_DEV: value })).not.toEqual([]);
    }
  });

  test.each([
    ["ROOMCLUSTER_DEV", "maybe", 'ROOMCLUSTER_DEV is 0 or 1, or not set, not "maybe".'],
    ["ROOMCLUSTER_BUS", "bogus", 'ROOMCLUSTER_BUS is memory, or not set, not "bogus".'],
    ["ROOMCLUSTER_DEVS", "s3cret", /^There is no variable ROOMCLUSTER_DEVS\. .*--help\.$/],
    ["ROOMCLUSTER_NATS_NODES_PASSWORD", "s3cret", /^There is no variable ROOMCLUSTER_NATS_NODES/],
  ])("[CF10] %s=%s is one sentence", (name, value, sentence) => {
    const problems = problemsOf("gateway", { ...NATS, ...SECRETS, [name]: value });
    expect(problems).toEqual([expect.stringMatching(sentence)]);
    expect(problems[0]).not.toContain("s3cret");
  });

  test("[CF10] what deploy/ and Kubernetes set, and what is empty, is nobody's mistake", () => {
    const text = ["compose.yaml", "nats/accounts.conf", "nats/common.conf", "nats/cluster.conf"]
      .map((file) => readFileSync(path.join(ROOT, "deploy", file), "utf8"))
      .join("\n");
    const named = [...text.matchAll(/\$\{?(ROOMCLUSTER_[A-Z0-9_]+)/g)].map(([, name = ""]) => name);
    expect(named.length).toBeGreaterThan(10);
    const service = [
      "SERVICE_HOST",
      "SERVICE_PORT",
      "SERVICE_PORT_WS",
      "PORT",
      "PORT_7080_TCP_ADDR",
    ];
    const names = [...named, ...service.map((end) => `ROOMCLUSTER_GATEWAY_${end}`)];
    expect(variableFaults(Object.fromEntries(names.map((name) => [name, "x"])))).toEqual([]);
    const empty = { ROOMCLUSTER_DEV: "", ROOMCLUSTER_BUS: " ", ROOMCLUSTER_ROLE_ID: undefined };
    expect(variableFaults(empty)).toEqual([]);
  });

  test("[CF2] a key set replaces the secret, and both together are an error", () => {
    const env = { ...NATS, ...SECRETS, ROOMCLUSTER_JWKS_URL: "https://id.example/jwks.json" };
    expect(problemsOf("gateway", env)).toEqual([expect.stringContaining("are both set")]);
    const loaded = load("gateway", { ...env, ROOMCLUSTER_JWT_SECRET: undefined });
    expect(loaded.ok && loaded.value.people).toEqual({ jwksUrl: "https://id.example/jwks.json" });
    const wrong = { ...env, ROOMCLUSTER_JWT_SECRET: undefined, ROOMCLUSTER_JWKS_URL: "file:///k" };
    expect(problemsOf("gateway", wrong)).toEqual(["ROOMCLUSTER_JWKS_URL is not an http(s) URL."]);
  });

  test.each(ROLES)("[CF3] %s starts in dev mode without any key", (role) => {
    const loaded = load(role, { ROOMCLUSTER_DEV: "1" });
    expect(loaded.ok && loaded.value.nats.servers).toEqual(["nats://127.0.0.1:4222"]);
    expect(loaded.ok && loaded.value.control.password).toBeUndefined();
    if (loaded.ok && loaded.value.role === "placement") {
      expect(loaded.value.sys).toBeUndefined();
      expect(loaded.value.controlToken).toBeUndefined();
    }
  });

  test("[CF3] half a set of passwords is a mistake in dev mode too", () => {
    const env = { ROOMCLUSTER_DEV: "1", ROOMCLUSTER_NATS_NODE_PASSWORD: "pNODEpassword" };
    expect(problemsOf("node", env)).toEqual([
      expect.stringContaining("ROOMCLUSTER_NATS_NODE_DATA_PASSWORD is missing"),
    ]);
  });

  test.each([
    "ROOMCLUSTER_SESSION_SECRET",
    "ROOMCLUSTER_JWT_SECRET",
    "ROOMCLUSTER_NATS_GATEWAY_PASSWORD",
  ])("[CF4] a short %s is refused, without being repeated", (name) => {
    for (const dev of [{}, { ROOMCLUSTER_DEV: "1" }]) {
      const problems = problemsOf("gateway", { ...NATS, ...SECRETS, ...dev, [name]: "shrt" });
      expect(problems).toEqual([expect.stringContaining(`${name} has 4 characters`)]);
      expect(problems[0]).not.toContain("shrt");
    }
  });

  test.each([
    "http://n1:4222",
    "n1:4222",
    "nats://user:hunter2@n1:4222",
    "nats://n1:4222,,nats://n2:4222",
  ])("[CF1] %s is no list of servers, and no password in it is repeated", (url) => {
    const problems = problemsOf("node", { ...SECRETS, NATS_URL: url });
    expect(problems).toEqual([expect.stringContaining("nats://host:port")]);
    expect(problems[0]).not.toContain("hunter2");
  });

  test("a process's name comes from the environment, else from the host", () => {
    const env = { ...NATS, ...SECRETS };
    const named = load("node", { ...env, ROOMCLUSTER_ROLE_ID: "node-7" });
    expect(named.ok && named.value.name).toBe("node-7");
    const unnamed = load("node", env);
    expect(unnamed.ok && unnamed.value.name).toMatch(/^node-[\w-]+$/);
    expect(problemsOf("node", { ...env, ROOMCLUSTER_ROLE_ID: "node.7" })).toEqual([
      expect.stringContaining("ROOMCLUSTER_ROLE_ID"),
    ]);
  });
});

describe("knobs", () => {
  const DEV = { ROOMCLUSTER_DEV: "1" };

  test.each([
    [{ colour: 1 }, "There is no knob colour."],
    [{ node: { capacty: 2 } }, "There is no knob node.capacty."],
    [{ gateway: { listen: { prot: 1 } } }, "There is no knob gateway.listen.prot."],
    [{ sessionSecret: "x" }, "There is no knob sessionSecret."],
    [{ node: { capacity: "2" } }, "node.capacity: "],
    [{ node: { capacity: -1 } }, "node.capacity: "],
    [{ http: { port: 65_536 } }, "http.port: "],
    [{ gateway: { pingMs: 1.5 } }, "gateway.pingMs: "],
    [{ gateway: { publicUrl: "https://x" } }, "gateway.publicUrl: must be a ws"],
    [{ placement: { replicas: 2 } }, "placement.replicas: "],
    [{ zone: "a b" }, "zone: must be"],
    [[], "The configuration: "],
    [null, "The configuration: "],
    ["{}", "The configuration: "],
  ])("[CF5] %j is refused: %s", (file, sentence) => {
    for (const role of ROLES) {
      expect(problemsOf(role, DEV, file)).toEqual([expect.stringContaining(sentence)]);
    }
  });

  test("[CF5] everything that is wrong is told at once", () => {
    const file = { zone: 1, node: { capacity: 0, a: 1, b: 2 } };
    expect(problemsOf("gateway", NATS, file)).toHaveLength(4 + NEEDS.gateway.length - 1);
  });

  test.each([
    [
      { gateway: { payloadBytesMax: 256 * 1024, bytesPerSecond: 64 * 1024 } },
      ["bytesPerSecond", "payloadBytesMax"],
    ],
    [{ gateway: { messagesPerSecond: 49 } }, ["messagesPerSecond", "posesPerSecond"]],
    [{ node: { seatHoldMs: 60_000, sessionKeepMs: 59_999 } }, ["sessionKeepMs", "seatHoldMs"]],
    [{ gateway: { drainMs: 20_000 } }, ["gateway.drainMs", "stopMsMax"]],
    [{ stopMsMax: 30_000 }, ["stopMsMax", "graceMs"]],
    [
      { placement: { rebalance: { roomRestMs: 59_999 } } },
      ["rebalance.windowMs", "rebalance.roomRestMs"],
    ],
  ])("[CF6] %j breaks a relation", (file, names) => {
    const problems = problemsOf("node", DEV, file);
    expect(problems).toHaveLength(1);
    for (const name of names) expect(problems[0]).toContain(name);
    expect(problems[0]).toMatch(/\(\d+\)/);
  });

  test("[CF1] --set wins over the file, and a wrong one is an error like any other", () => {
    const file = { node: { capacity: 2, pricePerHour: 3 }, zone: "a" };
    const loaded = load("node", DEV, file, ["node.capacity=4", "zone=b-1", "http.port=0"]);
    expect(loaded.ok && loaded.value.node).toMatchObject({ capacity: 4, pricePerHour: 3 });
    expect(loaded.ok && [loaded.value.zone, loaded.value.http.port]).toEqual(["b-1", 0]);
    for (const setting of ["node.capacity", "=1", "node..x=1", "node.none=1", "__proto__.x=1"]) {
      expect(problemsOf("node", DEV, {}, [setting])).toHaveLength(1);
    }
  });

  test("[CF7] the sample has every knob at its default and serves every role", () => {
    const sample = JSON.parse(readFileSync(SAMPLE, "utf8")) as unknown;
    const defaults = parseFile({}, []);
    expect(defaults.ok && defaults.value).toEqual(sample);
    for (const role of ROLES) expect(problemsOf(role, { ...NATS, ...SECRETS }, sample)).toEqual([]);
  });

  test("[CF9] a knob is not at odds with the part's own default", () => {
    const defaults = parseFile({}, []);
    if (!defaults.ok) throw new Error(defaults.error.join("\n"));
    const pairs = [
      [defaults.value.gateway, GATEWAY_DEFAULTS],
      [defaults.value.node, ROOM_DEFAULTS],
      [defaults.value.placement, { ...placementDefaults.planner, ...placementDefaults }],
      [defaults.value.placement.rebalance, placementDefaults.rebalancer],
    ] as unknown as [Record<string, unknown>, Record<string, unknown>][];
    let compared = 0;
    for (const [knobs, part] of pairs) {
      for (const [name, value] of Object.entries(knobs)) {
        if (!Object.hasOwn(part, name)) continue;
        expect([name, value]).toEqual([name, part[name]]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(15);
  });
});

test.each(ROLES)("[CF8] what is told about %s holds no secret", (role) => {
  const loaded = load(role, { ...NATS, ...SECRETS });
  if (!loaded.ok) throw new Error(loaded.error.join("\n"));
  const told = JSON.stringify(describeConfig(loaded.value));
  for (const secret of Object.values(SECRETS)) expect(told).not.toContain(secret);
  expect(told).toContain('"version":"1.2.3"');
});

test("[CF8] development keys are told as such", () => {
  const loaded = load("gateway", { ROOMCLUSTER_DEV: "1" });
  expect(loaded.ok && describeConfig(loaded.value)).toMatchObject({ people: "development key" });
});

test("[CF1] a file that is missing or no JSON is a sentence with its name", () => {
  const base = { set: [], version: "1" };
  const missing = sourceOf({ ...base, configFile: "/nonexistent/roomcluster.json" });
  expect(missing.ok || missing.error).toContain("/nonexistent/roomcluster.json cannot be read");
  const broken = sourceOf({
    ...base,
    configFile: path.join(ROOT, "tsconfig.json", "..", ".gitignore"),
  });
  expect(broken.ok || broken.error).toContain("is no JSON");
});
