import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { jwtVerify, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { DEV_KEYS } from "../../src/config/keys.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { readFlags } from "../../src/load/dense/flags.ts";
import { LocalFrameClock, RemoteFrameClock } from "../../src/load/dense/frame-clock.ts";
import { Gait } from "../../src/load/dense/gait.ts";
import { LiveView } from "../../src/load/dense/live-view.ts";
import { Recorder } from "../../src/load/dense/recorder.ts";
import {
  cautionsOf,
  failuresOf,
  type RunFacts,
  reportOf,
  tableOf,
} from "../../src/load/dense/report.ts";
import { htmlOf } from "../../src/load/dense/report-html.ts";
import { ServerLoad } from "../../src/load/dense/server-load.ts";
import {
  CLIENTS_PER_SOURCE,
  countOf,
  numberOf,
  portOf,
  sourcesOf,
  splitClients,
} from "../../src/load/dense/split.ts";
import { TURN_MS_MAX } from "../../src/load/dense/swarm.ts";
import { Tally } from "../../src/load/dense/tally.ts";
import { parseProcesses, parseReady } from "../../src/load/dense/target.ts";
import { chooseTokens, tokensOf } from "../../src/load/dense/tokens.ts";
import { Pace, Wheel } from "../../src/load/dense/wheel.ts";

const flags = (values: Parameters<typeof readFlags>[0] = {}) => {
  const read = readFlags(
    { gateway: ["ws://127.0.0.1:1"], ...values },
    { tokenSecret: "secret-of-the-environment", controlToken: undefined },
  );
  if (!read.ok) throw new Error(read.error);
  return read.value;
};
const complaint = (values: Parameters<typeof readFlags>[0]): string => {
  const read = readFlags(values, { tokenSecret: undefined, controlToken: undefined });
  return read.ok ? "" : read.error;
};

describe("turns", () => {
  it("[LD21] each comes in its step, again and again, until it is over for one", () => {
    const wheel = new Wheel(3, 8);
    const turns: string[] = [];
    wheel.put(0, 1);
    wheel.put(1, 2);
    wheel.put(2, 7);
    for (let step = 1; step <= 16; step++)
      wheel.step((n) => {
        turns.push(`${step}:${n}`);
        if (n === 0) return 3;
        return n === 1 ? 0 : 7;
      });
    expect(turns).toEqual(["1:0", "2:1", "4:0", "7:0", "7:2", "10:0", "13:0", "14:2", "16:0"]);
  });

  it("[LD21] are on the wheel for everybody whom the flags allow", () => {
    for (const rate of ["move-hz", "stand-hz"] as const) {
      expect(complaint({ gateway: ["ws://x"], [rate]: "0.019" })).toContain("from 0.02");
      expect(1_000 / 0.02).toBeLessThanOrEqual(TURN_MS_MAX);
    }
  });

  it("[LD21] that are late are made up for, but not without end", () => {
    const pace = new Pace(5, 40, 1_000);
    expect(pace.due(1_004)).toBe(0);
    expect(pace.due(1_011)).toBe(2);
    expect(pace.lagMs).toBe(6);
    expect(pace.due(3_010)).toBe(40);
    expect(pace.lagMs).toBe(1_995);
    expect(pace.due(3_016)).toBe(1);
  });

  it("[LD22] the stated share of people is on its feet, and each of them changes", () => {
    const mix = { movingShare: 0.3, movingMs: 100, standingMs: 2_000 };
    const area = { x: 0, z: 0, radiusM: 30, gather: { x: 0, z: -12, radiusM: 6 } };
    const gaits = Array.from({ length: 400 }, (_, i) => new Gait(seededRandom(i), area, mix, 0));
    let moving = 0;
    const changes = gaits.map((gait) => {
      let [changed, before, now] = [0, gait.moving, 0];
      while (now < 120_000) {
        const waitMs = gait.step(now);
        expect(waitMs).toBe(gait.moving ? 100 : 2_000);
        if (!gait.moving) expect(gait.pose.animation).toBe(0);
        expect(Math.hypot(gait.pose.x, gait.pose.z)).toBeLessThan(31);
        if (gait.moving !== before) changed++;
        before = gait.moving;
        if (before) moving += waitMs;
        now += waitMs;
      }
      return changed;
    });
    expect(moving / (400 * 120_000)).toBeCloseTo(0.3, 1);
    expect(changes.filter((count) => count > 0).length).toBeGreaterThan(380);
  });
});

describe("what a run is told", () => {
  it("[LD23] needs somewhere to go, and numbers within their range", () => {
    expect(complaint({})).toContain("--control URL");
    expect(complaint({ gateway: ["http://x"] })).toContain("ws://host");
    expect(complaint({ gateway: ["ws://x"], clients: "0" })).toContain("--clients is a whole");
    expect(complaint({ gateway: ["ws://x"], clients: "1.5" })).toContain("--clients is a whole");
    expect(complaint({ gateway: ["ws://x"], moving: "1.1" })).toContain("from 0 to 1");
    expect(complaint({ gateway: ["ws://x"], stage: "1,2" })).toContain("X,Z,RADIUS");
    expect(complaint({ gateway: ["ws://x"], world: "plaza" })).toContain("--control");
    expect(complaint({ gateway: ["ws://x"], room: "a/b" })).toContain("--room");
    const { gateways, clients, tokenSecret } = flags({ gateway: ["ws://a,ws://b", "ws://c"] });
    expect(gateways).toEqual(["ws://a", "ws://b", "ws://c"]);
    expect([clients, tokenSecret]).toEqual([200, "secret-of-the-environment"]);
  });

  it("[LD29] deals a crowd out so that nobody is twice, and each level is whole", () => {
    const shares = [
      { of: 5, places: [0] },
      { of: 5, places: [1, 3] },
      { of: 5, places: [2, 4] },
    ];
    for (const people of [0, 1, 4, 5, 13, 100]) {
      const numbers = shares.flatMap((share) =>
        Array.from({ length: countOf(share, people) }, (_, n) => numberOf(share, n)),
      );
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: people }, (_, i) => i));
    }
  });

  it("[LD23] is spread over as many processes as open files ask for", () => {
    const split = splitClients(40_001, undefined, 20_000);
    if (!split.ok) throw new Error(split.error);
    const { clients, processes } = split.value;
    const shares = Array.from({ length: processes }, (_, i) => clients(i));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(40_001);
    expect(Math.max(...shares) - Math.min(...shares)).toBe(1);
    const refused = splitClients(40_000, 2, 20_000);
    expect(refused.ok ? "" : refused.error).toContain("--processes 3");
    expect(splitClients(5, undefined, undefined)).toMatchObject({ value: { processes: 1 } });
    expect(splitClients(5, undefined, 60).ok).toBe(false);
  });

  it("[LD23] dials from addresses that no two processes share", () => {
    const all = [0, 1, 127, 128, 255].flatMap((i) => sourcesOf(i, 2.5 * CLIENTS_PER_SOURCE));
    expect(all).toHaveLength(15);
    expect(new Set(all).size).toBe(15);
    for (const address of all) expect(address).toMatch(/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/);
  });

  it("[LD23] dials from ports that no two clients of an address share", () => {
    const places = [0, 1, 2, CLIENTS_PER_SOURCE - 1];
    const all = places.map(
      (place) => new Set([0, 1, 2, 3, 4, 5, 255].map((n) => portOf(place, n))),
    );
    expect(new Set(all.flatMap((ports) => [...ports])).size).toBe(5 * places.length);
    for (const port of all.flatMap((ports) => [...ports])) {
      expect(port).toBeGreaterThanOrEqual(1_024);
      expect(port).toBeLessThan(65_536);
    }
  });

  it("[LD25] knows the server's processes by a list or by the ready line", () => {
    expect(parseProcesses("gateway:12,nats:7")).toEqual({
      ok: true,
      value: [
        { role: "gateway", pid: 12 },
        { role: "nats", pid: 7 },
      ],
    });
    expect(parseProcesses("gateway").ok).toBe(false);
    const machine = {
      control: "http://c",
      gateways: ["ws://g"],
      processes: [
        { role: "bots", pid: 1 },
        { role: "node", pid: 2 },
      ],
    };
    const ready = parseReady(`words\nready ${JSON.stringify(machine)}\n`, undefined);
    expect(ready).toMatchObject({ value: { processes: [{ role: "node", pid: 2 }] } });
    expect(parseReady("no such line", undefined).ok).toBe(false);
  });
});

