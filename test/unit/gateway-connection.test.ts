import { describe, expect, it } from "vitest";
import { socketCap } from "../../gateway/file-limit.ts";
import { standingOf } from "../../gateway/standing.ts";
import { parseLimits } from "../../src/observe/open-files.ts";
import { CLOSE } from "../../src/protocol/close-codes.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { gatewayControl } from "../../src/protocol/subjects.ts";
import { rowAt } from "../support/fake-room.ts";
import { FakeClient, GATEWAY, GatewayRig } from "../support/gateway-rig.ts";

const closes = (rig: GatewayRig, reason: string): number =>
  rig.count("roomcluster_gateway_closes_total", { reason });

/** Verifying takes until it is released. */
function holdTokens(rig: GatewayRig): { readonly release: () => void } {
  let release: () => void = () => undefined;
  rig.verifying = new Promise((resolve) => {
    release = resolve;
  });
  return { release: () => release() };
}

describe("the handshake", () => {
  it("[GW3] closes a socket without a hello 4504, and destroys it when it does not close", async () => {
    const rig = new GatewayRig();
    const client = rig.connect();
    await rig.run(4_900);
    expect(client.closedWith).toBeUndefined();
    await rig.run(1_200);
    expect(client.closedWith).toEqual(CLOSE.handshakeTimeout);
    await rig.run(5_000);
    expect(client.terminated).toBe(true);
    expect(closes(rig, "handshakeTimeout")).toBe(1);
    expect(rig.core.stats().sockets).toBe(0);
  });

  it("[GW6] [GW9] closes 4502 without a common version", async () => {
    const rig = new GatewayRig();
    const client = rig.connect();
    client.hello("ann/audience", 2, 9);
    await rig.settle();
    expect(client.closedWith).toEqual(CLOSE.unsupportedVersion);
    expect(closes(rig, "unsupportedVersion")).toBe(1);
    const wide = rig.connect();
    wide.hello("ann/audience", 1, 9);
    await rig.settle();
    expect(wide.got("welcome")).toMatchObject([{ version: 1, gateway: GATEWAY, pingMs: 5_000 }]);
  });

  it("[GW6] closes 4503 for a token that does not verify", async () => {
    const rig = new GatewayRig();
    const client = rig.connect();
    client.hello("nonsense");
    await rig.settle();
    expect(client.closedWith).toEqual(CLOSE.unauthorized);
  });

  it("[GW6] leaves a socket alone that closed while its token was verified", async () => {
    const rig = new GatewayRig();
    const { release } = holdTokens(rig);
    const client = rig.connect();
    client.hello("ann/audience");
    client.join();
    client.drop();
    release();
    await rig.run(50);
    expect(client.writes).toEqual([]);
    expect(rig.core.stats()).toMatchObject({ sockets: 0, sessions: 0, rooms: 0 });
  });

  it("[GW6] stays closed where it was closed while its token was verified", async () => {
    const rig = new GatewayRig();
    const { release } = holdTokens(rig);
    const client = rig.connect();
    client.hello("ann/audience");
    for (let i = 0; i < 17; i++) client.send({ type: "ping", clientTime: 1, echoes: [] });
    expect(client.closedWith).toEqual(CLOSE.outOfOrder);
    release();
    await rig.run(5_000);
    expect(client.terminated).toBe(true);
    expect([closes(rig, "outOfOrder"), closes(rig, "idle")]).toEqual([1, 0]);
  });

  it("[GW6] says nothing of a bad token to a socket that closed meanwhile", async () => {
    const rig = new GatewayRig();
    const { release } = holdTokens(rig);
    const client = rig.connect();
    client.hello("nonsense");
    client.drop();
    release();
    await rig.run(20);
    expect(client.closedWith).toBeUndefined();
    expect([closes(rig, "client"), closes(rig, "unauthorized")]).toEqual([1, 0]);
  });

  it("[GW6] forgets a join whose socket closed, or that was left, while its token was verified", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann");
    const session = ann.got("joined")[0]?.token as string;
    const [gone, changed] = [await rig.welcomed("ann"), await rig.welcomed("ann")];
    const { release } = holdTokens(rig);
    gone.join({ session, attach: 2 });
    gone.drop();
    changed.join({ session, attach: 3 });
    changed.send({ type: "leave", channel: 0, transfer: null });
    release();
    await rig.run(200);
    expect(rig.room.heard("attach")).toHaveLength(1);
    expect(changed.got("left")).toMatchObject([{ code: "left" }]);
    expect(rig.core.stats()).toMatchObject({ sockets: 2, sessions: 1 });
  });

  it("[GW5] holds what follows the hello until the welcome, within bounds", async () => {
    const rig = new GatewayRig();
    const client = rig.connect();
    client.hello("ann/audience");
    client.join();
    client.send({ type: "ping", clientTime: 1, echoes: [] });
    await rig.run(120);
    expect(client.got("pong")).toHaveLength(1);
    expect(client.got("joined")).toHaveLength(1);
    const eager = rig.connect();
    eager.hello("bob/audience");
    for (let i = 0; i < 17; i++) eager.send({ type: "ping", clientTime: 1, echoes: [] });
    expect(eager.closedWith).toEqual(CLOSE.outOfOrder);
  });

  it("[GW8] counts the bytes of what is held until the welcome once", async () => {
    const rig = new GatewayRig({ bytesPerSecond: 32 * 1024, burstSeconds: 1 });
    const { release } = holdTokens(rig);
    const client = rig.connect();
    client.hello("ann/audience");
    const body = new Uint8Array(12 * 1024);
    const command = { type: "command", channel: 0, seq: 1, name: "do", resent: false } as const;
    for (let n = 0; n < 2; n++) client.send({ ...command, body, traceparent: null });
    release();
    await rig.run(120);
    expect(client.got("error").map(({ code }) => code)).toEqual(["not_joined", "not_joined"]);
    expect(rig.count("roomcluster_gateway_rate_limited_total", { kind: "bytes" })).toBe(0);
  });

  it("[GW5] closes 4505 for a message before hello, and for a second hello", async () => {
    const rig = new GatewayRig();
    const early = rig.connect();
    early.join();
    expect(early.closedWith).toEqual(CLOSE.outOfOrder);
    const pose = rig.connect();
    pose.pose(rowAt(0, 0, 0));
    expect(pose.closedWith).toEqual(CLOSE.outOfOrder);
    const twice = await rig.welcomed();
    twice.hello("ann/audience");
    expect(twice.closedWith).toEqual(CLOSE.outOfOrder);
  });
});

