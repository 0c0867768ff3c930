import { describe, expect, it } from "vitest";
import type { Window } from "../bench/crowd/crowd.ts";
import { faultsOf, usPerUserTick } from "../bench/crowd/mix.ts";
import { costOf, flatnessOf, lineThrough, type Size, totalCost } from "../bench/scale/figures.ts";
import { scalePage } from "../bench/scale/page.ts";
import { type Point, trendOf } from "../bench/soak/trend.ts";

const MIB = 1024 * 1024;

describe("a window of a crowd", () => {
  const fine: Window = {
    seconds: 10,
    users: 1_000,
    frames: 100_000,
    bytes: 1e8,
    poses: 33_500,
    skipped: 0,
    rates: { least: 9.9, p1: 9.95, p50: 10 },
    frameMs: { count: 1_000, p50: 2, p99: 9, max: 12 },
    poseMs: { count: 1_000, p50: 70, p99: 120, max: 130 },
    clientCores: 0.3,
    lagMs: 3,
    findings: [],
  };

  it("counts where nothing is amiss, and says what is where something is", () => {
    expect(faultsOf(fine, 1_000)).toEqual([]);
    expect(faultsOf({ ...fine, rates: { ...fine.rates, p1: 9.7 } }, 1_000)).toHaveLength(1);
    expect(faultsOf({ ...fine, skipped: 600 }, 1_000)).toEqual([
      "0.6 % of the frames were skipped",
    ]);
    expect(faultsOf({ ...fine, poses: 30_000 }, 1_000)[0]).toContain("90 %");
    expect(faultsOf(fine, 1_200)[0]).toBe("1000 of 1200 people were there");
    expect(faultsOf({ ...fine, findings: ["1 × index_fell"] }, 1_000)).toEqual(["1 × index_fell"]);
  });

  it("a person's tick costs what the cores spent over the frames that came", () => {
    expect(usPerUserTick(0.5, fine)).toBe(50);
  });
});

describe("the cost of a person by the size of the crowd", () => {
  /** 20 us a person and tick, and so many cores whether anybody is there or not. */
  const size = (users: number, fixed: number, faults: string[] = []): Size => ({
    users,
    framesPerS: users * 10,
    cores: { gateway: users * 10 * 15e-6 + fixed, node: users * 10 * 5e-6 },
    frameMs: { p50: 2, p99: 9 },
    clientCores: 0.1,
    machineBusy: 0.5,
    faults,
  });

  it("is told by role and for all", () => {
    const mine = size(1_000, 0);
    expect(costOf(mine).gateway).toBeCloseTo(15);
    expect(costOf(mine).node).toBeCloseTo(5);
    expect(totalCost(mine)).toBeCloseTo(20);
  });

  it("is flat within the aim, or not; and what is there anyway is told apart", () => {
    const even = flatnessOf([1_000, 4_000, 10_000].map((users) => size(users, 0.03)));
    expect(even).toEqual({ spread: 0.133, flat: true, marginal_us: 20, fixed_cores: 0.03 });
    const steep = flatnessOf([1_000, 10_000].map((users) => size(users, 0.1)));
    expect(steep).toMatchObject({ spread: 0.429, flat: false, fixed_cores: 0.1 });
  });

  it("asks only the sizes that count", () => {
    const sizes = [size(1_000, 0.1, ["somebody missed something"]), size(2_000, 0)];
    expect(flatnessOf(sizes).flat).toBeNull();
    expect(flatnessOf([...sizes, size(4_000, 0)])).toMatchObject({ spread: 0, flat: true });
  });

  it("has a page that needs nothing but itself and shows every size", () => {
    const sizes = [size(1_000, 0.02), size(10_000, 0.02, ["<10 % missed>"])];
    const page = scalePage(sizes, {
      ...flatnessOf(sizes),
      gateways: 2,
      nodes: 1,
      seconds: 10,
      cores_at_rest: 0.02,
      ended: null,
      machine: "2 × CPU",
      date: "2026-01-01",
    });
    expect(page).not.toMatch(/<(link|script|img)|src=|url\(|NaN|Infinity/);
    for (const text of ["1,000", "10,000", "&lt;10 % missed&gt;", "does not count"])
      expect(page).toContain(text);
  });

  it("a straight line is found again", () => {
    const line = lineThrough([0, 1, 2, 5].map((x) => [x, 3 + 2 * x]));
    expect(line.slope).toBeCloseTo(2);
    expect(line.at0).toBeCloseTo(3);
  });
});

describe("a figure over time", () => {
  const series = (count: number, of: (i: number) => number): Point[] =>
    Array.from({ length: count }, (_, i) => ({ atS: i * 10, value: of(i) }));
  const limit = { share: 0.05, least: 8 * MIB };

  it("is flat where it only breathes, however far it sticks out at times", () => {
    const breathes = series(180, (i) => 100 * MIB + (i % 7) * MIB + (i % 50 === 49 ? 60 * MIB : 0));
    expect(trendOf(breathes, limit)?.flat).toBe(true);
  });

  it("is not where it grows, also under breathing that is larger than a step", () => {
    const leaks = series(180, (i) => 100 * MIB + (i % 7) * MIB + i * 0.1 * MIB);
    const trend = trendOf(leaks, limit);
    expect(trend?.flat).toBe(false);
    expect(trend?.growth).toBeGreaterThan(17 * MIB);
    expect(trend?.growth).toBeLessThan(19 * MIB);
    expect(trend?.growth_an_hour).toBeGreaterThan(34 * MIB);
  });

  it("may fall, and may not be judged by a few points", () => {
    const falls = trendOf(
      series(20, (i) => 100 * MIB - i * MIB),
      limit,
    );
    expect(falls?.flat).toBe(true);
    expect(
      trendOf(
        series(4, () => 1),
        limit,
      ),
    ).toBeUndefined();
  });
});
