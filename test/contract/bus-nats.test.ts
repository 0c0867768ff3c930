import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { PAYLOAD_BYTES_MAX } from "../../src/bus/limits.ts";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { NATS_LIMITS, type NatsTarget } from "../../src/bus/nats-options.ts";
import { NatsOutbox } from "../../src/bus/nats-outbox.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { type Metrics, silentObserver } from "../../src/observe/observer.ts";
import { type NatsUser, startNats, type TestNats, withoutNats } from "../support/nats-servers.ts";
import { startOpenNats } from "../support/open-nats.ts";
import { waitUntil } from "../support/wait-until.ts";
import { busContract } from "./bus.suite.ts";

const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };
const LABEL = { name: "contract", label: "control" };

async function openBus(target: NatsTarget, metrics?: Metrics): Promise<NatsBus> {
  const observer = metrics ? { ...silentObserver, metrics } : silentObserver;
  const client = await openNats(target, { ...runtime, observer });
  if (!client.ok) throw new Error(`${client.error.code}: ${client.error.detail}`);
  return new NatsBus(client.value);
}

describe("the outbox", () => {
  const start = (throws: (subject: string) => boolean = () => false) => {
    const sent: string[] = [];
    const lost: string[] = [];
    const publish = (subject: string): void => {
      if (throws(subject)) throw new Error("no");
      sent.push(subject);
    };
    const clock = new ManualClock();
    const connection = { publish, isClosed: () => false };
    const outbox = new NatsOutbox(connection, clock, (subject) => lost.push(subject));
    return { clock, outbox, sent, lost };
  };
  const EMPTY = new Uint8Array(0);

  it("[BU30] keeps what stands behind a message that cannot be handed on", () => {
    const { clock, outbox, sent, lost } = start((subject) => subject.startsWith("bad"));
    for (const subject of ["a", "bad", "b"]) outbox.push(subject, EMPTY, {});
    outbox.push("bad request", EMPTY, { reply: "r" });
    outbox.push("c", EMPTY, {});
    expect(sent).toEqual([]);
    clock.advance(0);
    expect(sent).toEqual(["a", "b", "c"]);
    expect(lost).toEqual(["bad"]);
  });

  it("[BU30] holds a bounded number of messages and of bytes", () => {
    const { outbox, sent } = start();
    for (let i = 0; i < 1_023; i++) outbox.push("x", EMPTY, {});
    expect(sent).toHaveLength(0);
    outbox.push("x", EMPTY, {});
    expect(sent).toHaveLength(1_024);
    outbox.push("y", new Uint8Array(64 * 1024), {});
    expect(sent).toHaveLength(1_024);
    outbox.push("y", new Uint8Array(1), {});
    expect(sent).toHaveLength(1_026);
  });

  it("[BU12] tells of what it drops with a lost connection", () => {
    const { clock, outbox, sent, lost } = start();
    outbox.push("a", EMPTY, {});
    outbox.push("b", EMPTY, { reply: "r" });
    outbox.drop();
    clock.advance(10);
    expect([sent, lost]).toEqual([[], ["a"]]);
  });
});

