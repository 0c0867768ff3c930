import { expect, test } from "vitest";
import { connect } from "../../src/client/client.ts";
import { DialPlan } from "../../src/client/dial-plan.ts";
import { clientDefaults } from "../../src/client/limits.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import {
  connected,
  FakeGateways,
  inRoom,
  joined,
  PROFILE,
  record,
  settle,
  snapshot,
} from "../support/fake-gateway.ts";

const URLS = ["ws://a", "ws://b", "ws://c"];

test("[CL1] the first url is chosen at random, then every other before the same again", () => {
  const firsts = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const plan = new DialPlan(clientDefaults.backoff, seededRandom(seed));
    const round = [plan.next(URLS), plan.next(URLS), plan.next(URLS)];
    expect(new Set(round).size, `seed ${seed}: ${round}`).toBe(3);
    expect(plan.next(URLS)).toBe(round[0]);
    firsts.add(String(round[0]));
  }
  expect(firsts.size).toBe(3);
});

test("[CL3] delays are jittered under base · 2^n up to the cap", () => {
  const delays: number[][] = Array.from({ length: 8 }, () => []);
  for (let seed = 0; seed < 200; seed++) {
    const plan = new DialPlan({ baseMs: 500, capMs: 15_000 }, seededRandom(seed));
    for (const ofAttempt of delays) ofAttempt.push(plan.delayMs(0));
  }
  delays.forEach((ofAttempt, n) => {
    const bound = Math.min(15_000, 500 * 2 ** n);
    expect(Math.max(...ofAttempt)).toBeLessThan(bound);
    expect(Math.max(...ofAttempt)).toBeGreaterThan(bound * 0.9);
    expect(Math.min(...ofAttempt)).toBeLessThan(bound * 0.1);
  });
});

test("[CL2] urls and token are asked before every attempt", async () => {
  const asked: string[] = [];
  const harness = await connected({
    urls: async () => {
      asked.push("urls");
      if (asked.length === 3) throw new Error("the directory is down");
      return ["ws://x"];
    },
    token: async (url) => {
      asked.push(url);
      return `jwt-${asked.length}`;
    },
  });
  expect(harness.gateways.last.last("hello").token).toBe("jwt-2");
  harness.gateways.last.drop();
  await harness.clock.run(3_000, 50);
  expect(asked).toEqual(["urls", "ws://x", "urls", "urls", "ws://x"]);
  expect(harness.gateways.last.last("hello").token).toBe("jwt-5");
  expect(harness.client.state).toBe("open");
});

test("[CL3] [CL4] a server's retryAfter is a floor under the delay", async () => {
  const { gateways, clock, client } = await connected({ urls: URLS });
  const first = gateways.last;
  first.tell({ type: "retryAfter", afterMs: 4_000 });
  first.drop(4001, "full");
  expect(client.state).toBe("reconnecting");
  await clock.run(3_999, 50);
  expect(gateways.sockets).toHaveLength(1);
  await clock.run(1_001, 50);
  expect(gateways.sockets).toHaveLength(2);
  expect(gateways.last.url).not.toBe(first.url);
});

test("[CL4] bands decide whether to come back", async () => {
  for (const [code, state] of [
    [4000, "open"],
    [4004, "open"],
    [1006, "open"],
    [1011, "open"],
    [4500, "closed"],
    [4503, "closed"],
    [4507, "closed"],
    [4508, "closed"],
  ] as const) {
    const { gateways, clock, client, room } = await inRoom();
    const ends: string[] = [];
    room.on("ended", (reason) => ends.push(reason));
    gateways.last.drop(code);
    await clock.run(2_000, 100);
    expect(client.state, `code ${code}`).toBe(state);
    const end = code === 4507 ? "superseded" : code === 4508 ? "kicked" : "disconnected";
    expect(ends, `code ${code}`).toEqual(state === "open" ? [] : [end]);
    client.close();
    await settle();
    expect(clock.pending, `timers left after ${code}`).toBe(0);
  }
});

test("[CL5] connect gives up in time, and at once when told not to come back", async () => {
  const clock = new ManualClock();
  const random = seededRandom(3);
  const gateways = new FakeGateways({ unreachable: URLS });
  const options = { urls: URLS, token: "t", agent: "test", clock, random, transport: gateways };
  const late = connect(options).catch((error: unknown) => error);
  await clock.run(31_000, 100);
  expect(await late).toMatchObject({ name: "ConnectFailed", code: 1006 });
  expect(gateways.sockets.length).toBeGreaterThan(3);
  expect(clock.pending).toBe(0);

  const refusing = new FakeGateways({
    welcomes: false,
    script: (socket) => socket.drop(4503, "token expired"),
  });
  const refused = connect({ ...options, transport: refusing });
  await expect(refused).rejects.toMatchObject({ name: "ConnectFailed", code: 4503 });
  expect(refusing.sockets).toHaveLength(1);
});

