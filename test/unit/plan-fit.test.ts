import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COEFFICIENTS } from "../../src/plan/coefficients.ts";
import { coresByRole, errorPercent, sumOf } from "../../src/plan/cost-model.ts";
import { ROLES, TERMS } from "../../src/plan/work.ts";
import { CHECKED, type EventReport, FITTED, inTime } from "../bench/plan/events.ts";
import { checkOf, fitted, fittedBytes } from "../bench/plan/fit.ts";
import { nonNegativeLeastSquares } from "../bench/plan/nnls.ts";
import { sourceText } from "../bench/plan/source-file.ts";
import { type Window, windowsOf } from "../bench/plan/windows.ts";
import { ROUND } from "../support/plan-rig.ts";

/** An event that costs exactly what the coefficients say. */
function reportOf(run: (typeof FITTED)[number]): EventReport {
  const means = (in_room: number, joins_per_s: number) => ({
    seconds: 10,
    in_room,
    joins_per_s,
    frames_per_s: in_room * run.hz,
    poses_per_s: in_room * (run.moving * run.hz + (1 - run.moving) * 0.5),
    cores: {},
  });
  const bare: EventReport = {
    connected: run.users,
    disconnects: 0,
    bytes_per_client_s: 9_600,
    server_bytes_per_connection: {},
    process_bytes: {},
    joining: means(run.users / 2, run.joinsPerS),
    steady: means(run.users, 0),
    missed: [],
  };
  const [steady, joining] = windowsOf(run, bare).map(({ counts }) => coresByRole(counts, ROUND.us));
  return {
    ...bare,
    steady: { ...bare.steady, cores: steady ?? {} },
    joining: { ...bare.joining, cores: joining ?? {} },
  };
}

describe("the fit", () => {
  it("[PN18] finds what made the figures, where nothing disturbs them", () => {
    const windows: Window[] = FITTED.flatMap((run) => windowsOf(run, reportOf(run)));
    const us = fitted(windows);
    for (const window of windows) {
      const model = coresByRole(window.counts, us);
      for (const role of ROLES)
        expect(Math.abs(errorPercent(model[role], window.cores[role])), role).toBeLessThan(1);
    }
    const price = us.gateway.frame ?? 0;
    expect(Math.abs(price - 20), String(price)).toBeLessThan(1);
  });

  it("[PN18] no coefficient is negative, and none that is better is near", () => {
    const values = fc.double({ min: -10, max: 10, noNaN: true });
    const rows = fc.array(
      fc.record({
        counts: fc.tuple(values, values, values),
        value: values,
        weight: fc.double({ min: 0.1, max: 2, noNaN: true }),
      }),
      { minLength: 3, maxLength: 8 },
    );
    fc.assert(
      fc.property(rows, (all) => {
        const found = nonNegativeLeastSquares(all, 3);
        const error = (of: readonly number[]): number =>
          all.reduce((sum, { counts, value, weight }) => {
            const model = counts.reduce((total, count, j) => total + count * (of[j] ?? 0), 0);
            return sum + ((model - value) * weight) ** 2;
          }, 0);
        const least = error(found);
        for (const [j, value] of found.entries()) {
          expect(value).toBeGreaterThanOrEqual(0);
          for (const step of [1e-3, -1e-3]) {
            const near = found.with(j, Math.max(0, value + step));
            expect(error(near)).toBeGreaterThanOrEqual(least - 1e-6 * (1 + least));
          }
        }
      }),
    );
  });

  it("[PN18] memory is what a process has, and what each person adds", () => {
    const report = reportOf(FITTED[0] as (typeof FITTED)[number]);
    const of = (connected: number): EventReport => ({
      ...report,
      connected,
      process_bytes: { gateway: 80e6 },
      // 5 MB more in each of two processes as soon as there is anything to do.
      server_bytes_per_connection: { gateway: 20_000 + 10e6 / connected },
    });
    const { person, process } = fittedBytes("gateway", [of(1_000), of(2_000), of(4_000)]);
    expect(Math.abs(person - 20_000)).toBeLessThan(10);
    expect(Math.abs(process - 85e6)).toBeLessThan(1e4);
  });

  it("[PN20] a run that was behind is none", () => {
    const run = FITTED[0] as (typeof FITTED)[number];
    const report = reportOf(run);
    expect(inTime(run, report)).toBe(true);
    expect(inTime(run, { ...report, connected: run.users - 1 })).toBe(false);
    const fewer = { ...report.steady, frames_per_s: run.users * run.hz * 0.94 };
    expect(inTime(run, { ...report, steady: fewer })).toBe(false);
  });

  it("[PN19] what checks it is in no window of it", () => {
    for (const run of CHECKED) expect(FITTED).not.toContainEqual(run);
    const most = Math.max(...FITTED.map(({ users }) => users));
    expect(CHECKED.some(({ users }) => users > most)).toBe(true);
  });

  it("[PN19] a check is of what was asked for, not of what came", () => {
    const run = FITTED[0] as (typeof FITTED)[number];
    const report = reportOf(run);
    const exact = checkOf(run, report, ROUND.us, run.users);
    expect(Math.abs(errorPercent(sumOf(exact).predicted, sumOf(exact).measured))).toBeLessThan(0.1);
    expect(exact.beyond).toBe(false);
    const dearer = { ...report.steady, cores: { ...report.steady.cores, gateway: 100 } };
    const off = checkOf(run, { ...report, steady: dearer }, ROUND.us, run.users - 1);
    expect(off.cores.gateway.measured).toBe(100);
    expect(off.beyond).toBe(true);
  });

  it("[PN19] the file is as the fit wrote it, and has every term", () => {
    const file = fileURLToPath(new URL("../../src/plan/coefficients.ts", import.meta.url));
    expect(readFileSync(file, "utf8")).toBe(sourceText(COEFFICIENTS));
    for (const role of ROLES) {
      expect(Object.keys(COEFFICIENTS.us[role])).toEqual([...TERMS[role]]);
      for (const each of Object.values(COEFFICIENTS.us[role]))
        expect(each).toBeGreaterThanOrEqual(0);
    }
    expect(COEFFICIENTS.checks.length).toBeGreaterThan(0);
  });
});