describe.skipIf(withoutNats)("NATS", () => {
  busContract("one NATS server", async () => {
    const nats = await startOpenNats();
    const buses: Bus[] = [];
    const all = (connected: boolean): Promise<void> =>
      waitUntil(`every bus to be ${connected ? "connected" : "disconnected"}`, () =>
        buses.every((bus) => bus.connected === connected),
      );
    return {
      open: async (_name, metrics) => {
        const login = { user: "any", password: "any", inboxPrefix: "_INBOX_any" };
        const bus = await openBus({ servers: [nats.server.url], ...login, ...LABEL }, metrics);
        buses.push(bus);
        return bus;
      },
      disconnect: async () => {
        buses.splice(0, buses.length, ...buses.filter((bus) => bus.connected));
        await nats.server.kill();
        await all(false);
      },
      reconnect: async () => {
        await nats.server.restart();
        await all(true);
      },
      close: () => nats.close(),
    };
  });

  it("[BU17] crashes on a receiver's bug", async () => {
    const nats = await startOpenNats();
    try {
      const script = fileURLToPath(new URL("../support/faulty-receiver.ts", import.meta.url));
      const args = ["--import", "tsx", script, nats.server.url];
      const run = await promisify(execFile)(process.execPath, args, { timeout: 20_000 }).then(
        () => ({ code: 0, stderr: "" }),
        (error: { code: number; stderr: string }) => error,
      );
      expect(run.stderr).toContain("a bug in a receiver");
      expect(run.code).toBe(1);
    } finally {
      await nats.close();
    }
  });

  it("[BU31] finds a server that was away when the connection was opened", async () => {
    const [away, there] = [await startOpenNats(), await startOpenNats()];
    const buses: NatsBus[] = [];
    try {
      await away.server.kill();
      const login = { user: "any", password: "any", inboxPrefix: "_INBOX_any" };
      const servers = [away.server.url, there.server.url];
      // Each begins with one of them by chance.
      for (let i = 0; i < 8; i++) buses.push(await openBus({ servers, ...login, ...LABEL }));
      await away.server.restart();
      await there.server.kill();
      const found = () => buses.every(({ server }) => away.server.url.endsWith(server));
      await waitUntil("all of them to find it", () => found() && buses.every((b) => b.connected), {
        dump: () => buses.map(({ server, connected }) => ({ server, connected })),
      });
    } finally {
      await Promise.all(buses.map((bus) => bus.close()));
      await Promise.all([away.close(), there.close()]);
    }
  });

  it("[BU29] loses alone what is too large for the server", async () => {
    const nats = await startOpenNats("1KB");
    let dropped = 0;
    const metrics: Metrics = { add: () => dropped++, set() {}, observe() {} };
    const login = { user: "any", password: "any", inboxPrefix: "_INBOX_any" };
    const target = { servers: [nats.server.url], ...login, ...LABEL };
    const opened = await openNats(target, { ...runtime, observer: { ...silentObserver, metrics } });
    if (!opened.ok) throw new Error(opened.error.detail);
    const client = opened.value;
    try {
      const heard: number[] = [];
      client.subscribe("size.*", ({ data }) => heard.push(data.length));
      for (const size of [1, 1024, 1025, PAYLOAD_BYTES_MAX, 2])
        client.publish("size.x", new Uint8Array(size));
      await waitUntil("what fits", () => heard.length >= 3);
      await client.flush();
      expect(heard).toEqual([1, 1024, 2]);
      expect(dropped).toBe(2);
      const ask = (size: number, headers?: Record<string, string>) =>
        client.request("size.x", new Uint8Array(size), {
          timeoutMs: 200,
          ...(headers ? { headers } : {}),
        });
      const unheard = { ok: false, error: "no_responders" };
      const late = { ok: false, error: "timeout" };
      expect(await ask(1024)).toEqual(late);
      expect(await ask(1025)).toEqual(unheard);
      // `NATS/1.0`, `Name: ` with 100 bytes, an empty line: 120 bytes.
      expect(await ask(905, { Name: "x".repeat(100) })).toEqual(unheard);
      expect(await ask(904, { Name: "x".repeat(100) })).toEqual(late);
      expect(heard).toEqual([1, 1024, 2, 1024, 904]);
    } finally {
      await client.close();
      await nats.close();
    }
  });

  describe("a frozen NATS server whose socket is full", () => {
    const leave = async (by: (bus: Bus) => void): Promise<number> => {
      const nats = await startOpenNats();
      const login = { user: "any", password: "any", inboxPrefix: "_INBOX_any" };
      const bus = await openBus({ servers: [nats.server.url], ...login, ...LABEL });
      try {
        const changes: boolean[] = [];
        bus.onConnection((connected) => changes.push(connected));
        await bus.flush();
        nats.server.pause();
        // Loopback takes about 3 MB for a reader that reads nothing.
        for (let i = 0; i < 16; i++) bus.publish("full.x", new Uint8Array(PAYLOAD_BYTES_MAX));
        const frozenAt = performance.now();
        by(bus);
        const lost = (): boolean => changes.includes(false);
        await waitUntil("the server to be left", lost, { timeoutMs: 10_000 });
        const leftMs = performance.now() - frozenAt;
        nats.server.resume();
        await waitUntil("it to be found again", () => bus.connected);
        expect(changes).toEqual([false, true]);
        return leftMs;
      } finally {
        nats.server.resume();
        await bus.close();
        await nats.close();
      }
    };

    it("[BU27] is left by a redial", async () => {
      expect(await leave((bus) => bus.redial())).toBeLessThan(2 * NATS_LIMITS.pingMs);
    });

    it("[BU27] is left for its missing pongs", async () => {
      expect(await leave(() => undefined)).toBeLessThan(6_000);
    });
  });

  describe("Bus on three NATS servers with the rights of production", () => {
    let nats: TestNats;
    const buses: Bus[] = [];
    beforeAll(async () => {
      nats = await startNats({ servers: 3 });
    });
    afterAll(async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await nats?.close();
    });
    const target = (user: NatsUser, servers = nats.urls): NatsTarget => {
      const { password, inboxPrefix } = nats.credentials[user];
      return { servers, user, password, inboxPrefix, ...LABEL };
    };
    const NODE = "node1.0123456789abcdef";

    it("[BU16] says why it could not connect", async () => {
      const denied = await openNats({ ...target("node"), password: "wrong" }, runtime);
      expect(denied.ok ? "opened" : denied.error.code).toBe("unauthorized");
      const nobody = { ...target("node"), servers: ["127.0.0.1:1"] };
      const limits = { ...NATS_LIMITS, openMsMax: 300 };
      const late = await openNats(nobody, runtime, limits);
      expect(late.ok ? "opened" : late.error.code).toBe("unreachable");
    });

    it("[BU18] answers a forbidden request at once", async () => {
      const gateway = await openBus(target("gateway"));
      buses.push(gateway);
      const before = performance.now();
      const answer = await gateway.request(`c.n.${NODE}.ctl`, new Uint8Array(1), 30_000);
      expect(answer).toEqual({ ok: false, error: "no_responders" });
      expect(performance.now() - before).toBeLessThan(5_000);
    });

    it("[BU15] goes on with another server", async () => {
      const placement = await openBus(target("placement", [nats.urls[2] as string]));
      // The client shuffles its list; only the first server is there when it chooses.
      const node = await openBus(target("node", nats.urls.slice(0, 2)));
      buses.push(placement, node);
      let heard = 0;
      placement.subscribe("c.hb.n.*.*", () => heard++);
      await placement.flush();
      const beat = (): void => node.publish(`c.hb.n.${NODE}`, new Uint8Array(1));
      await waitUntil("a beat through the cluster", () => {
        beat();
        return heard > 0;
      });
      const client = nodeServer(node);
      const server = nats.servers.find((one) => one.url.endsWith(client));
      const changes: boolean[] = [];
      node.onConnection((connected) => changes.push(connected));
      const killed = performance.now();
      await server?.kill();
      await waitUntil("the node to have another server", () => changes.includes(true));
      console.log(`[BU15] connected to another server ${ms(killed)} after SIGKILL of the first`);
      expect(changes).toEqual([false, true]);
      heard = 0;
      await waitUntil("a beat through the other server", () => {
        beat();
        return heard > 0;
      });
      expect(nodeServer(node)).not.toBe(client);
    });
  });
});

const nodeServer = (bus: NatsBus): string => bus.server;
const ms = (since: number): string => `${(performance.now() - since).toFixed(1)} ms`;
