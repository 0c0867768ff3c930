import net from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { holdingClock } from "../../src/kernel/clock.ts";
import { type HttpLimits, listenHttp } from "../../src/observe/http.ts";
import { type HttpHandler, json } from "../../src/observe/http-answers.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { waitUntil } from "../support/wait-until.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(limits: Partial<HttpLimits> = {}, handle?: HttpHandler) {
  const metrics = createMetrics({ processMetrics: false });
  const asked: string[] = [];
  const listening = await listenHttp({
    host: "127.0.0.1",
    port: 0,
    observer: { ...silentObserver, metrics },
    clock: holdingClock,
    limits,
    handle: (request) => {
      asked.push(`${request.method} ${request.path}`);
      return handle?.(request) ?? json(200, { bytes: request.body.length });
    },
  });
  if (!listening.ok) throw new Error(listening.error);
  const { port, close } = listening.value;
  ends.push(close);
  /** Requests answered so far, by status. */
  const counts = async (): Promise<Record<string, number>> => {
    const lines = (await metrics.text()).matchAll(/http_requests_total\{status="(\w+)"\} (\d+)/g);
    return Object.fromEntries([...lines].map(([, status = "", count]) => [status, Number(count)]));
  };
  return { port, close, asked, counts };
}

/** A socket on which nothing is put in order before it is sent. */
class Peer {
  readonly socket: net.Socket;
  received = "";
  /** The server hung up. */
  ended = false;

  private constructor(port: number) {
    // A peer that never hangs up by itself.
    this.socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    // A reset shows in what was received, or was not.
    this.socket.on("error", () => {});
    ends.push(() => {
      this.socket.destroy();
    });
  }

  static async dial(port: number, bytes = ""): Promise<Peer> {
    const peer = new Peer(port);
    await peer.until("connected", () => !peer.socket.connecting);
    peer.socket.write(bytes);
    return peer;
  }

  get statuses(): number[] {
    return [...this.received.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status));
  }

  /** The error codes of the answers, in the form that all of them have. */
  get codes(): string[] {
    return [...this.received.matchAll(/\{"error":\{"code":"(\w+)","message":"[^"]+"\}\}\n/g)].map(
      ([, code = ""]) => code,
    );
  }

  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return waitUntil(`${what} by the server`, condition, { dump: () => this.received });
  }
}

const request = (line: string, rest = "", body = ""): string =>
  `${line} HTTP/1.1\r\nHost: localhost\r\n${rest}\r\n${body}`;
const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const filler = (bytes: number): string => `X: ${"x".repeat(bytes)}\r\n`;

