import { spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import {
  type ControlClient,
  controlClient,
  type ListedProcess,
  type RestartRole,
} from "../../src/roles/control-client.ts";
import { EXIT, endWhen } from "../../src/roles/process.ts";
import { type RestartReport, restartCluster } from "../../src/roles/restart.ts";

/** How a process takes it. Everything in ms. */
interface Manner {
  readonly drainMs?: number;
  readonly awayMs?: number;
  /** It stays listed for so long after its end, as gateways do. */
  readonly listedMs?: number;
  readonly ignores?: boolean;
  readonly neverEnds?: boolean;
  readonly neverBack?: boolean;
  /** It ends without having handed these over. */
  readonly roomsLeft?: number;
  /** It drains, and the answer that says so is lost. */
  readonly unheard?: boolean;
}

/** A cluster whose supervisor starts again what ends, on virtual time. */
class FakeCluster implements ControlClient {
  readonly clock = new ManualClock();
  readonly processes: ListedProcess[] = [];
  readonly manners = new Map<string, Manner>();
  readonly drained: string[] = [];
  readonly said: string[] = [];
  silent = false;
  /** Called at every look. */
  onList = (): void => undefined;
  /** The most that were away or draining at once. */
  awayMax = 0;
  #away = 0;
  #incarnation = 0;

  constructor(nodes: number, gateways: number) {
    for (let i = 1; i <= nodes; i++) this.start("node", `node-${i}`);
    for (let i = 1; i <= gateways; i++) this.start("gateway", `gateway-${i}`);
  }

  start(role: RestartRole, name: string): void {
    const id = `${name}.${++this.#incarnation}`;
    this.processes.push({ role, id, name, state: "alive", draining: false, rooms: 0 });
  }

  change(name: string, over: Partial<ListedProcess>): void {
    const at = this.processes.findIndex((one) => one.name === name);
    this.processes[at] = { ...(this.processes[at] as ListedProcess), ...over };
  }

  remove(id: string): void {
    const at = this.processes.findIndex((one) => one.id === id);
    if (at >= 0) this.processes.splice(at, 1);
  }

  list: ControlClient["list"] = async () => {
    this.onList();
    if (this.silent) return err({ code: "silent", sentence: "Nobody answers." });
    return ok([...this.processes]);
  };

  drain: ControlClient["drain"] = async (role, name) => {
    if (this.silent) return err({ code: "silent", sentence: "Nobody answers." });
    const old = this.processes.find((one) => one.name === name && one.role === role);
    if (!old) return ok("unknown");
    this.drained.push(name);
    const manner = this.manners.get(name) ?? {};
    const { drainMs = 2_000, awayMs = 1_000, listedMs = 0 } = manner;
    if (manner.ignores) return ok("asked");
    this.change(name, { draining: true, rooms: manner.roomsLeft ?? 0 });
    this.awayMax = Math.max(this.awayMax, ++this.#away);
    if (manner.neverEnds) return ok("asked");
    this.clock.after(drainMs + listedMs, () => this.remove(old.id));
    if (!manner.neverBack)
      this.clock.after(drainMs + awayMs, () => {
        this.#away--;
        this.start(role, name);
      });
    if (!manner.unheard) return ok("asked");
    this.manners.delete(name);
    return err({ code: "silent", sentence: "Nobody answers." });
  };

  async restart(roles: readonly RestartRole[] = ["node", "gateway"]): Promise<RestartReport> {
    const say = (line: string): void => void this.said.push(line);
    let report: RestartReport | undefined;
    const options = { roles, waitMs: 30_000 };
    void restartCluster(options, { api: this, clock: this.clock, say }).then((done) => {
      report = done;
    });
    for (let quarters = 0; !report; quarters++) {
      if (quarters > 8_000) throw new Error(`it never ended: ${this.said.join("; ")}`);
      await this.clock.run(250, 250);
    }
    return report;
  }
}

describe("a rolling restart", () => {
  test("[CO24] takes nodes and then gateways in order, one at a time", async () => {
    const cluster = new FakeCluster(11, 2);
    cluster.manners.set("gateway-1", { listedMs: 5_000 });
    const before = cluster.processes.map(({ id }) => id);
    const report = await cluster.restart();
    const nodes = Array.from({ length: 11 }, (_, i) => `node-${i + 1}`);
    expect(cluster.drained).toEqual([...nodes, "gateway-1", "gateway-2"]);
    expect(cluster.awayMax).toBe(1);
    expect(report).toMatchObject({ outcome: "done", reason: null, left: [] });
    expect(report.restarted.map(({ from }) => from)).toEqual(before);
    for (const { to } of report.restarted)
      expect(cluster.processes.map(({ id }) => id)).toContain(to);
    expect(report.restarted[0]?.ms).toBeGreaterThanOrEqual(3_000);
    expect(cluster.said.at(-1)).toMatch(/^13 of 13: gateway-2 is back as gateway-2\.\d+ after/);
  });

  test("[CO24] takes one kind alone, and the next only when all nodes are alive", async () => {
    const cluster = new FakeCluster(3, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1 || cluster.processes.length < 5) return;
      cluster.onList = () => undefined;
      cluster.change("node-3", { state: "suspect" });
      cluster.clock.after(20_000, () => cluster.change("node-3", { state: "alive" }));
    };
    const report = await cluster.restart(["node"]);
    expect(report.outcome).toBe("done");
    expect(cluster.drained).toEqual(["node-1", "node-2", "node-3"]);
    expect(cluster.clock.now()).toBeGreaterThan(25_000);
  });

  test.each([
    ["a node is suspect", "node-2", { state: "suspect" }, "node-2 is suspect; nothing was"],
    ["a node is stalled", "node-2", { state: "stalled" }, "node-2 is stalled"],
    ["a state is not known", "node-2", { state: "confused" }, "node-2 is confused"],
    ["a node drains", "node-3", { draining: true }, "node-3 is draining"],
    ["a gateway drains", "gateway-1", { draining: true }, "gateway-1 is draining"],
  ])("[CO25] does not begin while %s", async (_, name, over, sentence) => {
    const cluster = new FakeCluster(3, 2);
    cluster.change(name, over);
    const report = await cluster.restart();
    expect(report).toMatchObject({ outcome: "refused", restarted: [] });
    expect(report.reason).toContain(sentence);
    expect(report.left).toHaveLength(5);
    expect(cluster.drained).toEqual([]);
  });

  test("[CO25] nor with one of a kind, with none, or without an answer", async () => {
    const reasons = [];
    for (const [nodes, gateways] of [
      [1, 2],
      [2, 1],
      [0, 2],
    ] as const)
      reasons.push((await new FakeCluster(nodes, gateways).restart()).reason);
    expect(reasons).toEqual([
      "There is only one node: its rooms would have nowhere to go.",
      "There is only one gateway: its clients would have nowhere to go.",
      "There is no node.",
    ]);
    const deaf = new FakeCluster(3, 2);
    deaf.silent = true;
    expect(await deaf.restart()).toMatchObject({ outcome: "refused", reason: "Nobody answers." });
  });

  test.each([
    ["it is not back", { neverBack: true }, /no node of that name came back within 30\.0 s/],
    ["it does not heed", { ignores: true }, /node-2 was asked to drain and does not/],
    ["it never ends", { neverEnds: true }, /node-2 drains and does not end \(6\d\d\.\d s\)/],
  ])("[CO26] stops where %s", async (_, manner, sentence) => {
    const cluster = new FakeCluster(3, 2);
    cluster.manners.set("node-2", manner);
    const report = await cluster.restart();
    expect(report.outcome).toBe("incomplete");
    expect(report.reason).toMatch(sentence);
    expect(report.restarted.map(({ name }) => name)).toEqual(["node-1"]);
    expect(report.left).toEqual(["node-2", "node-3", "gateway-1", "gateway-2"]);
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
  });

  test("[CO26] stops where another node stays in trouble, or nobody answers any more", async () => {
    const troubled = new FakeCluster(3, 2);
    troubled.onList = () => {
      if (troubled.drained.length === 1) troubled.change("node-3", { state: "suspect" });
    };
    const report = await troubled.restart();
    expect(report.reason).toBe("node-3 is suspect: node-2 was not restarted.");
    expect(report.left[0]).toBe("node-2");
    const deaf = new FakeCluster(3, 2);
    deaf.onList = () => {
      if (deaf.drained.length === 2) deaf.silent = true;
    };
    expect((await deaf.restart()).reason).toBe(
      "Nobody answers. So it is not known whether node-2 is back.",
    );
  });

  test("[CO26] a short silence of the API is no end", async () => {
    const cluster = new FakeCluster(2, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1 || cluster.silent) return;
      cluster.silent = true;
      cluster.onList = () => undefined;
      cluster.clock.after(20_000, () => {
        cluster.silent = false;
      });
    };
    expect((await cluster.restart()).outcome).toBe("done");
  });

  test("[CO27] a gateway that crashed, and is listed beside its successor, is no successor", async () => {
    const cluster = new FakeCluster(2, 2);
    const crashed = cluster.processes.find(({ name }) => name === "gateway-1");
    cluster.start("gateway", "gateway-1");
    const successor = cluster.processes.at(-1)?.id;
    cluster.clock.after(4_000, () => cluster.remove(crashed?.id ?? ""));
    const report = await cluster.restart(["gateway"]);
    expect(report.restarted.map(({ from }) => from)).toContain(successor);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["gateway-1", "gateway-2"]]);
    const stuck = new FakeCluster(2, 2);
    stuck.start("gateway", "gateway-1");
    expect((await stuck.restart()).reason).toContain("gateway-1 is listed twice");
  });

  test("[CO27] what has started again by itself is not restarted once more", async () => {
    const cluster = new FakeCluster(3, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1) return;
      cluster.onList = () => undefined;
      const old = cluster.processes.find(({ name }) => name === "node-3");
      cluster.remove(old?.id ?? "");
      cluster.clock.after(500, () => cluster.start("node", "node-3"));
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
    expect([report.outcome, report.restarted.length]).toEqual(["done", 3]);
  });

  test.each(["node-3", "gateway-2"])("[CO24] nothing is drained while %s is gone", async (name) => {
    const cluster = new FakeCluster(3, 2);
    const gone = cluster.processes.find((one) => one.name === name) as ListedProcess;
    cluster.onList = () => {
      if (cluster.drained.length === 1) cluster.remove(gone.id);
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1"]);
    expect(report).toMatchObject({
      outcome: "incomplete",
      reason: `${name} is not there: node-2 was not restarted.`,
    });
  });

  test("[CO27] what has ended between the listing and its drain is waited for", async () => {
    const cluster = new FakeCluster(3, 2);
    const drain = cluster.drain;
    cluster.drain = async (role, name) => {
      if (name !== "node-2") return drain(role, name);
      cluster.remove(cluster.processes.find((one) => one.name === name)?.id ?? "");
      return drain(role, name);
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1"]);
    expect(report.reason).toBe("node-2 is not there: node-2 was not restarted.");
  });

  test("[CO25] a listing that still fills up is not taken for the cluster", async () => {
    const cluster = new FakeCluster(1, 2);
    cluster.clock.after(600, () => cluster.start("node", "node-2"));
    const report = await cluster.restart(["node"]);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["node-1", "node-2"]]);
    const restless = new FakeCluster(2, 2);
    restless.onList = () => {
      restless.remove(restless.processes[0]?.id ?? "");
      restless.start("node", "node-9");
    };
    expect((await restless.restart()).reason).toBe(
      "The listing does not come to rest; nothing was restarted.",
    );
    expect(restless.drained).toEqual([]);
  });

  test.each([
    ["drains still", 5_000],
    ["has a successor", 100],
  ])("[CO27] an answer that is lost does not drain twice: it %s", async (_, drainMs) => {
    const cluster = new FakeCluster(2, 2);
    cluster.manners.set("node-1", { drainMs, awayMs: 50, unheard: true });
    const report = await cluster.restart(["node"]);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["node-1", "node-2"]]);
    expect(report.restarted.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
  });

  test("[CO27] a request that was lost is repeated", async () => {
    const cluster = new FakeCluster(2, 2);
    const drain = cluster.drain;
    cluster.drain = async () => {
      cluster.drain = drain;
      return err({ code: "silent", sentence: "Nobody answers." });
    };
    expect((await cluster.restart(["node"])).outcome).toBe("done");
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
  });

  test("[CO26] a node that ran out of time with rooms is not one that was emptied", async () => {
    const cluster = new FakeCluster(2, 2);
    cluster.manners.set("node-1", { drainMs: 60_000, roomsLeft: 3 });
    const report = await cluster.restart();
    expect(report).toMatchObject({ outcome: "incomplete", restarted: [] });
    expect(report.reason).toMatch(/^node-1 ended after \d+\.\d s with 3 rooms that had not moved/);
    expect(cluster.drained).toEqual(["node-1"]);
    // Beats are late: what ends in time may have been listed with its last room.
    const quick = new FakeCluster(2, 2);
    quick.manners.set("node-1", { drainMs: 2_000, roomsLeft: 1 });
    expect((await quick.restart()).outcome).toBe("done");
  });
});