it("[LD25] counts what the server's processes use, also those that are started again", () => {
  const gone = 2 ** 22 + 1;
  const load = new ServerLoad([{ role: "old", pid: gone }], performance.now());
  const self = [{ role: "self", pid: process.pid }];
  load.watch(self);
  load.watch(self);
  const before = load.since(performance.now());
  expect(before.old).toBe(0);
  expect(load.resident()).toEqual({ old: 0, self: expect.any(Number) });
  const used = load.totals().get("self") ?? 0;
  expect(used).toBeGreaterThan(0);
  // The system counts in steps of 10 ms.
  const until = performance.now() + 2_000;
  while (load.totals().get("self") === used && performance.now() < until)
    load.since(performance.now());
  expect(load.totals().get("self")).toBeGreaterThan(used);
  expect(load.resident().self).toBeGreaterThan(10_000_000);
});

describe("tokens", () => {
  it("[LD26] are signed as an identity provider does", async () => {
    const secret = "a secret that is long enough for HS256";
    const token = await tokensOf({ kind: "secret", secret }, "acme")("ann");
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret));
    expect(payload).toMatchObject({ sub: "ann", tenant: "acme", role: "audience" });
  });

  it("[LD26] are asked for a few at a time, unless the secret is the one everybody knows", async () => {
    let [now, most] = [0, 0];
    let secret = "a secret of one gateway alone, and long enough";
    const server = createServer(async (request, response) => {
      most = Math.max(most, ++now);
      const person = new URL(request.url ?? "", "http://x").searchParams.get("person") ?? "";
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: "HS256" })
        .setSubject(person)
        .sign(new TextEncoder().encode(secret));
      now--;
      response.end(JSON.stringify({ token }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const chosen = await chooseTokens(undefined, url, "demo");
    expect(chosen).toEqual({ ok: true, value: { kind: "dev", url } });
    const ask = tokensOf({ kind: "dev", url }, "demo");
    const tokens = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`p${i}`)));
    expect(new Set(tokens).size).toBe(40);
    expect(most).toBeLessThanOrEqual(8);
    secret = DEV_KEYS.jwtSecret;
    expect(await chooseTokens(undefined, url, "demo")).toMatchObject({ value: { kind: "secret" } });
    server.close();
    const none = await chooseTokens(undefined, "ws://127.0.0.1:1", "demo");
    expect(none.ok ? "" : none.error).toContain("--token-secret");
  });
});