const BAD: readonly (readonly [what: string, status: number, code: string, bytes: string])[] = [
  ["headers over the limit", 431, "headers_too_large", request("GET /", filler(8 * 1024))],
  ["100 kB of headers", 431, "headers_too_large", request("GET /", filler(100_000))],
  ["a target over the limit", 431, "headers_too_large", request(`GET /${"x".repeat(9_000)}`)],
  ["one header without an end", 431, "headers_too_large", `GET / HTTP/1.1\r\n${"x".repeat(9_000)}`],
  [
    "trailers over the limit",
    431,
    "headers_too_large",
    request("POST /", CHUNKED, `0\r\n${filler(9_000)}\r\n`),
  ],
  [
    "a chunk's extension without an end",
    413,
    "too_large",
    request("POST /", CHUNKED, `1;${"x".repeat(20_000)}`),
  ],
  [
    "a body over the limit",
    413,
    "too_large",
    request("POST /", "Content-Length: 16385\r\n", "x".repeat(16_385)),
  ],
  [
    "a length over the limit, and not yet a body",
    413,
    "too_large",
    request("POST /", "Content-Length: 16385\r\n"),
  ],
  [
    "a body over the limit with a request behind it",
    413,
    "too_large",
    request("POST /", "Content-Length: 16385\r\n", "x".repeat(16_385)) + request("GET /"),
  ],
  [
    "chunks that are too much together",
    413,
    "too_large",
    request("POST /", CHUNKED, `${chunk(1_000).repeat(17)}0\r\n\r\n`),
  ],
  [
    "chunks without an end",
    413,
    "too_large",
    request("POST /", CHUNKED, chunk(32 * 1024).repeat(33)),
  ],
  ["a chunk's size that is none", 400, "bad_request", request("POST /", CHUNKED, "zz\r\n")],
  [
    "two lengths",
    400,
    "bad_request",
    request("POST /", "Content-Length: 1\r\nContent-Length: 2\r\n"),
  ],
  [
    "a length and chunks",
    400,
    "bad_request",
    request("POST /", `Content-Length: 1\r\n${CHUNKED}`, "0\r\n\r\n"),
  ],
  ["a header without a colon", 400, "bad_request", request("GET /", "nothing\r\n")],
  ["a header folded", 400, "bad_request", request("GET /", "X: a\r\n\tb\0\r\n")],
  ["a target that is no path", 400, "bad_request", request("GET nodes", "Connection: close\r\n")],
  ["a proxy's target", 400, "bad_request", request("GET http://x/", "Connection: close\r\n")],
  ["a target of *", 400, "bad_request", request("OPTIONS *", "Connection: close\r\n")],
  ["a tunnel", 400, "bad_request", request("CONNECT elsewhere:443")],
  ["a target with a NUL", 400, "bad_request", request("GET /\0")],
  ["a method that nobody knows", 400, "bad_request", request("DANCE /")],
  ["another version", 400, "bad_request", "GET / HTTP/7.0\r\nHost: localhost\r\n\r\n"],
  ["HTTP/2", 400, "bad_request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["TLS", 400, "bad_request", "\x16\x03\x01\x02\x00\x01\x00"],
  ["no Host", 400, "bad_request", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
  [
    "an expectation that nobody knows",
    417,
    "expectation_failed",
    request("GET /", "Expect: wonders\r\nConnection: close\r\n"),
  ],
];

describe("what is no request", () => {
  test.each(BAD)("[CO17] %s: %i %s", async (_, status, code, bytes) => {
    const server = await serve();
    const peer = await Peer.dial(server.port, bytes);
    await peer.until("hung up", () => peer.ended);
    expect([peer.statuses, peer.codes]).toEqual([[status], [code]]);
    expect(peer.received).toMatch(/^connection: close\r$/im);
    expect(server.asked).toEqual([]);
    expect(await server.counts()).toEqual({ [status]: 1 });
  });

  test("[CO17] bytes after the mistake are answered no second time", async () => {
    const server = await serve();
    const peer = await Peer.dial(server.port, "no request\r\n\r\n");
    await peer.until("hung up", () => peer.ended);
    for (let i = 0; i < 20; i += 1) peer.socket.write(request("DANCE /"));
    const other = await Peer.dial(server.port, request("GET /after"));
    await other.until("answered", () => other.statuses.length === 1);
    expect(peer.statuses).toEqual([400]);
    expect(await server.counts()).toEqual({ 200: 1, 400: 1 });
  });

  test("[CO17] a peer that goes away in the middle is no refusal", async () => {
    const server = await serve();
    const half = request("POST /", "Content-Length: 10\r\n", "x");
    const peer = await Peer.dial(server.port, request("GET /before") + half);
    await peer.until("answered", () => peer.statuses.length === 1);
    peer.socket.resetAndDestroy();
    const other = await Peer.dial(server.port, request("GET /after"));
    await other.until("answered", () => other.statuses.length === 1);
    expect(server.asked).toEqual(["GET /before", "GET /after"]);
    expect(await server.counts()).toEqual({ 200: 2 });
  });

  test("[CO17] a request that ends in the middle is refused", async () => {
    const server = await serve();
    const peer = await Peer.dial(server.port, "GET / HTTP/1.1\r\nHo");
    peer.socket.end();
    await peer.until("hung up", () => peer.ended);
    expect(peer.codes).toEqual(["bad_request"]);
    expect(await server.counts()).toEqual({ 400: 1 });
  });

  test("[CO17] a connection over the limit is counted", async () => {
    const server = await serve({ connectionsMax: 1 });
    const peer = await Peer.dial(server.port, request("GET /"));
    await peer.until("answered", () => peer.statuses.length === 1);
    const second = await Peer.dial(server.port);
    await second.until("hung up", () => second.ended);
    expect(await server.counts()).toEqual({ 200: 1, dropped: 1 });
  });
});

describe("peers that take their time", () => {
  const LIMITS = { requestMsMax: 200 };
  /** The deadline, the tenth that it is looked at late, and a busy machine. */
  const GONE_MS_MAX = 1_500;

  test.each([
    ["a head", "GET / HTTP/1.1\r\nHo"],
    ["a body", request("POST /", "Content-Length: 10\r\n", "abc")],
    ["a chunk", request("POST /", CHUNKED, "5\r\nabc")],
    ["a second request", `${request("GET /first")}GET /sec`],
  ])("[CO17][CO18] %s that does not come to its end: 408", async (what, bytes) => {
    const server = await serve(LIMITS);
    const startedAt = performance.now();
    const peer = await Peer.dial(server.port, bytes);
    await peer.until("hung up", () => peer.ended);
    expect(performance.now() - startedAt).toBeLessThan(GONE_MS_MAX);
    const first = what === "a second request" ? [200] : [];
    expect([peer.statuses, peer.codes]).toEqual([[...first, 408], ["request_timeout"]]);
    expect((await server.counts())[408]).toBe(1);
  });

  test("[CO18] a head that drips is late like one that stands still", async () => {
    const server = await serve(LIMITS);
    const peer = await Peer.dial(server.port, "GET / HTTP/1.1\r\n");
    const drip = holdingClock.every(20, () => peer.socket.write("X: y\r\n"));
    ends.push(() => drip.cancel());
    await peer.until("hung up", () => peer.ended);
    expect(peer.statuses).toEqual([408]);
  });

  test("[CO18] a connection that was never used is closed without a word", async () => {
    const server = await serve(LIMITS);
    const peer = await Peer.dial(server.port);
    await peer.until("hung up", () => peer.ended);
    expect(peer.received).toBe("");
    expect(await server.counts()).toEqual({});
  });

  test("[CO18] one that does not read its answer is cut off", async () => {
    const large = { status: 200, body: new Uint8Array(32 * 1024 * 1024) };
    const server = await serve({ answerMsMax: 200 }, () => large);
    const peer = await Peer.dial(server.port);
    peer.socket.pause();
    peer.socket.write(request("GET /large"));
    await peer.until("asked", () => server.asked.length === 1);
    // The system's buffers hold a part; what is written into a closed connection tells that it is.
    const write = holdingClock.every(20, () => peer.socket.write("\r\n"));
    ends.push(() => write.cancel());
    await peer.until("cut off", () => peer.socket.destroyed);
  });

  test("[CO20] a refused one that never hangs up is cut off", async () => {
    const server = await serve({ lingerMsMax: 100 });
    const peer = await Peer.dial(server.port, "no request\r\n\r\n");
    await peer.until("hung up", () => peer.ended);
    const write = holdingClock.every(20, () => peer.socket.write("and on and on\r\n"));
    ends.push(() => write.cancel());
    await peer.until("cut off", () => peer.socket.destroyed);
    expect(peer.statuses).toEqual([400]);
  });

  test.each([
    ["no request", "no request\r\n\r\n"],
    ["a tunnel", request("CONNECT elsewhere:443")],
  ])("[CO20] closing does not wait for a refused one: %s", async (_, bytes) => {
    const server = await serve({ lingerMsMax: 60_000 });
    const peer = await Peer.dial(server.port, bytes);
    await peer.until("hung up", () => peer.ended);
    await server.close();
  });
});

describe("a mistake behind good requests", () => {
  /** Answers when told to, in whatever order. */
  function held() {
    const open = new Map<string, () => void>();
    const handle: HttpHandler = ({ path }) =>
      new Promise((resolve) => open.set(path, () => resolve(json(200, { path }))));
    return { open, handle };
  }

  test("[CO19] is answered after they are, and what follows is not done", async () => {
    const { open, handle } = held();
    const server = await serve({}, handle);
    const bytes = [request("GET /a"), request("GET /b"), request("DANCE /"), request("GET /c")];
    const peer = await Peer.dial(server.port, bytes.join(""));
    await peer.until("asked", () => server.asked.length === 2);
    expect(peer.received).toBe("");
    open.get("/b")?.();
    open.get("/a")?.();
    await peer.until("hung up", () => peer.ended);
    expect(peer.statuses).toEqual([200, 200, 400]);
    expect(peer.received.indexOf('"/a"')).toBeLessThan(peer.received.indexOf('"/b"'));
    expect(server.asked).toEqual(["GET /a", "GET /b"]);
    expect(await server.counts()).toEqual({ 200: 2, 400: 1 });
  });

  test("[CO19] in a body, too", async () => {
    const { open, handle } = held();
    const server = await serve({}, handle);
    const bytes = request("GET /a") + request("POST /b", CHUNKED, "zz\r\n");
    const peer = await Peer.dial(server.port, bytes);
    await peer.until("asked", () => server.asked.length === 1);
    open.get("/a")?.();
    await peer.until("hung up", () => peer.ended);
    expect(peer.statuses).toEqual([200, 400]);
    expect(server.asked).toEqual(["GET /a"]);
  });

  test("[CO19] a bad target is answered in its turn, and the connection goes on", async () => {
    const server = await serve();
    const bytes = request("GET /a") + request("GET http://x/") + request("GET /b");
    const peer = await Peer.dial(server.port, bytes);
    await peer.until("answered", () => peer.statuses.length === 3);
    expect(peer.statuses).toEqual([200, 400, 200]);
    expect(peer.ended).toBe(false);
  });
});