describe("a process that was drained", () => {
  afterEach(() => void vi.restoreAllMocks());

  test("[CO23] ends by itself, and as failed where that takes longer than `stopMsMax`", async () => {
    const clock = new ManualClock();
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const never = new Promise<void>(() => undefined);
    endWhen(never, { clock, log: silentObserver.log }, 20_000, EXIT.stopped);
    await clock.run(19_999, 1_000);
    expect(exit).not.toHaveBeenCalled();
    await clock.run(1);
    expect(exit.mock.calls).toEqual([[EXIT.failed]]);
    exit.mockClear();
    endWhen(Promise.resolve(), { clock, log: silentObserver.log }, 20_000, EXIT.stopped);
    await clock.run(30_000, 1_000);
    expect(exit.mock.calls).toEqual([[EXIT.stopped]]);
  });
});

describe("the operator API, asked", () => {
  let server: Server;
  let url = "";
  const answers = new Map<string, { status: number; body: string }>();
  const asked: { what: string; authorization: string | undefined }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      const what = `${request.method} ${request.url}`;
      asked.push({ what, authorization: request.headers.authorization });
      const { status, body } = answers.get(what) ?? { status: 404, body: "{}" };
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  });
  afterAll(() => server.close());

  /** Where somebody listened a moment ago. */
  async function nobodysUrl(): Promise<string> {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const address = gone.address();
    await new Promise((resolve) => gone.close(resolve));
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  test("[CO24] [CO28] lists with the token and drains both kinds", async () => {
    const node = { id: "n.1", name: "n", state: "alive", draining: false, rooms: 3 };
    const gateway = { id: "g.1", name: "g", draining: true };
    const body = JSON.stringify({ nodes: [node], gateways: [gateway], placements: [] });
    answers.set("GET /v1/nodes", { status: 200, body });
    answers.set("POST /v1/nodes/n/drain", { status: 202, body: "{}" });
    const gone = JSON.stringify({ error: { code: "gateway_unknown" } });
    answers.set("POST /v1/gateways/g/drain", { status: 404, body: gone });
    const api = controlClient(`${url}/`, "of-an-operator");
    expect(await api.list()).toEqual(
      ok([
        { role: "node", id: "n.1", name: "n", state: "alive", draining: false, rooms: 3 },
        { role: "gateway", id: "g.1", name: "g", state: "alive", draining: true, rooms: 0 },
      ]),
    );
    expect(await api.drain("node", "n")).toEqual(ok("asked"));
    expect(await api.drain("gateway", "g")).toEqual(ok("unknown"));
    const tokens = new Set(asked.splice(0).map(({ authorization }) => authorization));
    expect(tokens).toEqual(new Set(["Bearer of-an-operator"]));
  });

  test.each([
    [401, "{}", "refused", "another token"],
    [503, "{}", "silent", "answers 503"],
    [200, "<html>", "refused", "no operator API"],
    [200, '{"nodes":[{"id":1}],"gateways":[]}', "refused", "no operator API"],
    [404, "{}", "refused", "no operator API"],
  ])("[CO25] an answer %i %s is %s", async (status, body, code, words) => {
    answers.set("GET /v1/nodes", { status, body });
    const listed = await controlClient(url, undefined).list();
    if (listed.ok) throw new Error("it was understood");
    expect(listed.error.code).toBe(code);
    expect(listed.error.sentence).toContain(words);
  });

  test("[CO25] a port where nobody listens, and an API that is too old to drain", async () => {
    const nobody = await controlClient(await nobodysUrl(), undefined).list();
    expect(nobody).toMatchObject({
      error: { code: "silent", sentence: expect.stringContaining("(ECONNREFUSED)") },
    });
    answers.set("POST /v1/gateways/g/drain", { status: 404, body: "{}" });
    expect(await controlClient(url, undefined).drain("gateway", "g")).toMatchObject({
      error: { code: "refused", sentence: expect.stringContaining("Is it older?") },
    });
  });

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
    const wrong = run("--role", "placement");
    expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toContain('--role is node, gateway or all, not "placement"');
  });
});
