import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DevTools } from "../../src/control/api.ts";
import { killLocalNode } from "../../src/control/kill.ts";
import type { NodeView } from "../../src/control/port.ts";
import { readStaticFiles } from "../../src/control/static-files.ts";
import { ask, codeOf, NODE, type Served, serve, TOKEN } from "../support/control-server.ts";

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
