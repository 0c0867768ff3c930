import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { GATEWAY_DEFAULTS, type GatewayConfig } from "../../gateway/config.ts";
import { type Gateway, startGateway } from "../../gateway/gateway.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import {
  clientToGateway,
  type GatewayMessage,
  SUBPROTOCOL,
} from "../../src/protocol/client-messages.ts";
import { CLOSE } from "../../src/protocol/close-codes.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { FakeJournal, FakeRoom, rowAt } from "../support/fake-room.ts";
import { GATEWAY, messagesOf, NODE, PROFILE, ROOM } from "../support/gateway-rig.ts";
import { unframe } from "../support/unframe.ts";
import { waitUntil } from "../support/wait-until.ts";

const SECRET = new TextEncoder().encode("a secret for persons, 32 bytes long!");
const opened: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Served {
  readonly gateway: Gateway;
  readonly room: FakeRoom;
  readonly http: string;
}

async function serve(over: Partial<GatewayConfig> = {}): Promise<Served> {
  const network = new MemoryNetwork(systemClock, seededRandom(1));
  const journal = new FakeJournal();
  const epoch = journal.claim(ROOM, NODE, 1);
  const bus = network.open("node1");
  const room = new FakeRoom({ bus, clock: systemClock, node: NODE, room: ROOM, epoch });
  bus.subscribe(PLACE_REQUEST, ({ respond }) =>
    respond(
      control.encode({
        type: "located",
        status: "placed",
        epoch: EPOCH_NONE,
        owner: null,
        retryAfterMs: 0,
      }),
    ),
  );
  const gateway = await startGateway({
    self: GATEWAY,
    controlBus: network.open("gw1"),
    dataBus: network.open("gw1"),
    journal,
    clock: systemClock,
    random: seededRandom(2),
    observer: silentObserver,
    config: { ...GATEWAY_DEFAULTS, devTokens: true, origins: ["https://good.example"], ...over },
    keys: { person: { kind: "secret", secret: SECRET }, session: randomBytes(32) },
    utilisation: () => 0,
    http: (request, response) => {
      if (request.url !== "/healthz") return false;
      response.end("fine");
      return true;
    },
  });
  opened.push(() => gateway.close());
  return { gateway, room, http: `http://127.0.0.1:${gateway.port}` };
}

/** A client of the library, and everything that became of it. */
interface Dialled {
  readonly socket: WebSocket;
  readonly messages: GatewayMessage[];
  status: number | undefined;
  closed: { readonly code: number; readonly reason: string } | undefined;
}

function dial(
  gateway: Gateway,
  headers: Record<string, string> = {},
  protocol = SUBPROTOCOL,
): Dialled {
  const socket = new WebSocket(gateway.url, protocol, { headers });
  const dialled: Dialled = { socket, messages: [], status: undefined, closed: undefined };
  socket.binaryType = "nodebuffer";
  socket.on("message", (data: Buffer) =>
    dialled.messages.push(...messagesOf(new Uint8Array(data))),
  );
  socket.on("unexpected-response", (_request, response) => {
    dialled.status = response.statusCode;
    socket.terminate();
  });
  socket.on("error", () => undefined);
  socket.on("close", (code, reason) => {
    dialled.closed = { code, reason: reason.toString() };
  });
  opened.push(() => socket.terminate());
  return dialled;
}

const open = (dialled: Dialled): Promise<void> =>
  waitUntil("the socket is open", () => dialled.socket.readyState === WebSocket.OPEN, {
    timeoutMs: 5_000,
    dump: () => JSON.stringify({ status: dialled.status, closed: dialled.closed }),
  });

const closedWith = (dialled: Dialled, close: { readonly code: number }): Promise<void> =>
  waitUntil(`the socket is closed ${close.code}`, () => dialled.closed?.code === close.code, {
    timeoutMs: 5_000,
    dump: () => JSON.stringify(dialled.closed ?? null),
  });

const tokenFor = async (http: string, person: string, role = "audience"): Promise<string> => {
  const query = new URLSearchParams({ person, name: person, role, tenant: "acme" });
  const answer = await fetch(`${http}/dev/token?${query}`);
  return ((await answer.json()) as { token: string }).token;
};