describe("payloads", () => {
  it.each([
    ["bytes that are no msgpack", Uint8Array.of(0xc1)],
    ["nothing", new Uint8Array()],
    ["a field of the wrong type", Uint8Array.of(0x93, 6, 0xa1, 0x61, 0x90)],
    ["a short pose", Uint8Array.of(2, 0, 0)],
    ["a server's frame", new Uint8Array(32).fill(3)],
  ])("[GW4] closes 4500 for %s", async (_what, payload) => {
    const rig = new GatewayRig();
    const client = await rig.welcomed();
    client.raw(payload);
    expect(client.closedWith).toEqual(CLOSE.malformed);
  });

  it("[GW4] closes 4500 for text, 4501 for too many bytes or messages", async () => {
    const rig = new GatewayRig();
    const text = await rig.welcomed();
    text.text();
    expect(text.closedWith).toEqual(CLOSE.malformed);
    const many = await rig.welcomed();
    many.send(
      ...Array.from({ length: 65 }, () => ({ type: "ping", clientTime: 1, echoes: [] }) as const),
    );
    expect(many.closedWith).toEqual(CLOSE.tooLarge);
    const large = await rig.welcomed();
    large.raw(new Uint8Array(rig.config.payloadBytesMax + 1));
    expect(large.closedWith).toEqual(CLOSE.tooLarge);
    expect([closes(rig, "malformed"), closes(rig, "tooLarge")]).toEqual([1, 2]);
  });

  it("[GW7] closes 4003 after three missed pings, not while something comes", async () => {
    const rig = new GatewayRig();
    const [dumb, alive] = [await rig.joined("ann"), await rig.joined("bob")];
    for (let second = 0; second < 14; second++) {
      await rig.run(1_000);
      alive.send({ type: "ping", clientTime: second, echoes: [] });
    }
    expect(dumb.closedWith).toBeUndefined();
    await rig.run(2_500);
    expect(dumb.closedWith).toEqual(CLOSE.idle);
    expect(alive.closedWith).toBeUndefined();
  });

  /** Of the frames of the next seconds, as many as it is sent; the room makes ten a second. */
  const framesIn = async (
    rig: GatewayRig,
    client: FakeClient,
    seconds: number,
    says?: () => void,
  ) => {
    const before = client.frames.length;
    for (let tick = 0; tick < seconds * 10; tick++) {
      rig.room.tick(GATEWAY, [rowAt(0, tick, 0)]);
      says?.();
      await rig.run(100);
    }
    return client.frames.length - before;
  };
  const pingOf = (tick: number) =>
    ({ type: "ping", clientTime: 1, echoes: [{ channel: 0, tick }] }) as const;

  it("[GW62] sends the fewest frames to one that moved and is not heard, until it is", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann");
    const moves = (): void => ann.pose(rowAt(0, 1, 1));
    expect(await framesIn(rig, ann, 5, moves)).toBe(50);
    const [during, stuckTick] = [await framesIn(rig, ann, 10), rig.room.ticks - 100];
    expect(during).toBeGreaterThanOrEqual(30);
    expect(during).toBeLessThanOrEqual(48);
    // It tells first what it had shown when it was stuck.
    ann.send(pingOf(stuckTick));
    expect(await framesIn(rig, ann, 2, moves)).toBe(20);
    ann.send(pingOf(stuckTick));
    expect(await framesIn(rig, ann, 2, moves), "it does not keep up").toBe(10);
  });

  it("[GW62] gives one that only pings the time of a ping", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann");
    ann.send(pingOf(0));
    expect(await framesIn(rig, ann, 5)).toBe(50);
    ann.send(pingOf(rig.room.ticks));
    const silent = await framesIn(rig, ann, 10);
    expect(silent).toBeGreaterThanOrEqual(60);
    expect(silent).toBeLessThanOrEqual(75);
    ann.send(pingOf(rig.room.ticks));
    expect(await framesIn(rig, ann, 1)).toBe(10);
  });
});