test("[CL6] a socket without a welcome is given up", async () => {
  const clock = new ManualClock();
  const gateways = new FakeGateways({ welcomes: false });
  const options = { urls: URLS, token: "t", agent: "test", clock, transport: gateways };
  const joining = connect({ ...options, random: seededRandom(1) });
  await clock.run(7_900, 100);
  expect(gateways.sockets).toHaveLength(1);
  gateways.behaviour = {};
  await clock.run(1_200, 100);
  expect(gateways.sockets[0]?.closedByClient).toBeDefined();
  expect((await joining).state).toBe("open");
});

test("[CL7] a socket that answers nothing is given up after two pings", async () => {
  const { gateways, clock, states, room } = await inRoom();
  const first = gateways.last;
  first.frame({ tick: 7, at: 0, index: 10 });
  await clock.run(5_000, 100);
  expect(first.last("ping").echoes).toEqual([{ channel: 0, tick: 7 }]);
  gateways.behaviour = { pongs: false };
  await clock.run(5_000, 100);
  // Frames without pongs are life enough: only silence counts.
  first.frame({ tick: 8, at: 5_000, index: 10 });
  await clock.run(14_900, 100);
  expect(first.closedByClient).toBeUndefined();
  await clock.run(200, 100);
  expect(first.closedByClient).toMatchObject({ reason: "no pong" });
  gateways.behaviour = {};
  await clock.run(1_000, 100);
  expect(states).toEqual(["connecting", "open", "reconnecting", "open"]);
  expect(gateways.last.last("join")).toMatchObject({ attach: 2, session: "token-1" });
  expect(room.ended).toBe(false);
});

test("[CL8] what does not decode gives the socket up, and no state is touched", async () => {
  for (const bytes of [[], [0x03, 1, 2], [0x93, 0x0e, 0x00], [0xc1], [0x07]]) {
    const { gateways, clock, client, room } = await inRoom();
    gateways.last.raw(Uint8Array.from(bytes));
    expect(gateways.last.closedByClient, String(bytes)).toBeDefined();
    await clock.run(1_000, 50);
    expect(client.state).toBe("open");
    expect(room.index).toBe(10);
  }
});

test("[CL9] a draining gateway is left only once the next one serves", async () => {
  const { gateways, clock, client, room, states } = await inRoom({ urls: URLS });
  const told: string[] = [];
  for (const name of ["suspended", "resumed", "ended"] as const)
    room.on(name, () => told.push(name));
  const old = gateways.last;
  old.tell({ type: "retryAfter", afterMs: 300 });
  await clock.run(1_000, 50);
  const next = gateways.last;
  expect(next).not.toBe(old);
  expect(next.last("join")).toMatchObject({ attach: 2, session: "token-1", cursor: { index: 10 } });
  // The old one still serves, though it already hears that it has lost the session.
  old.tell(record(11, { patches: [[0, ["count"], 1]] }));
  const command = room.command("say");
  expect(old.all("command")).toHaveLength(1);
  old.tell({ type: "left", channel: 0, code: "superseded", reason: "", transfer: null });
  next.tell(joined({ attach: 2, seq: 0, replayed: true }));
  next.tell(record(11), record(12, { patches: [[0, ["count"], 2]] }));
  expect(next.last("command")).toMatchObject({ seq: 1, resent: true });
  next.tell({ type: "reply", channel: 0, seq: 1, status: "ok", data: 1, index: 12 });
  expect(await command).toBe(1);
  expect(room.state.count).toBe(2);
  expect(old.closedByClient).toBeDefined();
  expect(next.closedByClient).toBeUndefined();
  expect(states).toEqual(["connecting", "open", "open"]);
  expect(told).not.toContain("ended");
  await clock.run(15_000, 100);
  expect(client.state).toBe("open");
  expect(gateways.sockets).toHaveLength(2);
});

test("[CL53] [PR64] goes on at the gateway that serves its shard, or stays", async () => {
  const { gateways, clock, client, room } = await inRoom({ urls: URLS });
  const old = gateways.last;
  old.tell({ type: "servedAt", url: "ws://elsewhere", afterMs: 100 });
  await clock.run(5_000, 100);
  expect(gateways.sockets, "nobody knows that one").toHaveLength(1);
  const url = URLS.find((one) => one !== old.url) ?? "";
  gateways.behaviour = { unreachable: [url] };
  old.tell({ type: "servedAt", url, afterMs: 100 });
  await clock.run(5_000, 100);
  expect([gateways.sockets.length, client.state], "tried once").toEqual([2, "open"]);
  gateways.behaviour = {};
  old.tell({ type: "servedAt", url, afterMs: 100 });
  await clock.run(1_000, 50);
  const next = gateways.last;
  expect([next.url, old.closedByClient]).toEqual([url, undefined]);
  next.tell(joined({ attach: 2, replayed: true }), record(11));
  expect([room.index, room.ended, client.state]).toEqual([11, false, "open"]);
  expect(old.closedByClient).toBeDefined();
});

