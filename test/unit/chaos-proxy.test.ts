import net from "node:net";
import { afterEach, expect, test } from "vitest";
import { TcpProxy } from "../chaos/proxy.ts";
import { waitUntil } from "../support/wait-until.ts";

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server that answers everything with the same bytes, and a proxy in front of it. */
async function echo(): Promise<{ proxy: TcpProxy; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => socket.end("bye"));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const proxy = await TcpProxy.listen({ host: "127.0.0.1", port });
  closers.push(
    () => void server.close(),
    () => proxy.close(),
  );
  return { proxy, sockets };
}

class Caller {
  readonly socket: net.Socket;
  text = "";
  closed = false;
  ended = false;

  constructor(port: number) {
    this.socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.text += text;
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
    });
    closers.push(() => void this.socket.destroy());
  }

  hears = (text: string): Promise<void> =>
    waitUntil(`"${text.slice(0, 40)}" comes back`, () => this.text === text, {
      dump: () => this.text.slice(0, 200),
    });
}

test("an open link passes everything on, large things too", async () => {
  const { proxy } = await echo();
  const caller = new Caller(proxy.port);
  const large = "x".repeat(3_000_000);
  caller.socket.write(large);
  await waitUntil("all is back", () => caller.text.length === large.length, { timeoutMs: 10_000 });
  expect(caller.text).toBe(large);
  expect(proxy.links).toBe(1);
});

test("a cut link carries nothing and closes nothing; what was kept back arrives when it heals", async () => {
  const { proxy } = await echo();
  const caller = new Caller(proxy.port);
  caller.socket.write("one");
  await caller.hears("one");
  proxy.set({ kind: "cut" });
  caller.socket.write("two");
  const late = new Caller(proxy.port);
  late.socket.write("late");
  await waitUntil("the late caller is through to the proxy", () => proxy.links === 2);
  // A healthy link beside it shows that bytes had time to arrive.
  const other = await echo();
  const witness = new Caller(other.proxy.port);
  witness.socket.write("now");
  await witness.hears("now");
  expect([caller.text, caller.closed, late.text, late.closed]).toEqual(["one", false, "", false]);
  proxy.set({ kind: "open" });
  await caller.hears("onetwo");
  await late.hears("late");
});

test("a slow link is late with each byte and keeps their order, and is slow no more when it heals", async () => {
  const { proxy } = await echo();
  const caller = new Caller(proxy.port);
  caller.socket.write("a");
  await caller.hears("a");
  proxy.set({ kind: "slow", delayMs: 60 });
  const sentAt = performance.now();
  caller.socket.write("b");
  await caller.hears("ab");
  const took = performance.now() - sentAt;
  expect(took, "there and back, less what timers are early").toBeGreaterThan(110);
  for (const letter of "cdefghij") caller.socket.write(letter);
  await caller.hears("abcdefghij");
  proxy.set({ kind: "slow", delayMs: 60_000 });
  caller.socket.write("k");
  proxy.set({ kind: "open" });
  caller.socket.write("l");
  await caller.hears("abcdefghijkl");
});

test("a reset breaks every link, and the next one works", async () => {
  const { proxy, sockets } = await echo();
  const callers = [new Caller(proxy.port), new Caller(proxy.port)];
  for (const caller of callers) caller.socket.write("x");
  for (const caller of callers) await caller.hears("x");
  proxy.reset();
  await waitUntil("both are told", () => callers.every(({ closed }) => closed));
  await waitUntil("so is the far side", () => sockets.every(({ destroyed }) => destroyed));
  const next = new Caller(proxy.port);
  next.socket.write("again");
  await next.hears("again");
});

test("one side may end first and still hear the other", async () => {
  const { proxy } = await echo();
  const caller = new Caller(proxy.port);
  caller.socket.end("last");
  await caller.hears("lastbye");
  await waitUntil("the end is passed on", () => caller.ended);
  await waitUntil("nothing is left of it", () => proxy.links === 0);
});

test("a far side that is not there looks like a link that breaks", async () => {
  const { proxy } = await echo();
  const dead = await TcpProxy.listen({ host: "127.0.0.1", port: proxy.port });
  closers.push(() => dead.close());
  await proxy.close();
  closers.splice(1, 1);
  const caller = new Caller(dead.port);
  await waitUntil("the caller is told", () => caller.closed);
});