describe("many clients", () => {
  it("[GW77] all are looked at in a second, and few of them in any one sweep", async () => {
    const rig = new GatewayRig();
    const clients = Array.from({ length: 100 }, () => rig.connect());
    const closed = (): number => clients.filter(({ open }) => !open).length;
    // None of them ever says hello, so each is closed when it is looked at.
    await rig.run(rig.config.helloMsMax - 100);
    expect(closed()).toBe(0);
    const atOnce: number[] = [];
    for (let passed = 0; passed < 1_200; passed += rig.config.flushMs) {
      const before = closed();
      await rig.run(rig.config.flushMs);
      atOnce.push(closed() - before);
    }
    expect(closed()).toBe(100);
    expect(Math.max(...atOnce), JSON.stringify(atOnce)).toBeLessThanOrEqual(10);
  });
});

describe("a client that does not read", () => {
  it("[GW61] is written nothing more, and what waits for it is bounded and told", async () => {
    const rig = new GatewayRig({ tailBytesMax: 2_000 });
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    const session = ann.got("joined")[0]?.session as never;
    const answer = (seq: number) =>
      rig.room.say(GATEWAY, {
        type: "reply",
        session,
        seq,
        status: "ok",
        data: "x".repeat(900),
        index: rig.room.index,
      });
    ann.pendingBytes = rig.config.pendingBytesMax + 1;
    const [written, before] = [ann.writes.length, bob.frames.length];
    for (let tick = 0; tick < 30; tick++) {
      rig.room.tick(GATEWAY, [rowAt(0, tick, 0)]);
      if (tick === 5) answer(1);
      bob.pose(rowAt(1, tick, 0));
      await rig.run(100);
    }
    expect(ann.writes.length).toBe(written);
    expect(bob.frames.length - before).toBe(30);
    const queued = rig.gauges.get("roomcluster_gateway_queued_bytes") ?? 0;
    expect(queued - ann.pendingBytes).toBeGreaterThan(900);
    expect(queued - ann.pendingBytes).toBeLessThan(1_000);
    answer(2);
    answer(3);
    await rig.run(1_100);
    expect(ann.closedWith).toEqual(CLOSE.slowConsumer);
    ann.pendingBytes = 0;
    // What a second's look at everybody finds is told at its end.
    await rig.run(2_100);
    expect(rig.gauges.get("roomcluster_gateway_queued_bytes")).toBe(0);
  });
});

