import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientToGateway } from "../../src/protocol/client-messages.ts";
import { CLOSE, type CloseName } from "../../src/protocol/close-codes.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { CalmCrew, type Count, closed, GATEWAY } from "../support/calm-crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import {
  joinOf,
  type RawClient,
  RawSocket,
  upgradeRequest,
  wsFrame,
  wsHead,
} from "../support/raw-client.ts";
import { waitUntil } from "../support/wait-until.ts";

type From = "open" | "welcome" | "member";
type Payload = readonly [name: string, from: From, send: Uint8Array | string];

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const PING = clientToGateway.encode({ type: "ping", clientTime: 1, echoes: [] });
const JOIN = clientToGateway.encode(joinOf("pier"));
const repeat = (bytes: Uint8Array, times: number): Uint8Array =>
  Buffer.concat(Array<Uint8Array>(times).fill(bytes));
/** The same on every run: a failure is to be seen again. */
const noise = (bytes: number): Uint8Array => {
  let state = 1;
  return Uint8Array.from({ length: bytes }, () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state & 0xff;
  });
};
/** A signal whose body nests this deep. */
const deep = (levels: number): Uint8Array => {
  let body: unknown = 1;
  for (let level = 0; level < levels; level++) body = [body];
  return Uint8Array.from([...hex("94 05 00 a1 61"), ...repeat(hex("91"), levels), 1]);
};

