import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { Metrics } from "../../src/observe/observer.ts";
import { waitUntil } from "../support/wait-until.ts";

export interface BusHarness {
  /** Another process's bus on the same network. */
  open(name: string, metrics: Metrics): Promise<Bus>;
  /** Takes everybody's connection away; resolves when all of them know. */
  disconnect(): Promise<void>;
  /** Gives it back; resolves when all of them know. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** Counts what was dropped, by bus label. */
function counting(): { metrics: Metrics; dropped: () => number } {
  let dropped = 0;
  return {
    metrics: {
      add: (name, by = 1) => {
        if (name === "roomcluster_bus_dropped_total") dropped += by;
      },
      set() {},
      observe() {},
    },
    dropped: () => dropped,
  };
}

export function busContract(adapter: string, start: () => Promise<BusHarness>): void {
  describe(`Bus on ${adapter}`, () => {
    let harness: BusHarness;
    let opened: Bus[] = [];
    beforeAll(async () => {
      harness = await start();
    });
    afterEach(async () => {
      await Promise.all(opened.map((bus) => bus.close()));
      opened = [];
    });
    afterAll(() => harness?.close());

    const open = async (name = "a", metrics = counting().metrics): Promise<Bus> => {
      const bus = await harness.open(name, metrics);
      opened.push(bus);
      return bus;
    };
    const collect = (bus: Bus, subject: string, queue?: string): string[] => {
      const heard: string[] = [];
      bus.subscribe(subject, ({ data }) => heard.push(text(data)), queue ? { queue } : {});
      return heard;
    };
    const settled = (heard: readonly unknown[], count: number): Promise<void> =>
      waitUntil(`${count} messages`, () => heard.length >= count, { dump: () => heard });

    it("[BU1] reaches every subscription, the publisher's own included", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const own = collect(a, "t.one");
      const first = collect(b, "t.one");
      const second = collect(b, "t.one");
      const other = collect(b, "t.two");
      await Promise.all([a.flush(), b.flush()]);
      a.publish("t.one", bytes("x"));
      await Promise.all([settled(own, 1), settled(first, 1), settled(second, 1)]);
      expect([own, first, second, other]).toEqual([["x"], ["x"], ["x"], []]);
    });

    it("[BU2] matches wildcards by tokens", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const star = collect(b, "w.*.c");
      const rest = collect(b, "w.>");
      const last = collect(b, "w.b.*");
      await b.flush();
      for (const subject of ["w", "w.b", "w.b.c", "w.b.d", "w.b.c.d", "x.b.c", "w.end"])
        a.publish(subject, bytes(subject));
      await settled(rest, 5);
      await settled(last, 2);
      expect(star).toEqual(["w.b.c"]);
      expect(rest).toEqual(["w.b", "w.b.c", "w.b.d", "w.b.c.d", "w.end"]);
      expect(last).toEqual(["w.b.c", "w.b.d"]);
    });

    it("[BU3] gives each message to one member of a queue group", async () => {
      const [a, b, c] = [await open("a"), await open("b"), await open("c")];
      const groups = [collect(b, "q.x", "workers"), collect(c, "q.x", "workers")];
      const other = collect(c, "q.x", "auditors");
      const plain = collect(b, "q.x");
      await Promise.all([b.flush(), c.flush()]);
      for (let i = 0; i < 200; i++) a.publish("q.x", bytes(String(i)));
      await settled(plain, 200);
      await settled(other, 200);
      await waitUntil("the group to have all", () => groups.flat().length >= 200);
      const members = groups.map((heard) => heard.length);
      expect(members[0] as number).toBeGreaterThan(0);
      expect(members[1] as number).toBeGreaterThan(0);
      expect(groups.flat().sort()).toEqual([...plain].sort());
    });

    it("[BU3] takes listeners to different patterns for one queue group", async () => {
      const [a, b, c] = [await open("a"), await open("b"), await open("c")];
      const heard = [collect(b, "qp.x", "workers"), collect(c, "qp.*", "workers")];
      const plain = collect(b, "qp.>");
      await Promise.all([b.flush(), c.flush()]);
      for (let i = 0; i < 100; i++) a.publish("qp.x", bytes(String(i)));
      await settled(plain, 100);
      await waitUntil("the group to have all", () => heard.flat().length >= 100);
      await Promise.all([b.flush(), c.flush()]);
      expect(heard.flat().sort()).toEqual([...plain].sort());
    });

    it("[BU4] keeps a publisher's order over all its subjects", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const heard = collect(b, "o.*");
      await b.flush();
      const sent = Array.from({ length: 1000 }, (_, i) => String(i));
      for (const [i, one] of sent.entries()) a.publish(`o.${i % 7}`, bytes(one));
      await settled(heard, 1000);
      expect(heard).toEqual(sent);
    });

    it("[BU5] never calls a receiver inside publish", async () => {
      const a = await open();
      let inside = false;
      let calledInside: boolean | undefined;
      a.subscribe("r.x", () => {
        calledInside = inside;
      });
      await a.flush();
      inside = true;
      a.publish("r.x", bytes("x"));
      inside = false;
      await waitUntil("the message", () => calledInside !== undefined);
      expect(calledInside).toBe(false);
    });

