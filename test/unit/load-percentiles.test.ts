import fc from "fast-check";
import { expect, test } from "vitest";
import { Percentiles, percentiles } from "../../src/load/percentiles.ts";

test("[LD11] exact percentiles are nearest ranks", () => {
  const values = Array.from({ length: 1000 }, (_, i) => 1000 - i);
  expect(percentiles(values)).toEqual({
    count: 1000,
    mean: 500.5,
    p50: 500,
    p90: 900,
    p99: 990,
    p999: 999,
    max: 1000,
  });
  expect(percentiles([7])).toMatchObject({ p50: 7, p999: 7, max: 7 });
  expect(percentiles([])).toMatchObject({ count: 0, mean: 0, p50: 0, max: 0 });
});

test("[LD11] bucketed percentiles are within 2 % of the exact ones, also when merged", () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, durations, (left, right) => {
      const merged = new Percentiles();
      const other = new Percentiles();
      for (const value of left) merged.record(value);
      for (const value of right) other.record(value);
      merged.merge(other);
      const exact = percentiles([...left, ...right]);
      const summary = merged.summary();
      expect(summary.count).toBe(exact.count);
      expect(summary.max).toBe(exact.max);
      for (const name of ["p50", "p90", "p99", "p999"] as const) {
        expect(summary[name]).toBeGreaterThanOrEqual(exact[name] * 0.9999);
        expect(summary[name]).toBeLessThanOrEqual(exact[name] * 1.0201);
      }
    }),
    { seed: 3, numRuns: 200 },
  );
});

test("[LD11] durations out of range are kept at the edges", () => {
  const recorded = new Percentiles();
  for (const ms of [0, 1e12]) recorded.record(ms);
  expect(recorded.summary()).toMatchObject({ count: 2, max: 1e12 });
  expect(new Percentiles().summary()).toMatchObject({ count: 0, p99: 0, mean: 0 });
});
