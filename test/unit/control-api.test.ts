import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlHandler, type DevTools } from "../../src/control/api.ts";
import { killLocalNode } from "../../src/control/kill.ts";
import type { ControlPort, NodeView } from "../../src/control/port.ts";
import { readStaticFiles } from "../../src/control/static-files.ts";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { holdingClock } from "../../src/kernel/clock.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { processId, type RoomId, worldName } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { healthHandler } from "../../src/observe/health.ts";
import { HTTP_LIMITS, listenHttp } from "../../src/observe/http.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { silentObserver } from "../../src/observe/observer.ts";

const TOKEN = "a-control-token-of-an-operator";
const NODE: NodeView = {
  id: "node-1.0123456789abcdef",
  name: "node-1",
  state: "alive",
  rooms: 1,
  sessions: 2,
  load: 0.25,
  capacity: 1,
  arch: "x64",
  zone: "z",
  version: "0.1.0",
  pricePerHour: 0.08,
  pid: 999_999_999,
  host: "elsewhere",
  draining: false,
};

/** A small but true cluster: rooms really are created and closed. */
function memoryCluster(nodes: readonly NodeView[] = [NODE]) {
  const rooms = new Map<RoomId, IndexEntry>();
  const state = { down: false };
  const entryOf = (room: RoomId, world: string): IndexEntry => ({
    room,
    world: worldName(world),
    status: "wanted",
    epoch: EPOCH_NONE,
    owner: undefined,
    crashedOn: [],
    immovable: false,
    changedAtMs: 1,
  });
  const port: ControlPort = {
    view: () => ({
      nodes,
      gateways: [
        {
          id: "gw-1.0123456789abcdef",
          name: "gw-1",
          url: "wss://live.example:8443",
          sessions: 0,
          sessionsMax: 10,
          draining: false,
          zone: "z",
          version: "0.1.0",
          host: "h",
          pid: 2,
        },
      ],
      placements: [],
    }),
    rooms: () => [...rooms.values()],
    room: async (room) => (state.down ? err("unavailable") : ok(rooms.get(room))),
    createRoom: async (room, world, immovable) => {
      if (state.down) return err("contended");
      const known = rooms.get(room);
      if (known !== undefined) return ok({ created: false, entry: known });
      const entry = { ...entryOf(room, world), immovable };
      rooms.set(room, entry);
      return ok({ created: true, entry });
    },
    drainNode: (name) => {
      const node = nodes.find((one) => one.name === name);
      return node && processId(node.id);
    },
    drainGateway: (name) => (name === "gw-1" ? processId("gw-1.0123456789abcdef") : undefined),
    closeRoom: async (room) => {
      const known = rooms.get(room);
      if (known !== undefined) rooms.set(room, { ...known, status: "closed" });
      return ok(rooms.get(room));
    },
  };
  return { port, rooms, state };
}

interface Served {
  readonly url: string;
  readonly cluster: ReturnType<typeof memoryCluster>;
  close(): Promise<void>;
}

async function serve(options: {
  readonly token?: string;
  readonly devTools?: DevTools;
  readonly nodes?: readonly NodeView[];
  readonly port?: Partial<ControlPort>;
}): Promise<Served> {
  const cluster = memoryCluster(options.nodes);
  const metrics = createMetrics({ processMetrics: false });
  const server = await listenHttp({
    host: "127.0.0.1",
    port: 0,
    observer: { ...silentObserver, metrics },
    clock: holdingClock,
    handle: controlHandler({
      port: { ...cluster.port, ...options.port },
      access: { token: options.token, dev: options.devTools !== undefined },
      health: healthHandler({ notReady: () => ["the bus"] }, metrics),
      devTools: options.devTools,
    }),
  });
  if (!server.ok) throw new Error(server.error);
  const { port, close } = server.value;
  return { url: `http://127.0.0.1:${port}`, cluster, close };
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly body: unknown;
}