    it("[BU6] does not call a closed subscription", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const gone: string[] = [];
      const kept = collect(b, "c.x");
      const subscription = b.subscribe("c.x", ({ data }) => gone.push(text(data)));
      await b.flush();
      a.publish("c.x", bytes("1"));
      await settled(kept, 1);
      subscription.close();
      await b.flush();
      a.publish("c.x", bytes("2"));
      await settled(kept, 2);
      expect(gone).toEqual(["1"]);
      subscription.close();
    });

    it("[BU7] keeps receivers' bytes apart between processes", async () => {
      const [a, b, c] = [await open("a"), await open("b"), await open("c")];
      const heard: string[] = [];
      for (const bus of [b, c])
        bus.subscribe("m.x", ({ data }) => {
          heard.push(text(data));
          data.fill(0);
        });
      await Promise.all([b.flush(), c.flush()]);
      a.publish("m.x", bytes("abc"));
      await settled(heard, 2);
      expect(heard).toEqual(["abc", "abc"]);
    });

    it("[BU8] answers a request with the first answer", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const plain: string[] = [];
      b.subscribe("s.echo", ({ data, respond }) => {
        if (text(data) === "plain") plain.push("plain");
        respond(bytes(`re ${text(data)}`));
        respond(bytes("again"));
      });
      await b.flush();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => a.request("s.echo", bytes(String(i)), 2000)),
      );
      const texts = answers.map((answer) => (answer.ok ? text(answer.value) : answer.error));
      expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => `re ${i}`));
      a.publish("s.echo", bytes("plain"));
      await settled(plain, 1);
    });

    it("[BU9] answers no_responders before the deadline", async () => {
      const a = await open();
      const before = performance.now();
      const answer = await a.request("nobody.here", bytes("x"), 20_000);
      expect(answer).toEqual({ ok: false, error: "no_responders" });
      expect(performance.now() - before).toBeLessThan(5_000);
    });

    it("[BU10] answers timeout at the deadline", async () => {
      const [a, b] = [await open("a"), await open("b")];
      collect(b, "silent.x");
      await b.flush();
      const before = performance.now();
      const answer = await a.request("silent.x", bytes("x"), 60);
      expect(answer).toEqual({ ok: false, error: "timeout" });
      expect(performance.now() - before).toBeGreaterThan(50);
    });

    it("[BU11] [BU12] [BU13] [BU14] loses and counts what is said without a connection", async () => {
      const count = counting();
      const [a, b] = [await open("a", count.metrics), await open("b")];
      const heard = collect(b, "l.x");
      collect(b, "l.silent");
      const changes: boolean[] = [];
      a.onConnection((connected) => changes.push(connected));
      await b.flush();
      a.publish("l.x", bytes("before"));
      await settled(heard, 1);

      const before = performance.now();
      const underWay = a.request("l.silent", bytes("x"), 30_000);
      await harness.disconnect();
      expect(a.connected).toBe(false);
      expect(await underWay).toEqual({ ok: false, error: "disconnected" });
      expect(performance.now() - before).toBeLessThan(10_000);
      expect(changes).toEqual([false]);
      for (let i = 0; i < 7; i++) a.publish("l.x", bytes("lost"));
      expect(count.dropped()).toBe(7);
      const refused = await a.request("l.x", bytes("lost"), 30_000);
      expect(refused).toEqual({ ok: false, error: "disconnected" });
      await a.flush();

      await harness.reconnect();
      expect(a.connected).toBe(true);
      expect(changes).toEqual([false, true]);
      a.publish("l.x", bytes("after"));
      await settled(heard, 2);
      expect(heard).toEqual(["before", "after"]);
    });

    it("[BU26] redials", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const heard = collect(a, "d.x");
      collect(b, "d.silent");
      const changes: boolean[] = [];
      a.onConnection((connected) => changes.push(connected));
      await Promise.all([a.flush(), b.flush()]);
      const underWay = a.request("d.silent", bytes("x"), 30_000);
      a.redial();
      expect(await underWay).toEqual({ ok: false, error: "disconnected" });
      await waitUntil("the connection to be back", () => a.connected, { dump: () => changes });
      expect(changes).toEqual([false, true]);
      await a.flush();
      b.publish("d.x", bytes("after"));
      await settled(heard, 1);
      expect(b.connected).toBe(true);
      await a.close();
      a.redial();
      expect(changes).toEqual([false, true, false]);
    });

    it("[BU28] hears nothing that was published before it listened", async () => {
      const a = await open();
      const first = collect(a, "e.x");
      await a.flush();
      a.publish("e.x", bytes("before"));
      const second = collect(a, "e.x");
      a.publish("e.x", bytes("after"));
      await settled(first, 2);
      await settled(second, 1);
      await a.flush();
      expect([first, second]).toEqual([["before", "after"], ["after"]]);
    });

    it("[BU12] [BU26] counts what the turn that loses its connection published", async () => {
      const count = counting();
      const a = await open("a", count.metrics);
      const b = await open("b");
      const heard = collect(b, "g.x");
      await b.flush();
      for (let i = 0; i < 3; i++) a.publish("g.x", bytes("before"));
      a.redial();
      expect(a.connected).toBe(false);
      for (let i = 0; i < 2; i++) a.publish("g.x", bytes("after"));
      await waitUntil("the connection to be back", () => a.connected);
      a.publish("g.x", bytes("again"));
      await waitUntil("the last one", () => heard.includes("again"), { dump: () => heard });
      expect(heard.length - 1 + count.dropped()).toBe(5);
      expect(heard).not.toContain("after");
    });

    it("[BU19] flushes", async () => {
      const [a, b] = [await open("a"), await open("b")];
      const heard = collect(b, "f.x");
      await b.flush();
      a.publish("f.x", bytes("x"));
      await a.flush();
      await b.flush();
      await settled(heard, 1);
    });
  });
}
