import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ConnectionOptions,
  connect,
  headers,
  type JetStreamManager,
  type NatsConnection,
  type StreamConfig,
} from "nats";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type NatsUser, startNats, type TestNats, withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const PROJECT_DIR = fileURLToPath(new URL("../..", import.meta.url));
const INCARNATION = "0123456789abcdef";
const JOURNALS = Array.from({ length: 8 }, (_, shard) => `JRN${shard}`);

/** One connection, and every right that the server refused it. */
class Login {
  readonly refused: string[] = [];
  readonly connection: NatsConnection;
  #wake: () => void = () => undefined;

  constructor(connection: NatsConnection) {
    this.connection = connection;
    void this.#collect();
  }

  async #collect(): Promise<void> {
    for await (const status of this.connection.status()) {
      const context = (status as { permissionContext?: { operation: string; subject: string } })
        .permissionContext;
      if (context === undefined) continue;
      this.refused.push(`${context.operation} ${context.subject}`);
      this.#wake();
    }
  }

  async #untilRefused(what: string): Promise<void> {
    while (!this.refused.includes(what)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The server answers in order, so what it refuses is known before it answers the flush. */
  async mayPublish(subject: string): Promise<void> {
    this.connection.publish(subject, "x");
    await this.connection.flush();
    expect(this.refused).not.toContain(`publish ${subject}`);
  }
  async mayNotPublish(subject: string): Promise<void> {
    this.connection.publish(subject, "x");
    await this.#untilRefused(`publish ${subject}`);
  }
  async maySubscribe(subject: string, queue?: string): Promise<void> {
    const subscription = this.connection.subscribe(subject, options(queue));
    await this.connection.flush();
    expect(this.refused).not.toContain(`subscription ${subject}`);
    subscription.unsubscribe();
  }
  async mayNotSubscribe(subject: string, queue?: string): Promise<void> {
    this.connection.subscribe(subject, options(queue));
    await this.#untilRefused(`subscription ${subject}`);
  }
}

const options = (queue: string | undefined) => ({
  ...(queue === undefined ? {} : { queue }),
  // Without it the client rejects an iterator that nobody reads.
  callback: () => undefined,
});

let nats: TestNats;
const open: NatsConnection[] = [];

async function login(user: NatsUser, extra: ConnectionOptions = {}): Promise<Login> {
  const { password, inboxPrefix } = nats.credentials[user];
  const connection = await connect({
    servers: nats.urls,
    user,
    pass: password,
    inboxPrefix,
    timeout: 5_000,
    ...extra,
  });
  open.push(connection);
  return new Login(connection);
}

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});

async function createStreams(manager: JetStreamManager, replicas: number): Promise<void> {
  const add = (config: Partial<StreamConfig>) =>
    manager.streams.add({ num_replicas: replicas, ...config });
  for (const [shard, name] of JOURNALS.entries()) {
    await add({ name, subjects: [`jrn.1.${shard}.>`] });
  }
  await add({ name: "SNP", subjects: ["snp.>"], allow_direct: true });
  const republish = { src: "$KV.own.>", dest: "c.idx.>" };
  await add({ name: "KV_own", subjects: ["$KV.own.>"], republish, max_msgs_per_subject: 1 });
}

