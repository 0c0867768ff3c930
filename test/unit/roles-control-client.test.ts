import { spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { ok } from "../../src/kernel/result.ts";
import { controlClient } from "../../src/roles/control-client.ts";
import { ControlUrls } from "../../src/roles/control-urls.ts";

const servers = new Set<Server>();
afterEach(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  servers.clear();
});

/** An operator API that answers what it was told to. */
async function replica() {
  const answers = new Map<string, { readonly status: number; readonly body: string }>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      asked.push([what, request.headers.authorization, body].join(" "));
      const { status, body: answer } = answers.get(what) ?? { status: 404, body: "{}" };
      response.writeHead(status).end(answer);
    });
  });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  const says = (what: string, status: number, body: unknown): void =>
    void answers.set(what, { status, body: JSON.stringify(body) });
  const ends = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url, answers, asked, says, ends };
}

const LIST = "GET /v1/nodes";
/** As a replica lists a cluster of these replicas. */
const listOf = (...urls: readonly string[]) => ({
  nodes: [{ id: "n.1", name: "n", state: "alive", draining: false, rooms: 3 }],
  gateways: [{ id: "g.1", name: "g", draining: true }],
  placements: urls.map((url, i) => ({ id: `p${i}.1`, name: `p${i}`, url })),
  ended: [{ id: "n.0", name: "n", rooms: 2 }],
});

/** Where somebody listened a moment ago. */
async function nobodysUrl(): Promise<string> {
  const gone = await replica();
  await gone.ends();
  return gone.url;
}

describe("the operator API, asked", () => {
  test("[CO24] [CO28] [CO31] lists with the token and drains every kind", async () => {
    const { url, asked, says } = await replica();
    says(LIST, 200, listOf(url));
    says("POST /v1/nodes/n.1/drain", 202, { deadlineMs: 60_000, immovable: ["t/a"] });
    says("POST /v1/gateways/g.1/drain", 404, { error: { code: "gateway_unknown" } });
    says("POST /v1/placements/p0.1/drain", 202, { deadlineMs: 9, immovable: [] });
    const api = controlClient([`${url}/`], "of-an-operator");
    const alive = { state: "alive", draining: false, rooms: 0 };
    expect(await api.list()).toMatchObject(
      ok({
        processes: [
          { ...alive, role: "node", id: "n.1", name: "n", rooms: 3 },
          { ...alive, role: "gateway", id: "g.1", name: "g", draining: true },
          { ...alive, role: "placement", id: "p0.1", name: "p0" },
        ],
        ended: new Map([["n.0", 2]]),
      }),
    );
    const node = await api.drain({ role: "node", id: "n.1" }, 5_000);
    expect(node).toEqual(ok({ deadlineMs: 60_000, immovable: ["t/a"] }));
    expect(await api.drain({ role: "gateway", id: "g.1" }, undefined)).toEqual(ok("unknown"));
    await api.drain({ role: "placement", id: "p0.1" }, 9);
    expect(asked).toEqual([
      `${LIST} Bearer of-an-operator `,
      'POST /v1/nodes/n.1/drain Bearer of-an-operator {"deadlineMs":5000}',
      "POST /v1/gateways/g.1/drain Bearer of-an-operator {}",
      'POST /v1/placements/p0.1/drain Bearer of-an-operator {"deadlineMs":9}',
    ]);
  });

  test.each([
    [401, "{}", "refused", "another token"],
    [503, "{}", "silent", "answers 503"],
    [200, "<html>", "refused", "no operator API"],
    [
      200,
      '{"nodes":[{"id":1}],"gateways":[],"placements":[],"ended":[]}',
      "refused",
      "no operator",
    ],
    [200, '{"nodes":[],"gateways":[],"placements":[]}', "refused", "of this release"],
    [404, "{}", "refused", "no operator API"],
  ])("[CO25] an answer %i %s is %s", async (status, body, code, words) => {
    const { url, answers } = await replica();
    answers.set(LIST, { status, body });
    const listed = await controlClient([url], undefined).list();
    if (listed.ok) throw new Error("it was understood");
    expect(listed.error.code).toBe(code);
    expect(listed.error.sentence).toContain(words);
  });

  test("[CO25] a port where nobody listens, and an API that is too old to drain", async () => {
    const nobody = await controlClient([await nobodysUrl()], undefined).list();
    expect(nobody).toMatchObject({
      error: { code: "silent", sentence: expect.stringContaining("(ECONNREFUSED)") },
    });
    const { url, says } = await replica();
    says("POST /v1/gateways/g.1/drain", 404, {});
    const gateway = { role: "gateway", id: "g.1" } as const;
    expect(await controlClient([url], undefined).drain(gateway, 1)).toMatchObject({
      error: { code: "refused", sentence: expect.stringContaining("Is it older?") },
    });
  });

  test("[CO35] where a replica is silent the next one is asked, and first from then on", async () => {
    const [first, second] = [await replica(), await replica()];
    first.says(LIST, 503, {});
    second.says(LIST, 200, listOf());
    const api = controlClient([first.url, second.url], undefined);
    expect((await api.list()).ok).toBe(true);
    expect((await api.list()).ok).toBe(true);
    expect([first.asked.length, second.asked.length]).toEqual([1, 2]);
    await second.ends();
    const silent = await api.list();
    if (silent.ok) throw new Error("somebody answered");
    expect(silent.error.sentence).toContain(`${first.url} answers 503.`);
    expect(silent.error.sentence).toContain(`${second.url} does not answer`);
  });

  test("[CO35] it outlives the only replica that was named, by those that this one named", async () => {
    const [first, second] = [await replica(), await replica()];
    first.says(LIST, 200, listOf(first.url, second.url));
    second.says(LIST, 200, listOf(second.url));
    const api = controlClient([first.url], undefined);
    await api.list();
    await first.ends();
    expect((await api.list()).ok).toBe(true);
    expect(second.asked).toHaveLength(1);
    // By now it listens no more, and something else does.
    second.says(LIST, 404, { error: { code: "not_found" } });
    expect(await api.list()).toMatchObject({ error: { code: "silent" } });
  });

  test("[CO35] another's token is a matter of the replicas that were named", async () => {
    const [first, second] = [await replica(), await replica()];
    first.says(LIST, 401, {});
    second.says(LIST, 200, listOf());
    const listed = await controlClient([first.url, second.url], undefined).list();
    expect(listed).toMatchObject({ error: { code: "refused" } });
  });
});

