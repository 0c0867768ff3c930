import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { randomHex, systemRandom } from "../../src/kernel/random.ts";
import { disconnectOf } from "../../src/membership/advisory.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { control, decodeControl, type NodeBeat } from "../../src/protocol/control-messages.ts";
import { ALL_NODE_BEATS, DISCONNECTS, nodePing } from "../../src/protocol/subjects.ts";
import { type NatsLogin, startNats, type TestNats, withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const LONG = { timeoutMs: 15_000 };
const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };
const beats: { readonly at: number; readonly beat: NodeBeat }[] = [];
const advisories: { readonly at: number; readonly process: ProcessId }[] = [];
let nats: TestNats;
let bus: Bus;
let sys: Bus;
const children: ChildProcess[] = [];

async function open(login: NatsLogin): Promise<Bus> {
  const target = { ...login, servers: nats.urls, name: `test:${login.user}`, label: "test" };
  const opened = await openNats(target, runtime);
  if (!opened.ok) throw new Error(opened.error.detail);
  return new NatsBus(opened.value);
}

async function spawn() {
  const id = processId(`n.${randomHex(systemRandom, 8)}`);
  const { node, "node-data": nodeData } = nats.credentials;
  const argument = JSON.stringify({ id, servers: nats.urls, node, nodeData });
  const fixture = new URL("./membership-liveness-process.ts", import.meta.url).pathname;
  const child = fork(fixture, [argument], { execArgv: ["--import", "tsx"], silent: true });
  children.push(child);
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const ready = once(child, "message");
  await Promise.race([ready, ended.then(() => Promise.reject(new Error(`ended: ${stderr}`)))]);
  const own = () => beats.filter(({ beat }) => beat.process === id);
  await waitUntil("the node beats", () => own().length > 2, { ...LONG, dump: () => ({ stderr }) });
  return { id, child, ended, own, stderr: () => stderr };
}

async function probe(id: ProcessId): Promise<string> {
  const from = processId("p.00000000000000aa");
  const answer = await bus.request(nodePing(id), control.encode({ type: "probe", from }), 100);
  return answer.ok ? (decodeControl(answer.value)?.type ?? "malformed") : answer.error;
}

describe.skipIf(withoutNats)("the liveness thread", () => {
  beforeAll(async () => {
    nats = await startNats({ servers: 1 });
    bus = await open(nats.credentials.placement);
    sys = await open(nats.credentials.sys);
    bus.subscribe(ALL_NODE_BEATS, ({ data }) => {
      const beat = decodeControl(data);
      if (beat?.type === "nodeBeat") beats.push({ at: systemClock.now(), beat });
    });
    sys.subscribe(DISCONNECTS, ({ data }) => {
      const process = disconnectOf(data);
      if (process) advisories.push({ at: systemClock.now(), process });
    });
    await Promise.all([bus.flush(), sys.flush()]);
  });
  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all([bus?.close(), sys?.close()]);
    await nats?.close();
  });

  test("[MS30] beats, answers probes, and its end shows in an advisory long before silence would", async () => {
    const { id, child, ended, own } = await spawn();
    expect(own()[0]?.beat).toMatchObject({ process: id, rooms: 1, sessions: 2, running: null });
    expect(await probe(id)).toBe("alive");
    const killedAt = systemClock.now();
    child.kill("SIGKILL");
    await ended;
    const told = () => advisories.find(({ process }) => process === id);
    await waitUntil("the advisory arrives", () => told() !== undefined, {
      dump: () => ({ advisories }),
    });
    const advisedMs = (told()?.at ?? 0) - killedAt;
    const askedAt = systemClock.now();
    expect(await probe(id)).toBe("no_responders");
    const probedMs = systemClock.now() - askedAt;
    console.log(`SIGKILL to advisory ${advisedMs.toFixed(1)} ms, probe ${probedMs.toFixed(1)} ms`);
    // Silence is noticed after 1.25 s at the earliest.
    expect(advisedMs).toBeLessThan(1_250);
  });

  test("[MS32] a stuck loop is named, told and ended", async () => {
    const { child, ended, own, stderr } = await spawn();
    const blockedAt = systemClock.now();
    child.send("block");
    const [, signal] = await ended;
    expect(signal).toBe("SIGKILL");
    const tookMs = systemClock.now() - blockedAt;
    console.log(`stuck loop ended after ${tookMs.toFixed(0)} ms`);
    // The last echo may be an interval of 500 ms old when the loop stops.
    expect(tookMs).toBeGreaterThan(2_400);
    expect(tookMs).toBeLessThan(8_000);
    // A stuck loop ages its echoes too, and whichever age is over the limit first ends it.
    const last = () => own().at(-1)?.beat;
    const age = () => Math.max(last()?.loopAgeMs ?? 0, last()?.echoAgeMs ?? 0);
    await waitUntil("the last beat says so", () => age() > 3_000, { dump: () => own().slice(-3) });
    expect(last()).toMatchObject({ running: "demo/stuck" });
    expect(JSON.parse(stderr().trim())).toMatchObject({ level: "fatal", running: "demo/stuck" });
  });

  test("[MS36] a thread that ends by itself takes the process with it", async () => {
    const { child, ended, stderr } = await spawn();
    child.send("end the thread");
    const [code] = await ended;
    expect(code, stderr()).toBeGreaterThan(0);
    expect(stderr()).toContain("the liveness thread ended by itself");
  });

  test("[MS31] a process stopped for 5 s and continued is not shot", async () => {
    const { id, child, own } = await spawn();
    child.kill("SIGSTOP");
    const stoppedAt = systemClock.now();
    const before = own().length;
    await waitUntil("it was stopped for 5 s", () => systemClock.now() - stoppedAt > 5_000, LONG);
    expect(own().length - before).toBeLessThanOrEqual(1);
    expect(await probe(id)).toBe("timeout");
    child.kill("SIGCONT");
    const resumedAt = systemClock.now();
    const since = () => own().filter(({ at }) => at > resumedAt + 4_000);
    await waitUntil("it beats 4 s later", () => since().length > 2, {
      dump: () => own().slice(-5),
    });
    expect(own().every(({ beat }) => Math.max(beat.loopAgeMs, beat.echoAgeMs) < 3_000)).toBe(true);
    expect(await probe(id)).toBe("alive");
  });

  test("[MS33] [MS5] a NATS restart kills no node and tells of no death", async () => {
    const { id, child, own } = await spawn();
    const [server] = nats.servers;
    await server?.stop();
    const stoppedAt = systemClock.now();
    await waitUntil("it was gone for 4 s", () => systemClock.now() - stoppedAt > 4_000, LONG);
    await server?.restart();
    const restartedAt = systemClock.now();
    const since = () => own().filter(({ at }) => at > restartedAt + 1_000);
    await waitUntil("it beats again", () => since().length > 5, {
      ...LONG,
      dump: () => own().slice(-5),
    });
    expect(child.exitCode).toBeNull();
    expect(since().every(({ beat }) => beat.echoAgeMs < 3_000)).toBe(true);
    expect(advisories.filter(({ process }) => process === id)).toEqual([]);
  });

  test("[MS30] closing ends the thread and the process can end", async () => {
    const { id, child, ended } = await spawn();
    child.send("close");
    expect(await ended).toEqual([0, null]);
    expect(await probe(id)).toBe("no_responders");
  });
});
