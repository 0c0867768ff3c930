import { expect, test } from "vitest";
import { Checks } from "../../src/load/checks.ts";
import type { CommandSeen } from "../chaos/bots.ts";
import {
  closedByMigration,
  countKinds,
  type FaultRecord,
  figuresOf,
  recoveredShare,
} from "../chaos/measure.ts";
import type { Kind } from "../chaos/plan.ts";
import { failuresOf, reportOf, tableOf } from "../chaos/report.ts";
import { htmlOf } from "../chaos/report-html.ts";
import { latencyPoints } from "../chaos/report-timeline.ts";
import type { ChaosResult } from "../chaos/run.ts";

const START_MS = 5_000;

const record = (over: Partial<FaultRecord>): FaultRecord => ({
  number: 1,
  kind: "node_sigkill",
  victims: ["node-1"],
  atMs: 20_000,
  healedAfterMs: 2_000,
  servedAfterMs: 900,
  waitsMs: [],
  unserved: 0,
  movedMs: [],
  cuts: 0,
  note: "",
  ...over,
});

const command = (atMs: number, tookMs: number): CommandSeen => ({
  room: "hall-1",
  sentMs: START_MS + atMs,
  tookMs,
  moved: false,
  outcome: "acked",
});

const KINDS: readonly Kind[] = ["node_sigkill", "node_drain", "node_stall"];

function result(over: Partial<ChaosResult> = {}): ChaosResult {
  return {
    records: [
      record({ waitsMs: [400, 500, 600] }),
      record({ number: 2, kind: "node_drain", atMs: 40_000, movedMs: [30, 50], waitsMs: [90] }),
      record({ number: 3, kind: "node_stall", atMs: 50_000, waitsMs: [3_500] }),
    ],
    kinds: KINDS,
    skipped: { nodes_partitioned: "no network namespaces here (Operation not permitted)" },
    commands: [command(100, 2), command(10_000, 4), command(20_500, 700), command(30_000, 3)],
    startMs: START_MS,
    tookMs: 60_000,
    counts: { ...new Checks().counts, commands: 4 },
    audit: { acked: 4, lost: [], doubled: [], open: 0 },
    fenced: { append: 2, node: 3 },
    present: 300,
    failures: {},
    machineBusy: 0.6,
    ownCores: 1.1,
    deaths: [],
    findings: [],
    misfired: [],
    ...over,
  };
}

const FACTS = {
  seed: 7,
  command: 'npm run chaos -- --minutes 1 --json "<b>.json"',
  minutes: 1,
  nodes: 6,
  nats: 3,
  placements: 2,
  gateways: 2,
  rooms: 30,
  bots: 300,
};
const report = (over: Partial<ChaosResult> = {}) => reportOf(result(over), FACTS);

test("waits go into the figure of their kind, and a pause is what a moved command took too long", () => {
  const { records, commands } = result();
  const { samples, spreads, usualMs } = figuresOf(records, commands, START_MS);
  expect(usualMs, "the command under way at the kill does not count as usual").toBe(3);
  expect(spreads.failover_ms).toEqual({ p50: 500, p99: 600, max: 600 });
  expect(spreads.migration_pause_ms).toEqual({ p50: 27, p99: 47, max: 47 });
  expect(spreads.stall_failover_ms?.max).toBe(3_500);
  expect(spreads.freeze_failover_ms).toBeNull();
  expect(samples).toMatchObject({ failover_ms: 3, migration_pause_ms: 2, freeze_failover_ms: 0 });
});

test("kinds that never struck are counted as 0", () => {
  expect(countKinds([record({}), record({})], KINDS)).toEqual({
    node_sigkill: 2,
    node_drain: 0,
    node_stall: 0,
  });
});

test("a fault has recovered only if every room served again and everybody saw its new owner", () => {
  expect(recoveredShare([])).toBe(1);
  const faults = [record({}), record({ servedAfterMs: null }), record({ unserved: 1 }), record({})];
  expect(recoveredShare(faults)).toBe(0.5);
});

test("sockets count as closed by a migration where the move was planned", () => {
  const faults = [record({ cuts: 4 }), record({ kind: "node_sigterm", cuts: 2 })];
  expect(closedByMigration(faults)).toBe(2);
});

test("the report has the issue's keys and judges each aim", () => {
  const sound = report();
  for (const key of [
    "faults",
    "failover_ms",
    "freeze_failover_ms",
    "stall_failover_ms",
    "failover_bus_down_ms",
    "migration_pause_ms",
    "lost",
    "doubled",
    "regressed",
    "stale_rejected",
    "sockets_closed_by_migration",
    "recovered",
    "seed",
    "command",
    "machine",
    "date",
  ])
    expect(sound, key).toHaveProperty(key);
  expect(sound.stale_rejected).toBe(5);
  expect(failuresOf(sound)).toEqual([]);
  const missed = sound.aims.filter(({ kept }) => !kept).map(({ name }) => name);
  expect(missed, "what was not measured is not kept").toEqual(["a node frozen or cut off, p99"]);
  const timed = sound.aims.map(({ name }) => name).filter((name) => /p99/.test(name));
  expect(timed, "of the kinds that were asked for").toEqual([
    "a node killed (SIGKILL), p99",
    "a node frozen or cut off, p99",
    "a node's event loop stalled, p99",
    "a planned move's pause, p99",
  ]);
});

test("a loss, a kind that never struck or a room that stays away fails the run", () => {
  const broken = (over: Partial<ChaosResult>): string[] => failuresOf(report(over));
  expect(broken({ audit: { acked: 4, lost: ["a:1"], doubled: [], open: 0 } })).toHaveLength(1);
  expect(broken({ audit: { acked: 4, lost: [], doubled: ["a:1"], open: 0 } })).toHaveLength(1);
  expect(broken({ counts: { ...new Checks().counts, regressed: 1 } })).toHaveLength(1);
  expect(broken({ failures: { "join refused: room_full": 2 } })[0]).toContain("2: join refused");
  expect(broken({ kinds: [...KINDS, "nats_sigkill"] })[0]).toContain("nats_sigkill");
  const { records } = result();
  expect(broken({ records: [...records, record({ servedAfterMs: null })] })).toHaveLength(1);
});

test("the table says what was missed, what was skipped and what ended by itself", () => {
  const text = tableOf(report({ deaths: ["node-2 exit 72\nits last words"] }));
  expect(text).toContain("3 faults in 1.0 min, seed 7");
  expect(text).toMatch(/MISSED {2}a node frozen or cut off/);
  expect(text).toContain("skipped  nodes_partitioned: no network namespaces here");
  expect(text).toContain("ended by itself: node-2 exit 72");
  expect(text).not.toContain("its last words");
});

test("the page needs nothing but itself, escapes what it is told, and shows every fault", () => {
  const { commands } = result();
  const page = htmlOf({ report: report(), latency: latencyPoints(commands, START_MS, 60_000) });
  expect(page).not.toMatch(/(src|href)="(?!#)|@import|url\(/);
  expect(page).toContain("&quot;&lt;b&gt;.json&quot;");
  expect(page.match(/class="bar /g)).toHaveLength(3);
  for (const number of [1, 2, 3]) expect(page).toContain(`id="fault-${number}"`);
  expect(page).toContain("prefers-color-scheme:dark");
});

test("latency is summed up for each second in which somebody sent a command", () => {
  const commands = [command(200, 5), command(300, 1), command(400, 9), command(2_500, 7)];
  expect(latencyPoints(commands, START_MS, 10_000)).toEqual([
    { atMs: 500, p50: 5, max: 9 },
    { atMs: 2_500, p50: 7, max: 7 },
  ]);
});