/** Not fetch: it would tidy up the path and the Host header before anything is sent. */
function ask(
  served: Served,
  method: string,
  target: string,
  given: {
    readonly token?: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(served.url, {
      method,
      path: target,
      headers: {
        ...(given.token === undefined ? {} : { authorization: `Bearer ${given.token}` }),
        ...(given.body === undefined ? {} : { "content-type": "application/json" }),
        ...given.headers,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const isJson = response.headers["content-type"]?.startsWith("application/json");
        const body = isJson && text !== "" ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body });
      });
    });
    request.end(given.body);
  });
}

const codeOf = (answer: Answer): string | undefined =>
  (answer.body as { error?: { code: string } } | undefined)?.error?.code;

describe("an operator with a token", () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve({ token: TOKEN });
    await ask(served, "POST", "/v1/rooms", {
      token: TOKEN,
      body: '{"room":"t/first","world":"plaza"}',
    });
  });
  afterAll(() => served.close());

  test.each([
    ["no token", {}],
    ["another token", { token: `${TOKEN}x` }],
    ["a prefix of it", { token: TOKEN.slice(0, -1) }],
    ["an empty token", { headers: { authorization: "Bearer " } }],
    ["another scheme", { headers: { authorization: `Basic ${TOKEN}` } }],
  ])("[CO1] %s is refused", async (_, given) => {
    for (const target of ["/v1/nodes", "/v1/rooms", "/v1/no/such/route"]) {
      const answer = await ask(served, "GET", target, given);
      expect([answer.status, codeOf(answer)]).toEqual([401, "unauthorized"]);
      expect(answer.headers["www-authenticate"]).toContain("Bearer");
    }
  });

  test.each([
    ["GET", "/v1/nodes", undefined, 200, undefined],
    ["HEAD", "/v1/nodes", undefined, 200, undefined],
    ["GET", "/v1/rooms", undefined, 200, undefined],
    ["GET", "/v1/rooms?limit=1", undefined, 200, undefined],
    ["GET", "/v1/rooms?limit=0", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=1001", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?after=nothing", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?color=red", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?__proto__=1", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=0x10", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=1e2", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=1.5", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=9007199254740993", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?limit=1&limit=2", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?after=t%2Ffirst", undefined, 200, undefined],
    ["GET", "/v1/rooms?after=t/a%00", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms?%", undefined, 400, "invalid_query"],
    ["GET", "/v1/rooms/t/first", undefined, 200, undefined],
    ["GET", "/v1/rooms/t/none", undefined, 404, "room_unknown"],
    ["GET", `/v1/rooms/t/${"x".repeat(65)}`, undefined, 404, "room_unknown"],
    ["DELETE", "/v1/rooms/t/none", undefined, 404, "room_unknown"],
    ["PUT", "/v1/rooms", undefined, 405, "method_not_allowed"],
    ["POST", "/v1/nodes", undefined, 405, "method_not_allowed"],
    ["POST", "/v1/rooms/t/first", undefined, 405, "method_not_allowed"],
    ["GET", "/v1/rooms/t/a/b", undefined, 404, "not_found"],
    ["GET", "/v1/rooms/", undefined, 404, "not_found"],
    ["GET", "/v1/rooms/t/%2e%2e", undefined, 404, "not_found"],
    ["GET", "/v1/rooms/t/f%69rst", undefined, 404, "not_found"],
    ["GET", "/v1/rooms/t/first/", undefined, 404, "not_found"],
    ["GET", "/v1/rooms//t/first", undefined, 404, "not_found"],
    ["GET", "/v1//rooms", undefined, 404, "not_found"],
    ["GET", "//v1/rooms", undefined, 404, "not_found"],
    ["POST", "/v1/nodes/nobody/drain", undefined, 404, "node_unknown"],
    ["GET", "/v1/nodes/node-1/drain", undefined, 405, "method_not_allowed"],
    ["POST", "/v1/gateways/node-1/drain", undefined, 404, "gateway_unknown"],
    ["OPTIONS", "/v1/rooms", undefined, 405, "method_not_allowed"],
    ["TRACE", "/v1/nodes", undefined, 405, "method_not_allowed"],
    ["GET", "/v1/toString", undefined, 404, "not_found"],
    ["GET", "/", undefined, 404, "not_found"],
    ["GET", "/nothing", undefined, 404, "not_found"],
    ["POST", "/v1/rooms", "", 400, "invalid_body"],
    ["POST", "/v1/rooms", "{", 400, "invalid_body"],
    ["POST", "/v1/rooms", "null", 400, "invalid_body"],
    ["POST", "/v1/rooms", "[]", 400, "invalid_body"],
    ["POST", "/v1/rooms", "1e999", 400, "invalid_body"],
    ["POST", "/v1/rooms", '"t/a"', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":1e308,"world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":["t/a"],"world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"т/а","world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/\\ud800","world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/a\\n","world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/a/b","world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"__proto__":{"room":"t/a"},"world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t\\u002ffirst","world":"plaza"}', 200, undefined],
    ["POST", "/v1/rooms", '{"room":"t/a"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"a","world":"plaza"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/a","world":"a.b"}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/a","world":"plaza","x":1}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/b","world":"plaza","immovable":1}', 400, "invalid_body"],
    ["POST", "/v1/rooms", '{"room":"t/first","world":"other"}', 409, "room_exists"],
    ["POST", "/v1/rooms", '{"room":"t/first","world":"plaza"}', 200, undefined],
    ["POST", "/v1/rooms", '{"room":"t/second","world":"plaza"}', 201, undefined],
  ])("[CO5][CO6] %s %s %s answers %i %s", async (method, target, body, status, code) => {
    const given = body === undefined ? { token: TOKEN } : { token: TOKEN, body };
    const answer = await ask(served, method, target, given);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    if (status === 405) expect(answer.headers.allow).toMatch(/[A-Z]/);
    if (method === "HEAD") expect(answer.text).toBe("");
  });

  test.each([
    ['{"room":"t/a","world":"a.b"}', "world: must be 1 to 64 letters, digits, - and _"],
    ['{"room":"a","world":"a"}', "room: must be tenant/name, each of letters, digits, - and _"],
    ["null", "must be an object of room, world and immovable"],
    ["[]", "must be an object of room, world and immovable"],
    ['{"room":"t/a","world":"a","x":1}', 'unknown key "x", known are room and world and immovable'],
    [
      `{"room":"t/a","world":"a","${"k".repeat(9_000)}":1}`,
      `unknown key "${"k".repeat(40)}", known are room and world and immovable`,
    ],
  ])("[CO6] the message for %s says what is wrong", async (body, message) => {
    const answer = await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
    expect(answer.body).toEqual({ error: { code: "invalid_body", message } });
  });

  test.each([
    ["limit=ten", "limit: must be a whole number from 1 to 1000"],
    ["limit=0", "limit: must be a whole number from 1 to 1000"],
    ["limit=1001", "limit: must be a whole number from 1 to 1000"],
    ["limit=1&limit=2", "every key stands once"],
    ["color=red", 'unknown key "color", known are limit and after'],
  ])("[CO9] the message for ?%s says what is wrong", async (query, message) => {
    const answer = await ask(served, "GET", `/v1/rooms?${query}`, { token: TOKEN });
    expect(answer.body).toEqual({ error: { code: "invalid_query", message } });
  });

  test("[CO6] a body may have 16 KiB and not one byte more", async () => {
    const padded = (bytes: number) => '{"room":"t/pad","world":"plaza"}'.padEnd(bytes);
    const limit = HTTP_LIMITS.bodyBytesMax;
    const most = { token: TOKEN, body: padded(limit) };
    expect((await ask(served, "POST", "/v1/rooms", most)).status).toBe(201);
    for (const bytes of [limit + 1, limit * 20]) {
      const answer = await ask(served, "POST", "/v1/rooms", { token: TOKEN, body: padded(bytes) });
      expect([answer.status, codeOf(answer)]).toEqual([413, "too_large"]);
    }
  });

  test.each([
    ["text/plain", 415],
    ["", 415],
    ["application/jsonx", 415],
    ["application/json-seq", 415],
    ["application/merge-patch+json", 415],
    ["application/json, text/plain", 415],
    ["application/json; charset=utf-16", 415],
    ["APPLICATION/JSON;charset=UTF-8", 201],
    ['application/json ; charset="utf-8"', 200],
  ])("[CO6] a body must say that it is JSON: %s answers %i", async (type, status) => {
    const answer = await ask(served, "POST", "/v1/rooms", {
      token: TOKEN,
      body: '{"room":"t/form","world":"plaza"}',
      headers: { "content-type": type },
    });
    expect([answer.status, codeOf(answer)]).toEqual([
      status,
      status === 415 ? "unsupported_media_type" : undefined,
    ]);
  });

  test("[CO6] a body that says it is packed is not read as if it were not", async () => {
    const answer = await ask(served, "POST", "/v1/rooms", {
      token: TOKEN,
      body: '{"room":"t/packed","world":"plaza"}',
      headers: { "content-encoding": "gzip" },
    });
    expect(answer.status).toBe(415);
  });

  test("[CO8] nodes, gateways and placements are listed", async () => {
    const { body } = await ask(served, "GET", "/v1/nodes", { token: TOKEN });
    expect(body).toMatchObject(served.cluster.port.view());
  });

  test("[CO9] pages hold every room once, in order", async () => {
    for (let i = 0; i < 7; i += 1) {
      const body = JSON.stringify({ room: `page/r${i}`, world: "plaza" });
      await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
    }
    const seen: string[] = [];
    let after = "";
    for (let pages = 0; pages < 20; pages += 1) {
      const answer = await ask(served, "GET", `/v1/rooms?limit=2${after}`, { token: TOKEN });
      const page = answer.body as { rooms: { room: string }[]; next: string | null };
      expect(page.rooms.length).toBeLessThanOrEqual(2);
      seen.push(...page.rooms.map((one) => one.room));
      if (page.next === null) break;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
    expect(seen).toEqual([...served.cluster.rooms.keys()].sort());
  });

  test("[CO10][CO12] a closed room stays listed and is not created again", async () => {
    const body = '{"room":"t/over","world":"plaza"}';
    await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(served, "DELETE", "/v1/rooms/t/over", { token: TOKEN });
      expect(answer.body).toMatchObject({ room: "t/over", status: "closed", owner: null });
    }
    const again = await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
    expect([again.status, codeOf(again)]).toEqual([409, "room_closed"]);
    const read = await ask(served, "GET", "/v1/rooms/t/over", { token: TOKEN });
    expect(read.body).toMatchObject({ status: "closed", epoch: 0, changedAtMs: 1 });
  });

  test("[CO11] two creations at once make one room", async () => {
    const body = '{"room":"t/twice","world":"plaza"}';
    const answers = await Promise.all(
      [1, 2, 3].map(() => ask(served, "POST", "/v1/rooms", { token: TOKEN, body })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 201]);
  });

  test("[CO13] a store that does not answer is a 503 that says when to ask again", async () => {
    served.cluster.state.down = true;
    try {
      const one = await ask(served, "GET", "/v1/rooms/t/first", { token: TOKEN });
      const body = '{"room":"t/late","world":"plaza"}';
      const made = await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
      expect([one, made].map((answer) => [answer.status, codeOf(answer)])).toEqual([
        [503, "unavailable"],
        [503, "contended"],
      ]);
      expect(made.headers["retry-after"]).toBe("1");
    } finally {
      served.cluster.state.down = false;
    }
  });

  test("[CO14][CO15] nothing of dev mode is there", async () => {
    const kill = await ask(served, "POST", "/v1/nodes/node-1/kill", { token: TOKEN });
    expect([kill.status, codeOf(kill)]).toEqual([404, "not_found"]);
    expect((await ask(served, "GET", "/demo/config.json", { token: TOKEN })).status).toBe(404);
  });

  test("[CO4] health, readiness and metrics need no token", async () => {
    expect((await ask(served, "GET", "/healthz")).status).toBe(200);
    const ready = await ask(served, "GET", "/readyz");
    expect([ready.status, ready.body]).toEqual([503, { ready: false, waitingFor: ["the bus"] }]);
    const metrics = await ask(served, "GET", "/metrics");
    expect(metrics.text).toMatch(/roomcluster_http_requests_total\{status="401"\} \d+/);
    expect((await ask(served, "POST", "/metrics")).status).toBe(405);
  });
});