/** Payloads on a socket in some state, by how the gateway closes it. */
const PAYLOADS: Readonly<Partial<Record<CloseName, readonly Payload[]>>> = {
  malformed: [
    ["[PR2] nothing at all", "welcome", hex("")],
    ["[PR2] an unknown first byte", "welcome", hex("07 01 02")],
    ["[PR2] a frame, which is a gateway's", "member", new Uint8Array(48).fill(3)],
    ["[PR2] a kilobyte of noise", "member", noise(1024)],
    ["[PR2] noise that starts like a run", "member", Uint8Array.from([0x94, ...noise(600)])],
    ["[PR2] noise before hello", "open", noise(64)],
    ["[PR1] text", "member", "hello"],
    ["[PR1] text before hello", "open", "GET / HTTP/1.1"],
    ["[PR9] a join cut in half", "welcome", JOIN.subarray(0, 9)],
    ["[PR9] a good message and half a one", "welcome", Buffer.concat([PING, JOIN.subarray(0, 5)])],
    ["[PR9] a text where a number belongs", "welcome", encode([6, "soon", []])],
    ["[PR9] a time that is NaN", "welcome", encode([6, Number.NaN, []])],
    ["[PR9] a time that is infinite", "welcome", encode([6, Infinity, []])],
    ["[PR9] a channel of 256", "member", encode([3, 256, null])],
    ["[PR9] a negative seq", "member", encode([4, 0, -1, "put", hex("c0"), false, null])],
    [
      "[PR9] a seq beyond 2^53 - 1",
      "member",
      encode([4, 0, 2 ** 53, "put", hex("c0"), false, null]),
    ],
    ["[PR9] half a seq", "member", encode([4, 0, 0.5, "put", hex("c0"), false, null])],
    [
      "[PR9] a command name of 65",
      "member",
      encode([4, 0, 1, "p".repeat(65), hex("c0"), false, null]),
    ],
    ["[PR9] a command body that is text", "member", encode([4, 0, 1, "put", "{}", false, null])],
    [
      "[PR9] a body of 16,385 bytes",
      "member",
      encode([4, 0, 1, "put", new Uint8Array(16_385), false, null]),
    ],
    ["[PR9] a profile name of 10 kB", "member", encode([7, 0, ["n".repeat(10_000), 1, "m"]])],
    ["[PR9] a profile without a colour", "member", encode([7, 0, ["n"]])],
    ["[PR9] a follow of 65 members", "member", encode([8, 0, Array(65).fill([1, 1])])],
    ["[PR9] a follow of a slot alone", "member", encode([8, 0, [[1]]])],
    [
      "[PR9] a cursor of another form",
      "welcome",
      encode([2, 0, "pier", 1, null, "c", ["n", 1, "m"], null]),
    ],
    ["[PR9] nine echoes", "welcome", encode([6, 1, Array(9).fill([0, 0])])],
    ["[PR4] an extension type", "member", hex("94 05 00 a1 61 d6 ff 00 00 00 00")],
    ["[PR6] a key that is a number", "member", hex("94 05 00 a1 61 81 01 02")],
    ["[PR6] a key __proto__", "member", hex("94 05 00 a1 61 81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80")],
    ["[PR7] a signal 25 levels deep", "member", deep(24)],
    ["[PR7] a run of 30,000 open arrays", "member", repeat(hex("91"), 30_000)],
    ["[PR8] an array that claims 2^32 - 1", "member", hex("94 05 00 a1 61 dd ff ff ff ff")],
    ["[PR8] a map that claims 2^32 - 1", "member", hex("94 05 00 a1 61 df ff ff ff ff")],
    ["[PR8] a text that claims 4 GiB", "member", hex("94 05 00 a1 61 db ff ff ff ff 61")],
    ["[PR8] bytes that claim 4 GiB", "open", hex("95 01 01 01 c6 ff ff ff ff 61")],
    ["[PR8] claims of 65,535 within claims of 65,535", "member", repeat(hex("dc ff ff"), 22)],
    ["[PR27] a pose of 19 bytes", "member", new Uint8Array(19).fill(2)],
    ["[PR27] a pose of 21 bytes", "member", new Uint8Array(21).fill(2)],
  ],
  tooLarge: [
    ["[PR3] 65 messages", "member", repeat(PING, 65)],
    ["[GW4] 33 KiB", "member", new Uint8Array(33 * 1024).fill(0xc0)],
    ["[GW4] one byte too many, before hello", "open", new Uint8Array(32 * 1024 + 1)],
  ],
  outOfOrder: [
    ["[GW5] a join before hello", "open", JOIN],
    ["[GW5] a ping before hello", "open", PING],
    ["[GW5] a pose before hello", "open", new Uint8Array(20).fill(2)],
    ["[GW5] a second hello", "member", encode([1, 1, 1, "token", "raw"])],
  ],
  unsupportedVersion: [
    ["[PR11] versions that begin with 2", "open", encode([1, 2, 9, "token", "raw"])],
    ["[PR11] versions that end with 0", "open", encode([1, 0, 0, "token", "raw"])],
    ["[PR11] a range from 2 to 1", "open", encode([1, 2, 1, "token", "raw"])],
  ],
};

/** Frames below the messages, as no WebSocket library sends them. */
const FRAMES: readonly (readonly [name: string, bytes: Uint8Array, close: CloseName])[] = [
  ["[GW4] a frame without a mask", hex("82 01 90"), "malformed"],
  ["[GW4] a reserved bit", wsFrame(PING, 0xc2), "malformed"],
  ["[GW4] a reserved opcode", wsFrame(PING, 0x83), "malformed"],
  ["[GW4] a continuation of nothing", wsFrame(PING, 0x80), "malformed"],
  [
    "[GW4] a message within a message",
    Buffer.concat([wsFrame(PING, 0x02), wsFrame(PING)]),
    "malformed",
  ],
  ["[GW4] a ping in fragments", wsFrame(PING, 0x09), "malformed"],
  ["[GW4] a ping of 126 bytes", wsFrame(new Uint8Array(126), 0x89), "malformed"],
  ["[GW4] a close of one byte", wsFrame(hex("03"), 0x88), "malformed"],
  ["[GW4] a close with code 999", wsFrame(hex("03 e7"), 0x88), "malformed"],
  [
    "[GW4] garbage in two fragments",
    Buffer.concat([wsFrame(noise(40), 0x02), wsFrame(noise(40), 0x80)]),
    "malformed",
  ],
  [
    "[GW4] a text in two fragments",
    Buffer.concat([wsFrame(PING, 0x01), wsFrame(PING, 0x80)]),
    "malformed",
  ],
  ["[GW4] a head that claims 1 MiB", wsHead(2 ** 20), "tooLarge"],
  ["[GW4] a head that claims 2^40 bytes", wsHead(2 ** 40), "tooLarge"],
  ["[GW4] a head that claims 2^53 bytes", wsHead(2 ** 53), "tooLarge"],
  [
    "[GW4] 33 fragments of 1 KiB",
    Buffer.concat([
      wsFrame(new Uint8Array(1024), 0x02),
      ...Array.from({ length: 32 }, () => wsFrame(new Uint8Array(1024), 0x00)),
    ]),
    "tooLarge",
  ],
  [
    "[GW4] 20,000 fragments of one byte",
    Buffer.concat([
      wsFrame(hex("90"), 0x02),
      ...Array.from({ length: 20_000 }, () => wsFrame(hex("90"), 0x00)),
    ]),
    "tooLarge",
  ],
];