/** A process that logs in under this name and then only waits to be killed. */
async function connectChild(name: string, url: string): Promise<ChildProcess> {
  const script = `
    const { user, password, inboxPrefix } = JSON.parse(process.env.LOGIN);
    const { NAME: name, URL: servers } = process.env;
    require("nats").connect({ servers, user, pass: password, inboxPrefix, name })
      .then((connection) => connection.flush()).then(() => console.log("connected"));`;
  const child = spawn(process.execPath, ["-e", script], {
    cwd: PROJECT_DIR,
    env: { LOGIN: JSON.stringify(nats.credentials.node), NAME: name, URL: url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  return child;
}

/** Milliseconds from the SIGKILL of a connected process to the advisory that names it. */
async function killAndHear(viaUrl: string, childUrl: string): Promise<number> {
  const name = `live:node-a.${INCARNATION}`;
  const sys = await login("sys", { servers: viaUrl });
  const child = await connectChild(name, childUrl);
  const heard = new Promise<void>((resolve) => {
    sys.connection.subscribe("$SYS.ACCOUNT.CTRL.DISCONNECT", {
      callback: (_, message) => {
        if (message.json<{ client: { name: string } }>().client.name === name) resolve();
      },
    });
  });
  await sys.connection.flush();
  if (viaUrl !== childUrl) await interestArrived(childUrl);
  const killed = performance.now();
  child.kill("SIGKILL");
  await heard;
  return performance.now() - killed;
}

/** Until the server at `url` knows that another one has somebody who wants its advisories. */
async function interestArrived(url: string): Promise<void> {
  const server = nats.servers.find((one) => one.url === url);
  const monitor = `http://127.0.0.1:${server?.ports.http}/routez?subs=detail`;
  await expect
    .poll(async () => (await fetch(monitor)).text(), { timeout: 10_000 })
    .toContain("$SYS.ACCOUNT.CTRL.DISCONNECT");
}

interface Rights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly noPublish: readonly string[];
  readonly noSubscribe: readonly string[];
}
const id = `a.${INCARNATION}`;
const RIGHTS: Readonly<Record<NatsUser, Rights>> = {
  placement: {
    publish: [
      `c.hb.p.${id}`,
      "c.place.req",
      ...["n", "g", "p"].map((kind) => `c.${kind}.${id}.ctl`),
      `c.n.${id}.ping`,
      "$JS.API.STREAM.PURGE.KV_own",
    ],
    subscribe: ["c.hb.n.>", "c.hb.g.>", "c.hb.p.>", "c.route.>", "c.idx.>", `c.p.${id}.ctl`],
    noPublish: [
      "jrn.1.0.x.y",
      "snp.x.y.1",
      `c.hb.n.${id}`,
      "$JS.API.STREAM.DELETE.JRN0",
      "$JS.API.STREAM.PURGE.JRN0",
    ],
    noSubscribe: ["c.place.req", "c.>", "jrn.>", "_INBOX_node.>", "_INBOX.>", ">"],
  },
  node: {
    publish: [`c.hb.n.${id}`, `c.route.${id}`, `c.n.${id}.echo`, `c.n.${id}.peer`],
    subscribe: [
      "c.hb.g.>",
      "c.route.>",
      ...["ctl", "ping", "echo", "peer"].map((what) => `c.n.${id}.${what}`),
    ],
    noPublish: [
      `c.hb.p.${id}`,
      "c.place.req",
      `c.n.${id}.ctl`,
      `c.p.${id}.ctl`,
      "c.idx.x.y",
      "$JS.API.STREAM.CREATE.JRN0",
      "$JS.API.STREAM.DELETE.JRN0",
      "$JS.API.STREAM.PURGE.KV_own",
      "$JS.API.STREAM.LEADER.STEPDOWN.JRN0",
      "$JS.API.CONSUMER.CREATE.JRN0",
    ],
    noSubscribe: ["c.place.req", "jrn.>", "$KV.own.>", "_INBOX_placement.>", "_INBOX.>", ">"],
  },
  gateway: {
    publish: [`c.hb.g.${id}`, "c.place.req", `c.g.${id}.echo`],
    subscribe: ["c.route.>", "c.idx.>", `c.g.${id}.ctl`, `c.g.${id}.echo`],
    noPublish: [
      "jrn.0.x.y",
      "jrn.1.0.x.y",
      "snp.x.y.1",
      "$KV.own.x.y",
      `c.route.${id}`,
      `c.n.${id}.ctl`,
      "$JS.API.INFO",
      "$JS.API.STREAM.CREATE.JRN0",
      "$JS.API.STREAM.PURGE.JRN0",
      "$JS.API.STREAM.MSG.GET.SNP",
      "$JS.API.DIRECT.GET.JRN0",
    ],
    noSubscribe: ["c.place.req", "c.hb.n.>", `c.n.${id}.ctl`, "jrn.>", "_INBOX_node.>", ">"],
  },
  "node-data": {
    publish: [`d.g.${id}.out`, `d.n.${id}.echo`],
    subscribe: [`d.n.${id}.in`, `d.n.${id}.echo`],
    noPublish: [`d.n.${id}.in`, "c.place.req", "jrn.1.0.x.y", "$JS.API.INFO"],
    noSubscribe: [`d.g.${id}.out`, "d.>", "_INBOX_gateway-data.>", ">"],
  },
  "gateway-data": {
    publish: [`d.n.${id}.in`, `d.g.${id}.echo`],
    subscribe: [`d.g.${id}.out`, `d.g.${id}.echo`],
    noPublish: [`d.g.${id}.out`, `d.n.${id}.echo`, "c.place.req", "$JS.API.INFO"],
    noSubscribe: [`d.n.${id}.in`, "d.>", "_INBOX_node-data.>", ">"],
  },
  sys: {
    publish: [],
    subscribe: ["$SYS.ACCOUNT.CTRL.DISCONNECT"],
    noPublish: ["$SYS.REQ.SERVER.PING", "c.place.req"],
    noSubscribe: ["$SYS.ACCOUNT.DATA.DISCONNECT", "$SYS.>", ">"],
  },
};

describe.skipIf(withoutNats)("one server of deploy/nats", () => {
  beforeAll(async () => {
    nats = await startNats({ servers: 1 });
  });
  afterAll(() => nats.close());

  test.each(
    Object.entries(RIGHTS),
  )("%s may what it must and nothing else", async (user, rights) => {
    const role = await login(user as NatsUser);
    for (const subject of rights.publish) await role.mayPublish(subject);
    for (const subject of rights.subscribe) await role.maySubscribe(subject);
    await role.maySubscribe(`_INBOX_${user}.>`);
    for (const subject of rights.noPublish) await role.mayNotPublish(subject);
    for (const subject of rights.noSubscribe) await role.mayNotSubscribe(subject);
  });

  test("placement answers requests in its queue group, nobody answers unasked", async () => {
    const placement = await login("placement");
    const gateway = await login("gateway");
    await placement.mayNotSubscribe("c.place.req", "other");
    placement.connection.subscribe("c.place.req", {
      queue: "placement",
      callback: (_, message) => void message.respond("here"),
    });
    await placement.connection.flush();
    const answer = await gateway.connection.request("c.place.req", "", { timeout: 5_000 });
    expect(answer.string()).toBe("here");
    await placement.mayNotPublish("_INBOX_gateway.stray");
  });

  test("a node obeys placement and answers it", async () => {
    const placement = await login("placement");
    const node = await login("node");
    const control = `c.n.${id}.ctl`;
    node.connection.subscribe(control, { callback: (_, message) => void message.respond("done") });
    await node.connection.flush();
    const answer = await placement.connection.request(control, "", { timeout: 5_000 });
    expect(answer.string()).toBe("done");
  });

  test("placement makes the streams, a node writes them, a gateway reads a tail", async () => {
    const placement = await login("placement");
    const node = await login("node");
    const gateway = await login("gateway");
    const hints: string[] = [];
    gateway.connection.subscribe("c.idx.>", { callback: (_, m) => void hints.push(m.subject) });
    await gateway.connection.flush();
    await createStreams(await placement.connection.jetstreamManager(), 1);

    const stream = node.connection.jetstream();
    const expectNone = { expect: { lastSubjectSequence: 0 } };
    const written = await stream.publish("jrn.1.3.acme.plaza", "owner", expectNone);
    expect(written).toMatchObject({ stream: "JRN3", seq: 1 });
    await stream.publish("snp.acme.plaza.1.abc.0", "state");
    await stream.publish("$KV.own.acme.plaza", "hint");

    const tail = JSON.stringify({ last_by_subj: "jrn.1.3.acme.plaza" });
    for (const { connection } of [gateway, node, placement]) {
      const got = await connection.request("$JS.API.STREAM.MSG.GET.JRN3", tail);
      const { message } = got.json<{ message: { seq: number; data: string } }>();
      expect(message).toMatchObject({ seq: 1, data: Buffer.from("owner").toString("base64") });
    }
    const direct = await node.connection.request("$JS.API.DIRECT.GET.SNP.snp.acme.plaza.1.abc.0");
    expect(direct.string()).toBe("state");
    // The server republishes before it acknowledges, and the gateway's flush comes after that.
    await gateway.connection.flush();
    expect(hints).toEqual(["c.idx.acme.plaza"]);

    const manager = await node.connection.jetstreamManager();
    await expect(manager.streams.purge("JRN3", { seq: 1 })).resolves.toMatchObject({ purged: 0 });
    await expect(manager.streams.info("KV_own")).resolves.toMatchObject({ state: { messages: 1 } });
  });

  test("JetStream belongs to CTRL alone", async () => {
    const of = async (account: string) => {
      const monitor = `http://127.0.0.1:${nats.servers[0]?.ports.http}/accountz?acc=${account}`;
      const answer = (await (await fetch(monitor)).json()) as {
        account_detail: { jetstream_enabled?: boolean };
      };
      return answer.account_detail.jetstream_enabled ?? false;
    };
    expect(await Promise.all(["CTRL", "DATA"].map(of))).toEqual([true, false]);
  });

  test("a wrong password and no login are refused", async () => {
    await expect(login("node", { pass: "wrong" })).rejects.toThrow(/authorization/i);
    await expect(connect({ servers: nats.urls })).rejects.toThrow(/authorization/i);
  });

  test("the SYS user hears of a killed process within 1 s", async () => {
    expect(await killAndHear(nats.url, nats.url)).toBeLessThan(1_000);
  });

  test("a stopped server starts again with its streams, on the same port", async () => {
    const [server] = nats.servers;
    const before = { url: server?.url, pid: server?.pid };
    await server?.stop();
    expect(server?.running).toBe(false);
    await server?.restart();
    expect(server?.url).toBe(before.url);
    expect(server?.pid).not.toBe(before.pid);
    const placement = await login("placement");
    const manager = await placement.connection.jetstreamManager();
    expect((await manager.streams.info("JRN3")).state.messages).toBe(1);
  });
});

test.skipIf(withoutNats)("a starter that is killed leaves no server behind", async () => {
  const script = `
    import { startNats } from "./test/support/nats-servers.ts";
    const { servers } = await startNats({ servers: 1 });
    console.log(servers[0].ports.http);
    setInterval(() => undefined, 1_000);`;
  // What a killed process had in its folder for temporary files nobody but this test removes.
  const folder = await mkdtemp(path.join(os.tmpdir(), "roomcluster-test-starter-"));
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: PROJECT_DIR,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [port] = await once(child.stdout, "data");
  const monitor = `http://127.0.0.1:${String(port).trim()}/healthz`;
  expect((await fetch(monitor)).status).toBe(200);
  child.kill("SIGKILL");
  const serves = () =>
    fetch(monitor)
      .then((answer) => answer.ok)
      .catch(() => false);
  await expect.poll(serves, { timeout: 10_000 }).toBe(false);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(withoutNats)("three servers of deploy/nats", () => {
  beforeAll(async () => {
    nats = await startNats({ servers: 3 });
    const placement = await login("placement");
    await createStreams(await placement.connection.jetstreamManager(), 3);
  });
  afterAll(() => nats.close());

  test("every role logs in on every server", async () => {
    for (const servers of nats.urls) {
      for (const user of Object.keys(RIGHTS) as NatsUser[]) {
        const { connection } = await login(user, { servers });
        await connection.flush();
      }
    }
  });

  test("CTRL and DATA each have a route of their own", async () => {
    for (const server of nats.servers) {
      const monitor = `http://127.0.0.1:${server.ports.http}/routez`;
      let routes: { remote_name: string; account?: string }[] = [];
      const peers = (account: string): number =>
        new Set(routes.flatMap((r) => (r.account === account ? [r.remote_name] : []))).size;
      // A server is healthy a moment before the routes of single accounts are there.
      await waitUntil(
        "both accounts to have a route to both others",
        async () => {
          const answer = await fetch(monitor);
          ({ routes } = (await answer.json()) as { routes: typeof routes });
          return peers("CTRL") === 2 && peers("DATA") === 2;
        },
        { dump: () => routes },
      );
    }
  });

  test("a server without the cluster's password is not let in", async () => {
    const [server] = nats.servers;
    const socket = (await import("node:net")).connect(Number(server?.ports.cluster), "127.0.0.1");
    await once(socket, "connect");
    let said = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.write('CONNECT {"user":"route","pass":"wrong","name":"n4"}\r\nPING\r\n');
    await once(socket, "close");
    expect(said).toContain("Authorization Violation");
  });

  test("of 18 writers that race on one sequence exactly one wins", async () => {
    const nodes = await Promise.all(nats.urls.map((servers) => login("node", { servers })));
    const winners: number[] = [];
    let last = 0;
    for (let round = 0; round < 20; round += 1) {
      const attempts = Array.from({ length: 18 }, (_, writer) => {
        const { connection } = nodes[writer % nodes.length] as Login;
        return append(connection, "jrn.1.0.acme.race", `${round}/${writer}`, last);
      });
      const results = await Promise.all(attempts);
      const won = results.filter((result) => result.sequence !== undefined);
      for (const lost of results.filter((result) => result.sequence === undefined)) {
        expect([10071, 10164]).toContain(lost.code);
      }
      winners.push(won.length);
      last = won[0]?.sequence ?? last;
    }
    expect(winners).toEqual(Array.from({ length: 20 }, () => 1));
  });

  test("the SYS user hears within 1 s of a process killed at another server", async () => {
    const [first, second] = nats.urls as [string, string];
    expect(await killAndHear(first, second)).toBeLessThan(1_000);
  });

  test("writes go on while a server is gone that leads nothing, and it comes back", async () => {
    const placement = await login("placement");
    const manager = await placement.connection.jetstreamManager();
    const { cluster } = await manager.streams.info("JRN1");
    const follower = nats.servers.find((server) => server.name !== cluster?.leader);
    const rest = nats.servers.filter((server) => server !== follower).map((server) => server.url);
    const { connection } = await login("node", { servers: rest });
    await follower?.kill();
    let last = 0;
    for (let i = 0; i < 5; i += 1) {
      const { sequence = 0 } = await append(connection, "jrn.1.1.acme.on", String(i), last);
      expect(sequence).toBeGreaterThan(last);
      last = sequence;
    }
    await follower?.restart();
    expect(follower?.running).toBe(true);
  });
});

/** One compare-and-set append: its sequence, or the code of the refusal. */
async function append(connection: NatsConnection, subject: string, data: string, expected: number) {
  const condition = headers();
  condition.set("Nats-Expected-Last-Subject-Sequence", String(expected));
  const answer = await connection.request(subject, data, { headers: condition, timeout: 10_000 });
  const { seq, error } = answer.json<{ seq?: number; error?: { err_code: number } }>();
  return { sequence: error === undefined ? seq : undefined, code: error?.err_code };
}