test("[CO2] without a token and outside dev mode nobody gets in, loopback or not", async () => {
  const served = await serve({});
  const answer = await ask(served, "GET", "/v1/nodes");
  expect(answer.status).toBe(401);
  await served.close();
});

test("[CO7] a bug answers 500 and the server goes on", async () => {
  const view = (): never => {
    throw new Error("planted");
  };
  const served = await serve({ token: TOKEN, port: { view } });
  const answer = await ask(served, "GET", "/v1/nodes", { token: TOKEN });
  expect([answer.status, codeOf(answer)]).toEqual([500, "internal"]);
  expect(answer.text).not.toContain("planted");
  expect((await ask(served, "GET", "/v1/rooms", { token: TOKEN })).status).toBe(200);
  await served.close();
});

describe("dev mode", () => {
  let folder: string;
  let served: Served;
  const killed: string[] = [];
  const toolsFor = async (): Promise<DevTools> => ({
    kill: (node) => {
      killed.push(node.id);
      return node.host === "here" ? "killed" : "not_here";
    },
    files: await readStaticFiles(path.join(folder, "web")),
    demoRoom: "plaza",
    tokenUrl: () => "http://127.0.0.1:7071/dev/token",
  });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "roomcluster-control-"));
    await mkdir(path.join(folder, "web", "assets"), { recursive: true });
    await writeFile(path.join(folder, "secret.txt"), "outside of the page");
    await writeFile(path.join(folder, "web", "index.html"), "<title>plaza</title>");
    await writeFile(path.join(folder, "web", "app-4F2K9QXZ.js"), "1");
    await writeFile(path.join(folder, "web", "assets", "style.css"), "body{}");
    await writeFile(path.join(folder, "web", "notes.private"), "of no kind that is served");
    const nodes: NodeView[] = [
      NODE,
      { ...NODE, id: "near.0123456789abcdef", name: "near", host: "here" },
      { ...NODE, id: "gone.0123456789abcdef", name: "gone", host: "here", state: "dead" },
    ];
    served = await serve({ devTools: await toolsFor(), nodes });
  });
  afterAll(async () => {
    await served.close();
    await rm(folder, { recursive: true });
  });

  test("[CO2] loopback is open", async () => {
    expect((await ask(served, "GET", "/v1/nodes")).status).toBe(200);
  });

  test.each([
    ["a name that resolves here", { host: "evil.example" }, 403],
    ["another site's page", { host: "localhost:7070", origin: "http://evil.example" }, 403],
    ["another port's page", { host: "localhost:7070", origin: "http://localhost:1" }, 403],
    ["a sandboxed page", { host: "localhost:7070", origin: "null" }, 403],
    ["a name that only begins so", { host: "localhost.evil.example" }, 403],
    ["the demo page", { host: "localhost:7070", origin: "http://localhost:7070" }, 200],
    ["IPv6 loopback", { host: "[::1]:7070" }, 200],
  ])("[CO3] %s", async (_, headers, status) => {
    expect((await ask(served, "GET", "/v1/nodes", { headers })).status).toBe(status);
  });

  test("[CO2] a token that is set counts in dev mode too", async () => {
    const closed = await serve({ token: TOKEN, devTools: await toolsFor() });
    expect((await ask(closed, "GET", "/v1/nodes")).status).toBe(401);
    expect((await ask(closed, "GET", "/v1/nodes", { token: TOKEN })).status).toBe(200);
    await closed.close();
  });

  test("[CO23] asks a gateway to drain", async () => {
    const served = await serve({ token: TOKEN });
    const answer = await ask(served, "POST", "/v1/gateways/gw-1/drain", { token: TOKEN });
    expect([answer.status, answer.body]).toEqual([202, { draining: "gw-1.0123456789abcdef" }]);
    await served.close();
  });

  test("[CO21] asks a node to drain", async () => {
    const served = await serve({ token: TOKEN });
    const answer = await ask(served, "POST", "/v1/nodes/node-1/drain", { token: TOKEN });
    expect([answer.status, answer.body]).toEqual([202, { draining: NODE.id, deadlineMs: 60_000 }]);
    await served.close();
  });

  test("[CO14] kills a live node of this host and no other", async () => {
    const near = await ask(served, "POST", "/v1/nodes/near/kill");
    expect([near.status, near.body]).toEqual([
      202,
      { killed: "near.0123456789abcdef", pid: NODE.pid },
    ]);
    const far = await ask(served, "POST", "/v1/nodes/node-1/kill");
    expect([far.status, codeOf(far)]).toEqual([409, "not_here"]);
    for (const name of ["gone", "nobody"]) {
      const answer = await ask(served, "POST", `/v1/nodes/${name}/kill`);
      expect([answer.status, codeOf(answer)]).toEqual([404, "node_unknown"]);
    }
    expect((await ask(served, "GET", "/v1/nodes/near/kill")).status).toBe(405);
    expect(killed).toEqual(["near.0123456789abcdef", NODE.id]);
  });

  test("[CO15] the page and its configuration", async () => {
    const page = await ask(served, "GET", "/");
    expect([page.status, page.text]).toEqual([200, "<title>plaza</title>"]);
    const configuration = await ask(served, "GET", "/demo/config.json");
    expect(configuration.body).toEqual({
      gateways: ["wss://live.example:8443"],
      tokenUrl: "http://127.0.0.1:7071/dev/token",
      room: "plaza",
      dev: true,
    });
    expect((await ask(served, "POST", "/")).status).toBe(405);
    expect((await ask(served, "HEAD", "/demo/config.json")).status).toBe(200);
    expect((await ask(served, "POST", "/demo/config.json")).status).toBe(405);
  });

  test.each([
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets/..%5c..%5csecret.txt",
    "//../secret.txt",
    "/./../secret.txt",
    "/assets/style.css/../../../secret.txt",
    "/assets",
    "/notes.private",
    "/secret.txt%00.html",
    "/__proto__",
    "/constructor",
  ])("[CO15] %s reads nothing", async (target) => {
    const answer = await ask(served, "GET", target);
    expect(answer.status).toBe(404);
    expect(answer.text).not.toContain("outside");
  });

  test("[CO16] pages may run no inline script and talk to gateways only", async () => {
    const { headers } = await ask(served, "GET", "/");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(" wss://live.example:8443");
    expect(policy).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test("[CO16] hashed names are kept, others are asked for again", async () => {
    const bundle = await ask(served, "GET", "/app-4F2K9QXZ.js");
    expect(bundle.headers["cache-control"]).toContain("immutable");
    const page = await ask(served, "GET", "/");
    expect(page.headers["cache-control"]).toBe("no-cache");
    const etag = String(page.headers.etag);
    const again = await ask(served, "GET", "/", { headers: { "if-none-match": etag } });
    expect([again.status, again.text]).toEqual([304, ""]);
  });
});

test("[CO14] a kill reaches a process of this host, and never this one or a group", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await once(child, "spawn");
  const here = { ...NODE, host: os.hostname(), pid: child.pid as number };
  const gone = once(child, "exit");
  expect(killLocalNode({ ...here, state: "suspect" })).toBe("not_here");
  expect(killLocalNode({ ...here, host: "elsewhere" })).toBe("not_here");
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(killLocalNode(here)).toBe("killed");
  expect((await gone)[1]).toBe("SIGKILL");
  for (const pid of [process.pid, 0, 1, -1, child.pid as number]) {
    expect(killLocalNode({ ...here, pid })).toBe("not_here");
  }
});