describe("limits", () => {
  it("[GW8] answers what is over a limit, and lets it through again later", async () => {
    const rig = new GatewayRig({ commandsPerSecond: 5, burstSeconds: 1 });
    const client = await rig.joined();
    for (let seq = 1; seq <= 7; seq++) client.command(seq);
    await rig.run(120);
    expect(rig.room.heard("command").map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(client.got("error").map(({ code }) => code)).toEqual(["rate_limited", "rate_limited"]);
    await rig.run(1_000);
    client.command(6);
    await rig.run(20);
    expect(rig.room.heard("command").at(-1)?.seq).toBe(6);
    expect(rig.count("roomcluster_gateway_rate_limited_total", { kind: "commands" })).toBe(2);
  });

  it("[GW8] drops poses over their rate without a word", async () => {
    const rig = new GatewayRig({ posesPerSecond: 5, burstSeconds: 1 });
    const client = await rig.joined();
    const told = client.messages.length;
    for (let x = 0; x < 12; x++) {
      client.pose(rowAt(0, x, 0));
      await rig.run(20);
    }
    expect(rig.room.heard("poses").length).toBeLessThanOrEqual(7);
    expect(rig.room.heard("poses").length).toBeGreaterThanOrEqual(4);
    expect(client.messages.length).toBe(told);
    expect(client.closedWith).toBeUndefined();
  });

  it.each([
    "messages",
    "poses",
  ] as const)("[GW8] closes 4506 one who floods with %s", async (kind) => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    let sent = 0;
    while (client.open && sent < 20_000) {
      sent++;
      if (kind === "poses") client.pose(rowAt(0, 1, 1));
      else client.send({ type: "leave", channel: 3, transfer: null });
      if (sent % 100 === 0) await rig.run(10);
    }
    expect(client.closedWith).toEqual(CLOSE.flooding);
    expect(sent).toBeGreaterThan(100);
  });

  it("[GW8] refuses a ninth membership and a channel in use", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    client.join();
    for (let channel = 1; channel <= 8; channel++) client.join({ channel });
    await rig.run(120);
    expect(client.got("refused").map(({ channel, code }) => [channel, code])).toEqual([
      [0, "channel_taken"],
      [8, "channel_taken"],
    ]);
    expect(client.got("joined")).toHaveLength(8);
  });

  it("[GW8] refuses joins over their rate, and leaves the channel as it is", async () => {
    const rig = new GatewayRig({ joinsPerSecond: 1 });
    const client = await rig.joined();
    for (let n = 0; n < 9; n++) client.join();
    await rig.run(120);
    const refused = client.got("refused");
    expect(refused.slice(0, 7).every(({ code }) => code === "channel_taken")).toBe(true);
    const limited = { code: "rate_limited", retryAfterMs: 1_000 };
    expect(refused.slice(7)).toMatchObject([limited, limited]);
    expect(rig.count("roomcluster_gateway_rate_limited_total", { kind: "joins" })).toBe(2);
    client.command(1);
    await rig.run(20);
    expect(rig.room.heard("command")).toHaveLength(1);
  });

  it("[GW8] counts unknown messages and the transport's pings", async () => {
    const rig = new GatewayRig();
    const [unknown, pinging] = [await rig.welcomed("ann"), await rig.welcomed("bob")];
    pinging.pendingBytes = 2 ** 20;
    expect(pinging.transportPing()).toBe(false);
    pinging.pendingBytes = 0;
    expect(pinging.transportPing()).toBe(true);
    for (let n = 0; n < 300; n++) {
      unknown.raw(Uint8Array.of(0x91, 99));
      pinging.transportPing();
    }
    expect(unknown.closedWith).toEqual(CLOSE.flooding);
    expect(pinging.closedWith).toEqual(CLOSE.flooding);
  });

  it("[GW2] takes as many sockets as the limit on open files allows, and says so", () => {
    const limits = "Max cpu time  unlimited unlimited seconds\nMax open files  1024  4096  files\n";
    expect(parseLimits(limits)).toBe(1024);
    expect(parseLimits("Max open files  unlimited  unlimited  files")).toBeUndefined();
    expect(socketCap(500, 256, 1024)).toEqual({ sockets: 500, why: undefined });
    const capped = socketCap(17_000, 256, 1024);
    expect(capped.sockets).toBe(768);
    expect(capped.why).toContain("The limit on open files is 1024");
    expect(socketCap(17_000, 256, undefined).sockets).toBe(17_000);
  });

  it("[GW2] tells a socket over the cap when to come back, and closes it 4001", () => {
    const rig = new GatewayRig();
    const client = new FakeClient(rig, "overloaded");
    expect(client.got("retryAfter")).toHaveLength(1);
    expect(client.closedWith).toEqual(CLOSE.overloaded);
  });

  it("[GW2] lets performers and staff in over the cap, as far as half of the headroom", async () => {
    const cases = [-1, 0, 1, 32, 33, 64].map((over) => standingOf(over, 64));
    const [first, , , last] = ["welcome", "welcome", "staff_only", "staff_only"] as const;
    expect(cases).toEqual([first, first, last, last, "overloaded", "overloaded"]);
    const rig = new GatewayRig();
    for (const [role, welcome] of Object.entries({
      audience: 0,
      observer: 0,
      staff: 1,
      performer: 1,
    })) {
      const client = new FakeClient(rig, "staff_only");
      expect(client.got("retryAfter"), "nobody knows who it is").toEqual([]);
      client.hello(`ann/${role}`);
      await rig.run(10);
      expect(client.got("welcome"), role).toHaveLength(welcome);
      expect(client.got("retryAfter"), role).toHaveLength(1 - welcome);
      expect(client.closedWith, role).toEqual(welcome ? undefined : CLOSE.overloaded);
    }
  });
});

