import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { epochAt } from "../../src/kernel/epoch.ts";
import type { LoadReport } from "../../src/load/dense/report.ts";
import { Command, killCommands } from "../support/cluster-command.ts";
import { FrameSource, sourceFrame } from "../support/frame-source.ts";
import { waitUntil } from "../support/wait-until.ts";

const TEST_MS_MAX = 120_000;
const END_MS_MAX = 60_000;

describe("npm run load", { timeout: TEST_MS_MAX }, () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "roomcluster-load-"));
  const sources: FrameSource[] = [];
  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await killCommands();
    rmSync(folder, { recursive: true, force: true });
  });

  const source = async (): Promise<FrameSource> => {
    const opened = await FrameSource.listen();
    sources.push(opened);
    return opened;
  };
  const crowdAt = (url: string, ...more: readonly string[]): Command =>
    new Command(["load", "--gateway", url, "--token-secret", "anything will do here", ...more]);

  it("[LD24] finds nothing where nothing is wrong, and tells what it saw", async () => {
    const args = ["cluster", "--port", "0", "--nodes", "1", "--gateways", "2", "--bots", "0"];
    const cluster = new Command([...args, "--quiet"], { ROOMCLUSTER_BUS: "memory" });
    const { control } = await cluster.ready();
    const [json, html] = [path.join(folder, "r.json"), path.join(folder, "r.html")];
    const load = new Command([
      "load",
      ...["--control", control, "--room", "hall", "--rooms", "2", "--world", "plaza"],
      ...["--clients", "40", "--seconds", "4", "--processes", "2"],
      ...["--decode", "0.5", "--beacons", "0.5", "--says", "60", "--area", "8"],
      ...["--json", json, "--html", html],
    ]);
    await load.endsWithin(END_MS_MAX);
    expect(load.child.exitCode, load.output).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as LoadReport;
    expect(report.clients).toEqual({ asked: 40, joined: 40, at_end: 40 });
    const { durations_ms: durations } = report;
    for (const name of ["frame", "pose", "row_gap", "focus_gap", "join", "command"] as const)
      expect(durations[name].count, name).toBeGreaterThan(0);
    expect(report.counts.rows_decoded).toBeGreaterThan(100);
    expect(report.client_frames_per_s.p50).toBeGreaterThan(5);
    expect(report.cores.all).toBeGreaterThan(0);
    expect(readFileSync(html, "utf8")).not.toMatch(/<(link|script|img)|src=|url\(/);
  });

  it("[LD24] fails where a gateway goes back, and says how", async () => {
    const liar = await source();
    const load = crowdAt(liar.url, "--clients", "3", "--seconds", "2", "--decode", "0");
    await waitUntil("everybody is in", () => liar.sockets.size === 3, {
      timeoutMs: END_MS_MAX,
      dump: () => load.output,
    });
    const newer = epochAt(1, 11);
    for (const tick of [7, 8, 8]) liar.write(sourceFrame({ tick }));
    liar.write(sourceFrame({ tick: 1, epoch: newer }));
    liar.write(sourceFrame({ tick: 9 }));
    liar.write(sourceFrame({ tick: 2, epoch: newer }));
    await load.endsWithin(END_MS_MAX);
    expect(load.child.exitCode, load.output).toBe(1);
    expect(load.output).toContain("FAILED: tick not rising: 3");
    expect(load.output).toContain("FAILED: epoch stale: 3");
    expect(load.output.match(/FAILED/g)).toHaveLength(2);
  });

  it("[LD28] brings back who was cut off, where it is told to", async () => {
    const weak = await source();
    const few = ["--clients", "5", "--decode", "0", "--return", "--seconds", "6"];
    const load = crowdAt(weak.url, ...few);
    const allIn = (what: string) =>
      waitUntil(what, () => weak.sockets.size === 5, {
        timeoutMs: END_MS_MAX,
        dump: () => load.output,
      });
    await allIn("everybody is in");
    weak.write(sourceFrame({ tick: 9 }));
    weak.cut();
    await waitUntil("everybody was cut off", () => weak.sockets.size === 0);
    await allIn("everybody is back");
    expect(weak.joins.slice(0, 5)).toEqual(Array(5).fill({ attach: 1, session: null }));
    expect(weak.joins.slice(5)).toEqual(Array(5).fill({ attach: 2, session: "t" }));
    // Another attach, so an earlier tick is no regress.
    weak.write(sourceFrame({ tick: 3 }));
    await load.endsWithin(END_MS_MAX);
    expect(load.child.exitCode, load.output).toBe(0);
    expect(load.output).toMatch(/^ {2}absence .* 5$/m);
  });

  it("[LD28] counts them as cut off where it is not", async () => {
    const weak = await source();
    const load = crowdAt(weak.url, "--clients", "2", "--seconds", "2", "--decode", "0");
    await waitUntil("everybody is in", () => weak.sockets.size === 2, {
      timeoutMs: END_MS_MAX,
      dump: () => load.output,
    });
    weak.write(sourceFrame({ tick: 9 }));
    weak.cut();
    await load.endsWithin(END_MS_MAX);
    expect(load.child.exitCode, load.output).toBe(1);
    expect(load.output).toContain("FAILED: clients that were cut off: 2");
    expect(weak.joins).toHaveLength(2);
  });

  it("[LD24] ends by Ctrl-C, and everybody leaves", async () => {
    const quiet = await source();
    const load = crowdAt(quiet.url, "--clients", "20", "--seconds", "600", "--processes", "2");
    await waitUntil("everybody is in", () => quiet.sockets.size === 20, {
      timeoutMs: END_MS_MAX,
      dump: () => load.output,
    });
    // As a terminal does: to the whole group.
    process.kill(-(load.child.pid as number), "SIGINT");
    await load.endsWithin(10_000);
    expect(load.child.exitCode, load.output).toBe(1);
    expect(load.output).toContain("FAILED: ended by SIGINT");
    await waitUntil("every socket is closed", () => quiet.sockets.size === 0);
  });

  it("[LD23] refuses what does not fit, in a sentence", async () => {
    const load = crowdAt("ws://127.0.0.1:9", "--clients", "900000", "--processes", "1");
    await load.endsWithin(END_MS_MAX);
    expect(load.child.exitCode).toBe(2);
    expect(load.output).toContain("clients need");
  });
});
