import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { randomHex, systemRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { decodeControl, type NodeBeat } from "../../src/protocol/control-messages.ts";
import { ALL_NODE_BEATS } from "../../src/protocol/subjects.ts";
import { type NatsServer, startNats, type TestNats, withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

interface Node {
  readonly id: ProcessId;
  readonly child: ChildProcess;
  stderr: string;
}

let nats: TestNats;
let nodes: Node[] = [];

async function spawn(): Promise<void> {
  const id = processId(`n${nodes.length}.${randomHex(systemRandom, 8)}`);
  const { node, "node-data": nodeData } = nats.credentials;
  const argument = JSON.stringify({ id, servers: nats.urls, node, nodeData });
  const fixture = new URL("./membership-liveness-process.ts", import.meta.url).pathname;
  const child = fork(fixture, [argument], { execArgv: ["--import", "tsx"], silent: true });
  const started: Node = { id, child, stderr: "" };
  child.stderr?.on("data", (chunk: Buffer) => {
    started.stderr += chunk;
  });
  nodes.push(started);
  const ended = once(child, "exit").then(() => Promise.reject(new Error(started.stderr)));
  await Promise.race([once(child, "message"), ended]);
  ended.catch(() => undefined);
}

/** The names of a server's clients: `live:<node>`, `control:<node>`, `data:<node>`. */
async function connectionsOf(server: NatsServer): Promise<Set<string>> {
  const answer = await fetch(`http://127.0.0.1:${server.ports.http}/connz?limit=1000`);
  const { connections } = (await answer.json()) as { connections: { name?: string }[] };
  return new Set(connections.map(({ name = "" }) => name));
}

/** Of the nodes whose beats go on over another server, how many have a connection on this one. */
async function exposed(server: NatsServer): Promise<number> {
  const here = await connectionsOf(server);
  const caught = nodes.filter(
    ({ id }) => !here.has(`live:${id}`) && (here.has(`control:${id}`) || here.has(`data:${id}`)),
  );
  return caught.length;
}

async function hear(server: NatsServer): Promise<{ beats: NodeBeat[]; close(): Promise<void> }> {
  const login = nats.credentials.placement;
  const target = { ...login, servers: [server.url], name: "test", label: "test" };
  const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };
  const opened = await openNats(target, runtime);
  if (!opened.ok) throw new Error(opened.error.detail);
  const bus = new NatsBus(opened.value);
  const beats: NodeBeat[] = [];
  bus.subscribe(ALL_NODE_BEATS, ({ data }) => {
    const beat = decodeControl(data);
    if (beat?.type === "nodeBeat") beats.push(beat);
  });
  await bus.flush();
  return { beats, close: () => bus.close() };
}

const alive = (): boolean =>
  nodes.every(({ child }) => child.exitCode === null && child.signalCode === null);
const beliefs = () =>
  nodes.map(({ id, child, stderr }) => ({ id, signal: child.signalCode, stderr }));

/** Freezes the server for longer than any age may be, and shows that everyone lives through it. */
async function freeze(server: NatsServer): Promise<void> {
  const frozenAt = performance.now();
  server.pause();
  const over = () => performance.now() - frozenAt > 7_000 || !alive();
  await waitUntil("it was frozen for 7 s", over, { timeoutMs: 15_000 });
  server.resume();
  expect(beliefs().filter(({ signal, stderr }) => signal !== null || stderr !== "")).toEqual([]);
}

describe.skipIf(withoutNats)("a frozen NATS server", () => {
  afterEach(async () => {
    for (const server of nats?.servers ?? []) server.resume();
    for (const { child } of nodes) child.kill("SIGKILL");
    nodes = [];
    await nats?.close();
  });

  test("[MS38] one of three ends no node: its connections are redialled", async () => {
    nats = await startNats({ servers: 3 });
    let victim: NatsServer | undefined;
    // Each connection has chosen its server by chance.
    while (nodes.length < 3 || !victim) {
      expect(nodes.length, "a node on two servers").toBeLessThan(9);
      await spawn();
      for (const server of nats.servers) if ((await exposed(server)) > 1) victim = server;
    }
    const others = nats.servers.filter((server) => server !== victim);
    const caught = await exposed(victim);
    const { beats, close } = await hear(others[0] as NatsServer);
    await freeze(victim);
    const names = nodes.flatMap(({ id }) => [`live:${id}`, `control:${id}`, `data:${id}`]);
    const listed = new Set(
      (await Promise.all(others.map(connectionsOf))).flatMap((all) => [...all]),
    );
    expect(names.filter((name) => !listed.has(name))).toEqual([]);
    const oldest = Math.max(...beats.map(({ echoAgeMs }) => echoAgeMs));
    console.log(
      `[MS38] ${caught} of ${nodes.length} nodes caught, oldest echo ${oldest.toFixed()} ms`,
    );
    // It really was frozen under them.
    expect(oldest).toBeGreaterThan(1_000);
    expect(new Set(beats.slice(-50).map(({ process }) => process)).size).toBe(nodes.length);
    await close();
  });

  test("[MS33] the only one ends no node: it is not the nodes", async () => {
    nats = await startNats({ servers: 1 });
    const [only] = nats.servers;
    for (let i = 0; i < 3; i++) await spawn();
    await freeze(only as NatsServer);
    const { beats, close } = await hear(only as NatsServer);
    const healthy = () => {
      const now = new Map(beats.map(({ process, echoAgeMs }) => [process, echoAgeMs]));
      return now.size === nodes.length && [...now.values()].every((ageMs) => ageMs < 1_000);
    };
    await waitUntil("every node to beat with young echoes", healthy, {
      timeoutMs: 10_000,
      dump: () => beats.slice(-6),
    });
    expect(alive()).toBe(true);
    await close();
  });
});