/** A second in which this happened. */
function second(change: (tally: Tally) => void, lagMs = 0) {
  const tally = new Tally();
  change(tally);
  return { tally, inRoom: 10, away: 0, settled: true, lagMs, cpuMs: 500, rssBytes: 0 };
}
const facts = (over: Partial<RunFacts> = {}): RunFacts => ({
  flags: flags({ "token-secret": "s3cret-of-the-operator" }),
  command: "npm run load",
  date: "2026-01-01",
  run: "r",
  seed: 1,
  gateways: 1,
  processes: 1,
  local: true,
  tookMs: 2_000,
  steadyMs: 1_000,
  rates: [10, 10, 9],
  machineBusy: 0.5,
  serverMs: { gateway: 250 },
  ownMs: 500,
  awayAtEnd: 0,
  residentBefore: { gateway: 1_000 },
  residentFull: { gateway: 101_000 },
  ended: undefined,
  ...over,
});

describe("what a run tells", () => {
  const busy = (tally: Tally): void => {
    tally.counts.frames = 100;
    tally.counts.rows_decoded = 50;
    tally.counts.joined = 10;
    for (let ms = 1; ms <= 100; ms++) tally.durations.frame.record(ms);
  };
  const slow = (tally: Tally): void => {
    tally.counts.joined = 10;
    tally.durations.frame.record(9_000);
    tally.durations.join.record(50);
  };

  it("[LD25] figures are of the time when everybody was in", () => {
    const recorder = new Recorder();
    recorder.add(second(slow), 1_000, 1, { gateway: 1 }, false);
    recorder.add(second(busy), 1_000, 2, { gateway: 0.25 }, true);
    const report = reportOf(recorder, facts());
    expect(report.durations_ms.frame.max).toBe(100);
    expect(report.durations_ms.frame.p99).toBeCloseTo(99, -1);
    expect(report.durations_ms.join.count).toBe(1);
    expect(report.frames_per_s).toBe(100);
    expect(report.cores).toEqual({ gateway: 0.25, load: 0.5 });
    expect(report.bytes_per_connection).toEqual({ gateway: 10_000 });
    expect(report.client_frames_per_s).toEqual({ least: 9, p1: 9, p50: 10 });
    expect(failuresOf(report)).toEqual([]);
    expect(tableOf(report)).toContain("10 of 200 clients in");
    expect(JSON.stringify(report)).not.toMatch(/s3cret|secret-of/);
  });

  it("[LD24] fails for a finding, for who did not come or was cut off, and for a check of nothing", () => {
    const told = (change: (tally: Tally) => void, over: Partial<RunFacts> = {}): string[] => {
      const recorder = new Recorder();
      recorder.add(
        second((tally) => {
          busy(tally);
          change(tally);
        }),
        1_000,
        1,
        {},
        true,
      );
      return failuresOf(reportOf(recorder, facts(over)));
    };
    expect(told((tally) => tally.found("epoch_stale", "x"))).toEqual(["epoch stale: 1"]);
    expect(told((tally) => tally.failures.set("refused room_full", 3))).toEqual([
      "joins that failed: 3",
    ]);
    expect(told((tally) => tally.losses.set("closed 4002", 2))).toEqual([
      "clients that were cut off: 2",
    ]);
    expect(
      told((tally) => {
        tally.counts.rows_decoded = 0;
      }),
    ).toEqual(["frames that were checked: 100 heads, 0 rows"]);
    expect(told(() => undefined, { ended: "ended by SIGINT" })).toEqual(["ended by SIGINT"]);
  });

  it("[LD21] rows that are late while the crowd itself was late are no finding", () => {
    const late = (tally: Tally): void => tally.found("stale_focus", "x");
    const recorder = new Recorder();
    for (let s = 1; s <= 5; s++) recorder.add(second(late, s === 1 ? 400 : 0), 1_000, s, {}, true);
    expect(recorder.all.details).toEqual([]);
    expect([recorder.unjudged, recorder.all.findings.stale_focus]).toEqual([5, 0]);
    recorder.add(second(late, 0), 1_000, 6, {}, true);
    expect(recorder.all.findings.stale_focus).toBe(1);
  });

  it("[LD25] the page needs nothing but itself, and shows texts as they are", () => {
    const recorder = new Recorder();
    const hostile = "<script>alert(1)</script>";
    recorder.add(
      second((tally) => {
        busy(tally);
        tally.failures.set(hostile, 1);
        tally.found("epoch_stale", hostile);
      }),
      1_000,
      1,
      { [hostile]: 0.5, gateway: 0.2 },
      true,
    );
    const page = htmlOf(reportOf(recorder, facts({ command: hostile, ended: hostile })));
    expect(page).not.toMatch(/<script|<link|<img|src=|url\(|NaN|undefined|Infinity/);
    expect(page).toContain("&lt;script&gt;");
    // A run that ended before its first second has a page as well.
    expect(htmlOf(reportOf(new Recorder(), facts()))).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("[LD25] says what a reader has to know of the figures", () => {
    const cautions = (lagMs: number, local: boolean): readonly string[] => {
      const recorder = new Recorder();
      recorder.add(second(busy, 900), 1_000, 1, {}, false);
      recorder.add(second(busy, lagMs), 1_000, 2, {}, true);
      return cautionsOf(reportOf(recorder, facts({ local })));
    };
    expect(cautions(10, true)).toEqual([]);
    expect(cautions(80, false)).toEqual([
      expect.stringContaining("80 ms late"),
      expect.stringContaining("fastest"),
    ]);
  });

  it("[LD25] a frame's age is by this machine's clock, or by the fastest frame of another", () => {
    const local = new LocalFrameClock();
    const before = performance.now();
    const at = Date.now();
    expect(local.ageMs(performance.now(), at)).toBeGreaterThan(-0.5);
    expect(local.ageMs(before, at)).toBeLessThan(1.5);
    const remote = new RemoteFrameClock();
    const ages = [1_000, 1_100, 1_200].map((at, i) =>
      remote.ageMs(i * 100 + ([9, 4, 6][i] ?? 0), at),
    );
    expect(ages).toEqual([0, 0, 2]);
  });

  it("[LD25] is drawn anew in a terminal, and is a line a second anywhere else", () => {
    const recorder = new Recorder();
    recorder.add(second(busy), 1_000, 7, { gateway: 0.25 }, true);
    const [shown] = recorder.seconds;
    if (!shown) throw new Error("no second");
    const progress = { second: shown, clients: 10, failed: 0, share: 0.5, findings: 0 };
    const lines: string[] = [];
    new LiveView({ isTTY: false, write: (text) => lines.push(text) }).show(progress);
    expect(lines.join("")).toMatch(/^ {3}7 s \| 10\/10 in.* 100 frames\/s .*checks ok\n$/);
    const drawn: string[] = [];
    const view = new LiveView({ isTTY: true, write: (text) => drawn.push(text) });
    view.show(progress);
    view.show({ ...progress, findings: 2 });
    expect(drawn[0]).toContain("50 %");
    expect(drawn[1]).toContain("[8A");
    expect(drawn[1]).toContain("2 FINDINGS");
    view.keep();
    view.say("below it");
    expect(drawn[2]).toBe("below it\n");
  });
});