const hello = (token: string): Uint8Array =>
  clientToGateway.encode({ type: "hello", versionMin: 1, versionMax: 1, token, agent: "test" });

const joinHall = clientToGateway.encode({
  type: "join",
  channel: 0,
  room: "hall",
  attach: 1,
  session: null,
  cursor: null,
  profile: PROFILE,
  transfer: null,
  beside: null,
});

/** Linux tells by it what a socket may hold. */
const hasSs = spawnSync("ss", ["-V"]).status === 0;

describe("the listener", () => {
  it("[GW1] upgrades an allowed origin, none at all, and only with the subprotocol", async () => {
    const { gateway } = await serve();
    const bad = dial(gateway, { origin: "https://evil.example" });
    const unnamed = dial(gateway, {}, "chat");
    const good = dial(gateway, { origin: "https://good.example" });
    const native = dial(gateway);
    await open(good);
    await open(native);
    expect(good.socket.protocol).toBe(SUBPROTOCOL);
    expect(good.socket.extensions).toBe("");
    await waitUntil("both others are answered", () => !!bad.status && !!unnamed.status, {
      timeoutMs: 5_000,
      dump: () => JSON.stringify([bad.status, unnamed.status]),
    });
    expect([bad.status, unnamed.status]).toEqual([403, 400]);
    expect(gateway.stats().sockets).toBe(2);
  });

  it("[GW2] tells sockets over the cap so, and answers 503 past the headroom", async () => {
    const { gateway } = await serve({ socketsMax: 2, socketsHeadroom: 1 });
    const inside = [dial(gateway), dial(gateway)];
    for (const dialled of inside) await open(dialled);
    const told = dial(gateway);
    await closedWith(told, CLOSE.overloaded);
    expect(told.messages).toMatchObject([{ type: "retryAfter" }]);
    const held = await rawUpgrade(gateway);
    const turned = dial(gateway);
    await waitUntil("the upgrade is refused", () => turned.status === 503, {
      timeoutMs: 5_000,
      dump: () => String(turned.status),
    });
    expect(held.destroyed).toBe(false);
    for (const dialled of inside) expect(dialled.closed).toBeUndefined();
  });

  it.skipIf(!hasSs)("[GW67] lets many wait to be accepted", async () => {
    const { gateway } = await serve();
    const listed = execFileSync("ss", ["-ltnH", `sport = :${gateway.port}`], { encoding: "utf8" });
    const allowed = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
    // State, how many wait, how many may.
    expect(Number(listed.trim().split(/\s+/)[2])).toBe(Math.min(4_096, allowed));
  });

  it("[GW3] closes 4504 without a hello", async () => {
    const { gateway } = await serve({ helloMsMax: 100 });
    const dialled = dial(gateway);
    await closedWith(dialled, CLOSE.handshakeTimeout);
  });

  it("[GW3] listens with any deadline for hello that may be configured", async () => {
    const { gateway } = await serve({ helloMsMax: 60_000 });
    await open(dial(gateway));
  });

  it("[GW4] closes with the protocol's own codes for oversize, text and broken frames", async () => {
    const { gateway } = await serve();
    const [large, text, broken] = [dial(gateway), dial(gateway), await rawUpgrade(gateway)];
    await open(large);
    await open(text);
    large.socket.send(Buffer.alloc(33 * 1024));
    text.socket.send("hello");
    await closedWith(large, CLOSE.tooLarge);
    await closedWith(text, CLOSE.malformed);
    const received = collect(broken);
    // A frame that is not masked, which only servers may send.
    broken.write(Buffer.from([0x82, 0x01, 0x00]));
    const close = CLOSE.malformed.code;
    await waitUntil("the raw socket is told 4500", () => received().includes(code(close)), {
      timeoutMs: 5_000,
      dump: () => received().toString("hex"),
    });
  });

  it("[GW6] closes 4503 for an expired token and for one of another secret", async () => {
    const { gateway } = await serve();
    const sign = (expiresInS: number, key: Uint8Array) =>
      new SignJWT({ sub: "ann", tenant: "acme" })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInS)
        .sign(key);
    const good = dial(gateway);
    await open(good);
    for (const token of [await sign(-60, SECRET), await sign(60, randomBytes(32))]) {
      const dialled = dial(gateway);
      await open(dialled);
      dialled.socket.send(hello(token));
      await closedWith(dialled, CLOSE.unauthorized);
    }
    good.socket.send(hello(await sign(60, SECRET)));
    await waitUntil("the good one is welcome", () => good.messages[0]?.type === "welcome", {
      dump: () => good.closed ?? null,
    });
  });

  it("[GW8] closes 4506 one who floods with pongs that nobody asked for", async () => {
    const { gateway } = await serve();
    const [flooding, calm] = [dial(gateway), dial(gateway)];
    await Promise.all([open(flooding), open(calm)]);
    for (let n = 0; n < 5; n++) calm.socket.pong();
    for (let n = 0; n < 2_000; n++) flooding.socket.pong();
    await closedWith(flooding, CLOSE.flooding);
    expect(calm.closed).toBeUndefined();
  });

  it("[GW14] keeps a membership whose token expires, and lets the token open no other", async () => {
    const { gateway, room } = await serve({ tokenLeewayMs: 0 });
    const token = await new SignJWT({ sub: "ann", tenant: "acme" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(Math.floor(Date.now() / 1000) + 2)
      .sign(SECRET);
    const dialled = dial(gateway);
    await open(dialled);
    dialled.socket.send(hello(token));
    dialled.socket.send(joinHall);
    const saw = (type: GatewayMessage["type"]) =>
      dialled.messages.some((told) => told.type === type);
    await waitUntil("ann is in", () => saw("snapshot"), { dump: () => dialled.messages });
    const expired = async (): Promise<boolean> => {
      const late = dial(gateway);
      await open(late);
      late.socket.send(hello(token));
      await waitUntil(
        "it is answered",
        () => late.messages.length > 0 || late.closed !== undefined,
      );
      return late.closed?.code === CLOSE.unauthorized.code;
    };
    await waitUntil("the token opens nothing more", expired, { pollMs: 100 });
    room.write(GATEWAY, { patches: [[0, ["n"], "later"]] });
    await waitUntil("ann is told of what came later", () => saw("record"), {
      dump: () => ({ messages: dialled.messages, closed: dialled.closed ?? null }),
    });
    expect(dialled.closed).toBeUndefined();
  });

  it("[GW44] signs a token for anyone in development, for allowed origins", async () => {
    const { gateway, http, room } = await serve();
    const answer = await fetch(`${http}/dev/token?person=ann&tenant=acme`, {
      headers: { origin: "https://good.example" },
    });
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://good.example");
    const { token } = (await answer.json()) as { token: string };
    const dialled = dial(gateway);
    await open(dialled);
    dialled.socket.send(hello(token));
    dialled.socket.send(joinHall);
    await waitUntil("ann is in", () => dialled.messages.some(({ type }) => type === "snapshot"), {
      timeoutMs: 5_000,
      dump: () => JSON.stringify(dialled.messages),
    });
    expect(room.heard("attach")[0]).toMatchObject({ person: "ann", role: "audience" });
    const evil = { headers: { origin: "https://evil.example" } };
    expect((await fetch(`${http}/dev/token?person=ann`, evil)).status).toBe(403);
    expect((await fetch(`${http}/dev/token?person=ann&role=king`)).status).toBe(400);
    expect((await fetch(`${http}/dev/token`, { method: "POST" })).status).toBe(405);
  });

  it("[GW44] signs nothing where it is not configured, and leaves other requests to the caller", async () => {
    const { http } = await serve({ devTokens: false });
    const plain = await fetch(`${http}/dev/token?person=ann`);
    expect([plain.status, await plain.text()]).toEqual([426, expect.stringContaining("WebSocket")]);
    expect(plain.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await (await fetch(`${http}/healthz`)).text()).toBe("fine");
  });

  it("[GW11] takes no socket while it drains, and closes those it has", async () => {
    const { gateway } = await serve({ drainMs: 200 });
    const dialled = dial(gateway);
    await open(dialled);
    const drained = gateway.drain();
    const late = dial(gateway);
    await closedWith(dialled, CLOSE.goingAway);
    await drained;
    await waitUntil("the late one is refused", () => late.status === 503, {
      timeoutMs: 5_000,
      dump: () => String(late.status),
    });
  });

  it("[GW37] conflates for a real socket that does not read, and then brings it up to date", async () => {
    const { gateway, room, http } = await serve();
    const slow = await rawUpgrade(gateway);
    const received = collect(slow);
    slow.write(masked(hello(await tokenFor(http, "ann"))));
    slow.write(masked(joinHall));
    const told = () => unframeWhole(received()).flatMap((data) => [...messagesOf(data)]);
    await waitUntil("ann is in", () => told().some(({ type }) => type === "snapshot"), {
      timeoutMs: 5_000,
      dump: () => JSON.stringify(told()),
    });
    slow.pause();
    // Until neither the kernel's buffers nor the bound take any more: megabytes on this machine.
    const filler = "x".repeat(60_000);
    let written = 0;
    await waitUntil(
      "the gateway skips the slow client",
      () => {
        for (let n = 0; n < 5; n++) room.write(GATEWAY, { patches: [[0, ["n"], filler]] });
        room.tick(GATEWAY, [rowAt(0, written, 0)]);
        written++;
        return written > 60;
      },
      { timeoutMs: 20_000, dump: () => String(written) },
    );
    room.write(GATEWAY, { patches: [[0, ["n"], "last"]] });
    slow.resume();
    const upToDate = (): boolean => {
      room.tick(GATEWAY);
      return told().some(
        (message) =>
          (message.type === "record" && message.record.index === room.index) ||
          (message.type === "snapshot" && message.index === room.index),
      );
    };
    await waitUntil("it is up to date", upToDate, {
      timeoutMs: 20_000,
      dump: () => `${told().length} messages`,
    });
    const got = told();
    const snapshots = got.filter(({ type }) => type === "snapshot");
    const records = got.filter((message) => message.type === "record");
    expect(snapshots.length).toBeGreaterThan(1);
    expect(records.length).toBeLessThan(room.index - 2);
    expect(inOrder(got)).toBe(true);
  });
});

/** Every record follows the one before it, or the snapshot that took its place. */
function inOrder(messages: readonly GatewayMessage[]): boolean {
  let index = 0;
  for (const message of messages) {
    if (message.type === "snapshot") {
      if (message.index < index) return false;
      index = message.index;
    }
    if (message.type === "record" && message.record.index !== ++index) return false;
  }
  return true;
}

/** A socket after its upgrade, without a library that reads for it. */
async function rawUpgrade(gateway: Gateway): Promise<Socket> {
  const socket = connect(gateway.port, "127.0.0.1");
  opened.push(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET / HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
      `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  expect(head.toString()).toContain("101 Switching Protocols");
  return socket;
}

function collect(socket: Socket): () => Buffer {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

/** A client's binary frame, as RFC 6455 wants it from clients. */
function masked(payload: Uint8Array): Buffer {
  const mask = randomBytes(4);
  const body = Buffer.from(payload.map((byte, at) => byte ^ (mask[at & 3] as number)));
  const short = payload.length < 126;
  const head = short ? Buffer.from([0x82, 0x80 | payload.length]) : Buffer.from([0x82, 0xfe, 0, 0]);
  if (!short) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, mask, body]);
}

const code = (close: number): Buffer => Buffer.from([close >> 8, close & 0xff]);

/** Payloads of the frames that have arrived whole. */
function unframeWhole(data: Buffer): Uint8Array[] {
  let at = 0;
  for (;;) {
    const short = (data[at + 1] ?? 0) & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > data.length) break;
    const length =
      short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : data.readUInt32BE(at + 6);
    if (at + head + length > data.length) break;
    at += head + length;
  }
  return unframe(data.subarray(0, at));
}