/** Bytes on a new TCP connection, and the HTTP status that answers them. */
const REQUESTS: readonly (readonly [name: string, status: number, bytes: string, why?: string])[] =
  [
    [
      "[GW1] a page of another origin",
      403,
      upgradeRequest({ Origin: "https://evil.example" }),
      "origin",
    ],
    ["[GW1] a sandboxed page", 403, upgradeRequest({ Origin: "null" }), "origin"],
    [
      "[GW1] no subprotocol",
      400,
      upgradeRequest({ "Sec-WebSocket-Protocol": undefined }),
      "subprotocol",
    ],
    [
      "[GW1] another subprotocol",
      400,
      upgradeRequest({ "Sec-WebSocket-Protocol": "chat, roomcluster2" }),
      "subprotocol",
    ],
    [
      "[GW1] a list of subprotocols that is broken",
      400,
      upgradeRequest({ "Sec-WebSocket-Protocol": "roomcluster,,(" }),
      "handshake",
    ],
    ["[GW1] no key", 400, upgradeRequest({ "Sec-WebSocket-Key": undefined }), "handshake"],
    [
      "[GW1] a key of another length",
      400,
      upgradeRequest({ "Sec-WebSocket-Key": "AAAA" }),
      "handshake",
    ],
    [
      "[GW1] WebSocket version 7",
      400,
      upgradeRequest({ "Sec-WebSocket-Version": "7" }),
      "handshake",
    ],
    ["[GW1] an upgrade by POST", 405, upgradeRequest({ method: "POST" }), "handshake"],
    ["[GW1] an upgrade to h2c", 400, upgradeRequest({ Upgrade: "h2c" }), "handshake"],
    ["[GW46] plain HTTP", 426, "GET / HTTP/1.1\r\nHost: g\r\n\r\n"],
    [
      "[GW46] a POST with a body",
      426,
      "POST /v1/rooms HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ["[GW46] the path //", 426, "GET // HTTP/1.1\r\nHost: g\r\n\r\n"],
    [
      "[GW46] a path that is a broken URL",
      426,
      "GET //[::bad/dev/token HTTP/1.1\r\nHost: g\r\n\r\n",
    ],
    ["[GW46] a proxy's request", 426, "GET http://elsewhere/ HTTP/1.1\r\nHost: g\r\n\r\n"],
    [
      "[GW46] a token for a tenant that is none",
      400,
      "GET /dev/token?person=p&tenant=.. HTTP/1.1\r\nHost: g\r\n\r\n",
    ],
    ["[GW46] bytes that are no HTTP", 400, `${Buffer.from(noise(200)).toString("latin1")}\r\n\r\n`],
    [
      "[GW46] two lengths",
      400,
      "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    [
      "[GW46] 20 kB of headers",
      431,
      `GET / HTTP/1.1\r\nHost: g\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    ],
  ];

type Claims = Record<string, unknown>;
const KEY = new TextEncoder().encode("another secret that is long enough for HS256");
const now = (): number => Math.floor(Date.now() / 1000);
const unsigned = (claims: Claims): string =>
  [{ alg: "none" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");

/** Tokens that open nothing: all close 4503. */
const TOKENS: readonly {
  readonly name: string;
  readonly token: (crew: CalmCrew) => Promise<string> | string;
}[] = [
  { name: "[GW12] no token", token: () => "" },
  { name: "[GW12] garbage", token: () => "not.a.token" },
  { name: "[GW12] 8 kB of dots", token: () => ".".repeat(8192) },
  {
    name: "[GW12] one that expired a minute ago",
    token: (crew) => crew.token({ exp: now() - 60 }),
  },
  { name: "[GW12] one that is not valid yet", token: (crew) => crew.token({ nbf: now() + 600 }) },
  { name: "[GW12] another secret", token: (crew) => crew.token({}, KEY) },
  {
    name: "[GW12] another algorithm",
    token: (crew) => crew.token({}, undefined, { alg: "HS512" }),
  },
  {
    name: "[GW12] no signature",
    token: () => `${unsigned({ sub: "eve", tenant: "demo", exp: now() + 60 })}.`,
  },
  { name: "[GW12] no exp", token: (crew) => crew.token({ exp: undefined }) },
  { name: "[GW12] no sub", token: (crew) => crew.token({ sub: undefined }) },
  { name: "[GW12] a sub with a line break", token: (crew) => crew.token({ sub: "eve\nadmin" }) },
  { name: "[GW12] no tenant", token: (crew) => crew.token({ tenant: undefined }) },
  { name: "[GW12] a tenant that is a wildcard", token: (crew) => crew.token({ tenant: ">" }) },
  { name: "[GW12] an unknown role", token: (crew) => crew.token({ role: "admin" }) },
  { name: "[GW12] rooms that are no list", token: (crew) => crew.token({ rooms: "pier" }) },
  {
    name: "[GW12] rooms that are no texts",
    token: (crew) => crew.token({ rooms: [{ pier: true }] }),
  },
  { name: "[GW12] a name of 49 letters", token: (crew) => crew.token({ name: "n".repeat(49) }) },
  {
    name: "[GW13] a session's token as a person's",
    token: async (crew) => {
      const client = await crew.member();
      const { token } = await client.take("joined");
      client.terminate();
      return token;
    },
  },
];

const create = (body: string, headers = "Content-Type: application/json\r\n"): string =>
  `POST /v1/rooms HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const local = (line: string): string => `${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** Requests to a placement process in dev mode, as unit tests have them without the process. */
const OPERATOR: readonly (readonly [name: string, status: number, bytes: string])[] = [
  ["[CO6] a body that is no JSON", 400, create("{")],
  ["[CO6] 16,000 open arrays", 400, create("[".repeat(16_000))],
  ["[CO6] a key __proto__", 400, create('{"room":"demo/x","world":"ledger","__proto__":{}}')],
  ["[CO6] a room with a wildcard", 400, create('{"room":"demo/>","world":"ledger"}')],
  ["[CO6] bytes that are no UTF-8", 400, create("\u0000")],
  ["[CO6] a form", 415, create("room=demo/x", "Content-Type: text/plain\r\n")],
  ["[CO6] 17 KiB", 413, create(" ".repeat(17 * 1024))],
  ["[CO5] another method", 405, local("PATCH /v1/rooms")],
  ["[CO17] a method that nobody knows", 400, local("DANCE /v1/rooms")],
  ["[CO5] a path that climbs", 404, local("GET /v1/rooms/demo/../../../etc/passwd")],
  ["[CO15] a page that climbs", 404, local("GET /../../../../etc/passwd")],
  ["[CO15] one that climbs by escapes", 404, local("GET /%2e%2e/%2e%2e/etc/passwd")],
  ["[CO15] the path //", 404, local("GET //")],
  ["[CO3] another host's name", 403, "GET /v1/nodes HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
  ["[CO17] no path at all", 400, local("GET nodes")],
  ["[CO17] bytes that are no HTTP", 400, "\u0001\u0002\r\n\r\n"],
  ["[CO17] 20 kB of headers", 431, `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`],
];

const CONTROL = "an operator's token of tests".replaceAll(" ", "-");

/** A second placement process, outside of dev mode and with an operator's token. */
async function guardedPlacement(crew: CalmCrew): Promise<{ child: ChildProcess; port: number }> {
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const sets = ["http.port=0", "placement.replicas=1"].flatMap((value) => ["--set", value]);
  const child = spawn(process.execPath, ["--import", "tsx", main, "placement", ...sets], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      ...crew.cluster.nats.credentials.env,
      ROOMCLUSTER_ROLE_ID: "placement-guarded",
      ROOMCLUSTER_CONTROL_TOKEN: CONTROL,
    },
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const port = (): string | undefined =>
    /"http":(\d+),"msg":"This process has started/.exec(output)?.[1];
  await waitUntil("the placement has started", () => port() !== undefined, {
    timeoutMs: 20_000,
    dump: () => output,
  });
  return { child, port: Number(port()) };
}

describe.skipIf(withoutNats)("bad input on sockets", () => {
  let crew: CalmCrew;

  beforeAll(async () => {
    crew = await CalmCrew.start();
  }, 60_000);
  afterAll(async () => crew?.close());

  const client = (from: From): Promise<RawClient> =>
    from === "open" ? crew.dial().opened() : from === "welcome" ? crew.welcomed() : crew.member();

  const payloads = Object.entries(PAYLOADS).flatMap(([close, rows]) =>
    rows.map((row) => [close as CloseName, ...row] as const),
  );
  for (const [close, name, from, send] of payloads)
    it(`${name} (${from}): ${close}`, async () => {
      const raw = await client(from);
      await crew.counted([closed(close)], async () => {
        raw.raw(send);
        await crew.closes(raw, close);
      });
      await crew.undisturbed();
    });

  for (const [name, bytes, close] of FRAMES)
    it(`${name}: ${close}`, async () => {
      const raw = await RawSocket.upgraded(crew.port);
      await crew.counted([closed(close)], async () => {
        raw.write(bytes);
        await raw.until("a close frame came", () => raw.closeCode !== undefined);
        expect(raw.closeCode).toBe(CLOSE[close].code);
      });
      raw.destroy();
      await crew.undisturbed();
    });

  for (const [name, status, bytes, why] of REQUESTS)
    it(`${name}: HTTP ${status}`, async () => {
      const raw = await RawSocket.dial(crew.port);
      const refused: Count[] = why
        ? [["roomcluster_gateway_upgrades_refused_total", `why="${why}"`, 1]]
        : [];
      await crew.counted(refused, async () => {
        raw.write(bytes);
        await raw.until("it is answered", () => raw.status !== undefined);
        expect(raw.status).toBe(status);
      });
      raw.destroy();
      await crew.undisturbed();
    });

  for (const { name, token } of TOKENS)
    it(`${name}: unauthorized`, async () => {
      const raw = await crew.dial().opened();
      const given = await token(crew);
      await crew.counted([closed("unauthorized")], async () => {
        raw.hello(given);
        await crew.closes(raw, "unauthorized");
      });
      await crew.undisturbed();
    });

  it("[PR9] skips messages of a tag it does not know, and counts each payload as one", async () => {
    const raw = await crew.member();
    raw.raw(Buffer.concat([encode([99, "from", ["the", "future"]]), PING]));
    await raw.until("the ping beside it is answered", () => raw.got("pong").length === 1);
    const limited: Count = ["roomcluster_gateway_closes_total", 'reason="flooding"', 1];
    await crew.counted([limited], async () => {
      for (let n = 0; n < 400; n++) raw.raw(encode([99]));
      await crew.closes(raw, "flooding");
    });
    await crew.undisturbed();
  });

  it("[GW4] takes a message in fragments", async () => {
    const raw = await RawSocket.upgraded(crew.port);
    const hello = clientToGateway.encode({
      type: "hello",
      versionMin: 1,
      versionMax: 1,
      token: await crew.token(),
      agent: "raw",
    });
    raw.write(wsFrame(hello.subarray(0, 30), 0x02));
    raw.write(wsFrame(new Uint8Array(), 0x00));
    raw.write(wsFrame(hello.subarray(30), 0x80));
    raw.write(wsFrame(Uint8Array.from(Buffer.from("echo?")), 0x89));
    await raw.until("it is welcome", () => raw.text.includes(GATEWAY));
    await raw.until("its ping is answered", () => raw.text.includes("\x8a\x05echo?"));
    expect(raw.closeCode).toBeUndefined();
    raw.destroy();
    await crew.undisturbed();
  });

  it("[GW5] holds 16 payloads before the welcome and no more: outOfOrder", async () => {
    const raw = await crew.dial().opened();
    const token = await crew.token();
    await crew.counted([closed("outOfOrder")], async () => {
      const hello = encode([1, 1, 1, token, "raw"]);
      raw.raw(Buffer.concat([hello, repeat(PING, 17)]));
      await crew.closes(raw, "outOfOrder");
    });
    await crew.undisturbed();
  });

  it("[GW2] takes 200 sockets at once, and forgets them when they go", async () => {
    const sockets = (): Promise<number> => crew.count(["roomcluster_gateway_sockets", "", 0]);
    const descriptors = (): Promise<number> => crew.count(["process_open_fds", "", 0]);
    const before = [await sockets(), await descriptors()] as const;
    await crew.counted([["roomcluster_gateway_closes_total", 'reason="client"', 200]], async () => {
      const raws = await Promise.all(
        Array.from({ length: 200 }, () => RawSocket.upgraded(crew.port)),
      );
      for (const raw of raws) raw.destroy();
    });
    const gone = async (): Promise<boolean> =>
      (await sockets()) <= before[0] && (await descriptors()) <= before[1] + 10;
    await waitUntil("all are forgotten", gone, { dump: () => before });
    await crew.undisturbed();
  });

  it("[GW1] hangs up on those it refuses, also where they do not", async () => {
    const descriptors = (): Promise<number> => crew.count(["process_open_fds", "", 0]);
    const before = await descriptors();
    const raws = await Promise.all(Array.from({ length: 50 }, () => RawSocket.dial(crew.port)));
    const taken = async (): Promise<boolean> => (await descriptors()) >= before + 45;
    await waitUntil("the gateway has taken them", taken);
    const request = upgradeRequest({ Origin: "https://evil.example" });
    for (const raw of raws) raw.write(request);
    let open = 0;
    const gone = async (): Promise<boolean> => {
      open = await descriptors();
      return open <= before + 10;
    };
    await waitUntil("their descriptors are free", gone, { dump: () => ({ before, open }) });
    for (const raw of raws) expect(raw.status).toBe(403);
    for (const raw of raws) raw.destroy();
    await crew.undisturbed();
  });

  describe.concurrent("deadlines", () => {
    it("[GW3] no hello: handshakeTimeout", async () => {
      const raw = await crew.dial().opened();
      const began = performance.now();
      await crew.counted([closed("handshakeTimeout", 3)], async () => {
        const half = await RawSocket.upgraded(crew.port);
        half.write(wsFrame(encode([1, 1, 1, "token", "raw"])).subarray(0, 12));
        const pinging = await crew.dial().opened();
        const pings = setInterval(() => pinging.wsPing(), 200);
        await crew.closes(raw, "handshakeTimeout");
        await crew.closes(pinging, "handshakeTimeout");
        clearInterval(pings);
        await half.until("half a hello is none", () => half.closeCode === 4504);
        half.destroy();
      });
      expect(performance.now() - began).toBeGreaterThan(900);
    });

    it("[GW7] silence, but for WebSocket's own pings: idle", async () => {
      const raw = await crew.member();
      const pings = setInterval(() => raw.wsPing(), 300);
      const began = performance.now();
      await crew.counted([closed("idle")], () => crew.closes(raw, "idle", 10_000));
      clearInterval(pings);
      expect(performance.now() - began).toBeGreaterThan(2_500);
    });

    it("[GW3] headers that never end: HTTP 408 and hung up", async () => {
      const raw = await RawSocket.dial(crew.port);
      raw.write("GET / HTTP/1.1\r\n");
      const drip = setInterval(() => raw.write("X-A: b\r\n"), 100);
      await raw
        .until("it is answered", () => raw.status === 408)
        .finally(() => clearInterval(drip));
      await raw.until("the gateway hung up", () => raw.ended);
      raw.destroy();
    });

    it("[GW3] a connection that says nothing: hung up", async () => {
      const raw = await RawSocket.dial(crew.port);
      await raw.until("the gateway hung up", () => raw.ended);
      raw.destroy();
    });

    it("[GW3] a close that is never answered: the socket is destroyed", async () => {
      const raw = await RawSocket.upgraded(crew.port);
      raw.write(wsFrame(hex("c1")));
      await raw.until("it is closed", () => raw.closeCode === 4500);
      await raw.until("it is destroyed", () => raw.ended, 8_000);
      raw.destroy();
    });
  });

  describe("the operator API", () => {
    for (const [name, status, bytes] of OPERATOR)
      it(`${name}: HTTP ${status}`, async () => {
        const { port } = crew.cluster.member("placement-1");
        const raw = await RawSocket.dial(port);
        const answers: Count[] = [
          ["roomcluster_http_requests_total", `status="${status}"`, 1, "placement-1"],
        ];
        await crew.counted(answers, async () => {
          raw.write(bytes);
          await raw.until("it is answered", () => raw.status !== undefined);
          expect(raw.status).toBe(status);
        });
        raw.destroy();
        await crew.undisturbed();
      });

    it("[CO1] lets nobody in without the token, and nobody at dev tools with it", async () => {
      const { child, port } = await guardedPlacement(crew);
      try {
        const ask = async (target: string, authorization?: string): Promise<number | undefined> => {
          const raw = await RawSocket.dial(port);
          const line = authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
          raw.write(`POST ${target} HTTP/1.1\r\nHost: c\r\n${line}Content-Length: 0\r\n\r\n`);
          await raw.until("it is answered", () => raw.status !== undefined);
          raw.destroy();
          return raw.status;
        };
        const wrong = [
          undefined,
          "",
          "Bearer",
          "Bearer x",
          `Basic ${CONTROL}`,
          `Bearer ${CONTROL}x`,
        ];
        for (const authorization of wrong)
          for (const target of ["/v1/nodes", "/v1/rooms", "/v1/nodes/node-1/kill", "/v1/none"])
            expect(await ask(target, authorization), `${target} ${authorization}`).toBe(401);
        expect(await ask("/v1/nodes", `Bearer ${CONTROL}`)).toBe(405);
        expect(await ask("/v1/rooms", `Bearer ${CONTROL}`)).toBe(415);
        expect(await ask("/v1/nodes/node-1/kill", `Bearer ${CONTROL}`)).toBe(404);
      } finally {
        child.kill("SIGKILL");
      }
      await crew.undisturbed();
    });
  });

  it("[GW47] none of it made the gateway grow by more than 64 MiB", async () => {
    await crew.undisturbed();
    expect(crew.grownKiB).toBeLessThan(64 * 1024);
  });
});