describe("going away", () => {
  it("[GW11] drains within drainMs, each client in its turn, and closes last who stays", async () => {
    const rig = new GatewayRig({ drainMs: 3_000, drainGraceMs: 1_000 });
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, at) => rig.welcomed(`p${at}`)),
    );
    const drain = control.encode({ type: "drain", deadlineMs: 60_000 });
    rig.control.publish(gatewayControl(GATEWAY), drain);
    await rig.settle();
    let drained = false;
    void rig.core.drain().then(() => {
      drained = true;
    });
    const told: number[] = [];
    for (let step = 0; step < 30; step++) {
      told.push(clients.filter((client) => client.got("retryAfter").length > 0).length);
      expect(clients.some((client) => client.closedWith)).toBe(false);
      await rig.run(100);
    }
    // One in each step of a twentieth, neither all at first nor all at last.
    expect(told.slice(0, 20).every((count, step) => Math.abs(count - step - 1) <= 1)).toBe(true);
    expect(told.at(-1)).toBe(20);
    const delays = clients.map((client) => client.got("retryAfter")[0]?.afterMs ?? -1);
    expect(new Set(delays).size).toBeGreaterThan(10);
    expect(Math.max(...delays)).toBeLessThan(500);
    await rig.run(100);
    for (const client of clients) {
      expect(client.closedWith).toEqual(CLOSE.goingAway);
      expect(client.story.slice(-2)).toEqual(["retryAfter", "retryAfter"]);
      client.drop();
    }
    expect(drained).toBe(false);
    await rig.run(100);
    expect(drained).toBe(true);
  });

  it.each([
    ["a shorter deadline counts", 1_000, 60_000, 1_000],
    ["so does its own time", 60_000, 1_000, 1_000],
    ["0 leaves it to the gateway", 0, 1_500, 1_500],
  ])("[GW11] of a drain by message %s, and the first word", async (_, deadlineMs, drainMs, ms) => {
    const rig = new GatewayRig({ drainMs });
    const client = await rig.welcomed();
    const say = (by: number) => {
      const drain = control.encode({ type: "drain", deadlineMs: by });
      rig.control.publish(gatewayControl(GATEWAY), drain);
    };
    say(deadlineMs);
    await rig.run(100);
    say(50);
    await rig.run(ms - 250);
    expect(client.closedWith).toBeUndefined();
    await rig.run(300);
    expect(client.closedWith).toEqual(CLOSE.goingAway);
    client.drop();
    await rig.run(200);
    expect(rig.drained).toBe(1);
  });

  it("[GW11] gives nobody's turn to those that are closing already", async () => {
    const rig = new GatewayRig({ drainMs: 3_000, drainGraceMs: 1_000 });
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, at) => rig.welcomed(`p${at}`)),
    );
    // Their sockets are slow to take part in the closing.
    for (const client of clients.slice(0, 10)) client.text();
    void rig.core.drain();
    await rig.run(1_000);
    const told = clients.slice(10).filter((client) => client.got("retryAfter").length > 0);
    expect(told.length).toBeGreaterThanOrEqual(4);
    expect(told.length).toBeLessThanOrEqual(7);
  });

  it("[GW11] serves a member until it is attached elsewhere, then closes its socket", async () => {
    const rig = new GatewayRig({ drainMs: 3_000 });
    const client = await rig.joined();
    const { session, attach } = client.got("joined")[0] ?? {};
    const connection = rig.room.heard("attach")[0]?.connection;
    if (!session || !attach || !connection) throw new Error("not joined");
    const greeting = rig.connect();
    void rig.core.drain();
    await rig.run(1_600);
    expect(client.got("retryAfter")).toHaveLength(1);
    expect(greeting.closedWith, "it has nothing to lose").toEqual(CLOSE.goingAway);
    client.command(1);
    rig.room.write(GATEWAY, {});
    await rig.run(300);
    expect(rig.room.heard("command")).toHaveLength(1);
    expect(client.got("record")).toHaveLength(1);
    expect(client.closedWith).toBeUndefined();
    rig.room.say(GATEWAY, { type: "superseded", session, attach: attach + 1, connection });
    await rig.run(20);
    expect(client.got("left")).toMatchObject([{ code: "superseded" }]);
    expect(client.closedWith).toEqual(CLOSE.superseded);
  });

  it("[GW11] beats with its url, sessions and whether it drains", async () => {
    const rig = new GatewayRig();
    const beats: ReturnType<typeof decodeControl>[] = [];
    rig.control.subscribe("c.hb.g.>", ({ data }) => beats.push(decodeControl(data)));
    await rig.joined();
    await rig.run(1_000);
    expect(beats.at(-1)).toMatchObject({
      type: "gatewayBeat",
      url: "ws://gw1",
      sessions: 1,
      draining: false,
    });
    expect(beats.length).toBeGreaterThanOrEqual(2);
    void rig.core.drain();
    await rig.run(1_000);
    expect(beats.at(-1)).toMatchObject({ draining: true });
  });
});
