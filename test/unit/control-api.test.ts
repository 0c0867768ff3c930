import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RoomView } from "../../src/control/port.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { HTTP_LIMITS } from "../../src/observe/http.ts";
import {
  ask,
  codeOf,
  GATEWAY,
  NODE,
  PLACEMENT,
  type Served,
  serve,
  TOKEN,
} from "../support/control-server.ts";

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
    ["POST", `/v1/nodes/${NODE.id.replace("0", "1")}/drain`, undefined, 404, "node_unknown"],
    ["POST", "/v1/nodes/node-1/drain", undefined, 400, "incarnation_missing"],
    ["GET", `/v1/nodes/${NODE.id}/drain`, undefined, 405, "method_not_allowed"],
    ["POST", `/v1/nodes/${GATEWAY}/drain`, undefined, 404, "node_unknown"],
    ["POST", `/v1/gateways/${NODE.id}/drain`, undefined, 404, "gateway_unknown"],
    ["POST", `/v1/placements/${NODE.id}/drain`, undefined, 404, "placement_unknown"],
    ["POST", `/v1/nodes/${NODE.id}/drain`, '{"deadlineMs":0}', 400, "invalid_body"],
    ["POST", `/v1/nodes/${NODE.id}/drain`, '{"deadlineMs":3600001}', 400, "invalid_body"],
    ["POST", `/v1/nodes/${NODE.id}/drain`, '{"deadline":1}', 400, "invalid_body"],
    ["PATCH", "/v1/rooms/t/none", '{"immovable":true}', 404, "room_unknown"],
    ["PATCH", "/v1/rooms/t/first", '{"immovable":1}', 400, "invalid_body"],
    ["PATCH", "/v1/rooms/t/first", "{}", 400, "invalid_body"],
    ["PATCH", "/v1/rooms/t/first", '{"immovable":true,"world":"plaza"}', 400, "invalid_body"],
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

  test("[CO45] a room says whether somebody hosts its world", async () => {
    for (const [world, hosted] of [
      ["plaza", true],
      ["nowhere", false],
    ] as const) {
      const body = JSON.stringify({ room: `t/in-${world}`, world });
      const made = await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
      expect(made.body).toMatchObject({ world, hosted });
      const one = await ask(served, "GET", `/v1/rooms/t/in-${world}`, { token: TOKEN });
      expect(one.body).toMatchObject({ world, hosted });
    }
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

describe("processes and rooms", () => {
  test.each([
    ["nodes", NODE.id, "", 60_000, ["t/show"]],
    ["nodes", NODE.id, '{"deadlineMs":5000}', 5_000, ["t/show"]],
    ["gateways", GATEWAY, "", 600_000, []],
    ["gateways", GATEWAY, '{"deadlineMs":5000}', 5_000, []],
    ["placements", PLACEMENT, "", 60_000, []],
  ])("[CO21] [CO23] [CO32] asks one incarnation of %s to drain: %s %s", async (kinds, id, body, ms, rooms) => {
    const served = await serve({ token: TOKEN });
    const given = body === "" ? { token: TOKEN } : { token: TOKEN, body };
    const answer = await ask(served, "POST", `/v1/${kinds}/${id}/drain`, given);
    const said = { draining: id, deadlineMs: ms, immovable: rooms };
    expect([answer.status, answer.body]).toEqual([202, said]);
    const kind = kinds.slice(0, -1);
    expect(served.cluster.drains).toEqual([{ kind, process: id, deadlineMs: ms }]);
    await served.close();
  });

  test("[CO30] marks a living room as immovable and takes it back, and no closed one", async () => {
    const served = await serve({ token: TOKEN });
    const patch = async (immovable: boolean) => {
      const body = JSON.stringify({ immovable });
      const answer = await ask(served, "PATCH", "/v1/rooms/t/show", { token: TOKEN, body });
      return [answer.status, codeOf(answer) ?? (answer.body as RoomView).immovable];
    };
    const body = '{"room":"t/show","world":"plaza"}';
    await ask(served, "POST", "/v1/rooms", { token: TOKEN, body });
    expect(await patch(true)).toEqual([200, true]);
    expect(served.cluster.rooms.get(roomId("t/show"))?.immovable).toBe(true);
    const listed = await ask(served, "GET", "/v1/rooms", { token: TOKEN });
    expect(listed.body).toMatchObject({ rooms: [{ room: "t/show", immovable: true }] });
    expect(await patch(false)).toEqual([200, false]);
    served.cluster.state.down = true;
    expect(await patch(true)).toEqual([503, "contended"]);
    served.cluster.state.down = false;
    await ask(served, "DELETE", "/v1/rooms/t/show", { token: TOKEN });
    expect(await patch(true)).toEqual([409, "room_closed"]);
    await served.close();
  });
});