test("[CL53] [CL9] a drain or a lost socket waits for no dial that could as well not be", async () => {
  for (const how of ["drained while dialing", "drained while waiting", "lost while waiting"]) {
    const { gateways, clock, client } = await inRoom({ urls: URLS });
    const old = gateways.last;
    const url = URLS.find((one) => one !== old.url) ?? "";
    gateways.behaviour = { welcomes: false };
    old.tell({ type: "servedAt", url, afterMs: 60_000 });
    if (how === "drained while dialing") await clock.run(60_100, 100);
    if (how.startsWith("drained")) old.tell({ type: "retryAfter", afterMs: 300 });
    else old.drop(1006, "");
    gateways.behaviour = {};
    await clock.run(clientDefaults.handshakeMsMax + 3_000, 50);
    expect([client.state, gateways.last === old], how).toEqual(["open", false]);
    expect(gateways.last.all("join"), `${how}: at the other one`).toHaveLength(1);
    client.close();
  }
});

test("[CL9] where the old gateway closes early, the room goes on from its cursor", async () => {
  const { gateways, clock, client, room } = await inRoom({ urls: URLS });
  const old = gateways.last;
  old.tell({ type: "retryAfter", afterMs: 2_000 });
  old.drop(4000, "draining");
  expect(client.state).toBe("reconnecting");
  await clock.run(3_000, 50);
  gateways.last.tell(joined({ attach: 2, replayed: true }), record(11));
  expect(room.index).toBe(11);
  expect(client.state).toBe("open");
});

test("[CL16] a person travels in first and out then, under one transfer id", async () => {
  const { gateways, room } = await inRoom();
  const refused = room.travel("full", { profile: PROFILE });
  const { channel } = gateways.last.last("join");
  const code = "room_full";
  gateways.last.tell({ type: "refused", channel, code, message: "", retryAfterMs: null });
  await expect(refused).rejects.toMatchObject({ name: "JoinRefused", code });
  expect(room.ended).toBe(false);

  const travelling = room.travel("hall", { profile: PROFILE });
  const join = gateways.last.last("join");
  expect(join).toMatchObject({ room: "hall", attach: 1, session: null });
  expect(gateways.last.all("leave")).toHaveLength(0);
  gateways.last.tell(joined({ channel: join.channel }), snapshot({ channel: join.channel }));
  await settle();
  const leave = gateways.last.last("leave");
  expect(leave).toEqual({ type: "leave", channel: 0, transfer: join.transfer });
  gateways.last.tell({ type: "left", channel: 0, code: "left", reason: "", transfer: null });
  expect((await travelling).name).toBe("hall");
  expect(room.ended).toBe(true);
});

test("[CL17] leaving leaves nothing behind", async () => {
  const { gateways, room, client, clock } = await inRoom();
  const pending = room.command("say");
  room.setPose({ x: 0, y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 0 });
  const left = room.leave();
  gateways.last.tell({ type: "left", channel: 0, code: "left", reason: "", transfer: null });
  await left;
  await expect(pending).rejects.toMatchObject({ name: "CommandLost", reason: "left" });
  expect(clock.pending, "only the ping and the stable timer of the connection").toBe(2);
  client.close();
  await settle();
  expect(clock.pending).toBe(0);
});

test("[CL17] a leave that nobody answers ends all the same", async () => {
  const { room, clock } = await inRoom();
  const left = room.leave();
  await clock.run(clientDefaults.leaveMsMax, 100);
  await left;
  expect(room.ended).toBe(true);
});

test("[CL42] a ninth room on a socket is refused by name", async () => {
  const { client, gateways } = await inRoom();
  const joining = Array.from({ length: 7 }, (_, i) => client.join(`r${i}`, { profile: PROFILE }));
  const channels = gateways.last.all("join").map(({ channel }) => channel);
  expect(channels).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const channel of channels.slice(1))
    gateways.last.tell(joined({ channel }), snapshot({ channel }));
  await Promise.all(joining);
  const ninth = client.join("r9", { profile: PROFILE });
  await expect(ninth).rejects.toMatchObject({ code: "too_many_rooms" });
});