describe("the addresses of replicas", () => {
  const learned = (named: string, ...announced: readonly string[]): string[] => {
    const urls = new ControlUrls([named]);
    urls.learn(announced);
    return urls.inOrder().flatMap(({ url, named: given }) => (given ? [] : [url]));
  };

  test("[CO35] the token goes nowhere else than to replicas that can be told from this machine", () => {
    const announced = ["http://10.0.0.7:7080", "http://127.0.0.1:7080", "http://0.0.0.0:7080"];
    const more = ["http://[::]:7080", "http://localhost:7080", "https://b.example/", "nonsense"];
    const all = [...announced, ...more];
    expect(learned("http://10.0.0.6:7080", ...all)).toEqual(["http://10.0.0.7:7080"]);
    expect(learned("https://a.example", ...all)).toEqual(["https://b.example"]);
    expect(learned("http://127.0.0.1:7070", ...all)).toEqual([
      "http://10.0.0.7:7080",
      "http://127.0.0.1:7080",
      "http://localhost:7080",
    ]);
    expect(
      learned("http://10.0.0.6", ...Array.from({ length: 99 }, (_, i) => `http://h${i}`)),
    ).toHaveLength(16);
  });
});

describe("the command", () => {
  test("[CO25] [CO28] the command says why, and its exit code too", async () => {
    const nobody = await nobodysUrl();
    const main = path.resolve(import.meta.dirname, "../../src/main.ts");
    const run = (...args: string[]) => {
      const command = ["--import", "tsx", main, "restart", ...args];
      const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
      return { status, stdout, stderr };
    };
    const deaf = run("--control", nobody, "--json");
    expect(deaf.status).toBe(3);
    expect(JSON.parse(deaf.stdout)).toMatchObject({ outcome: "refused", restarted: [], left: [] });
    expect(deaf.stderr).toContain(`${nobody} does not answer`);
    const wrong = run("--role", "node", "--role", "all");
    expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toContain('--role is node, gateway or placement, not "all"');
  });
});
