import fc from "fast-check";
import { expect, test } from "vitest";
import { deviationsAt, Intervals, phi } from "../../src/membership/phi.ts";

test("[MS2] phi follows the tail of the normal distribution", () => {
  // -log10 of the upper tail probability; the approximation overstates the far tail a little.
  for (const { deviations, expected, errorMax } of [
    { deviations: 1, expected: 0.7995, errorMax: 0.001 },
    { deviations: 2, expected: 1.643, errorMax: 0.01 },
    { deviations: 3, expected: 2.8697, errorMax: 0.02 },
    { deviations: 5, expected: 6.5426, errorMax: 0.12 },
  ]) {
    const error = phi(250 + 40 * deviations, 250, 40) / expected - 1;
    expect(Math.abs(error), `at ${deviations} deviations`).toBeLessThan(errorMax);
  }
});

test("[MS2] the inverse finds the silence at which phi reaches the threshold", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 30, noNaN: true }), (threshold) => {
      const deviations = deviationsAt(threshold);
      expect(phi(deviations * 10, 0, 10)).toBeCloseTo(threshold, 4);
    }),
  );
});

test("[MS2] phi stays finite far below the mean and rises with silence", () => {
  expect(phi(0, 250, 0.5)).toBeGreaterThanOrEqual(0);
  expect(phi(0, 250, 0.5)).toBeLessThan(0.4);
  for (let silence = 0, last = -1; silence < 500; silence += 10) {
    const now = phi(silence, 250, 40);
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});

test("[MS2] intervals keep mean and deviation of the last samples only", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 60 }),
      (values) => {
        const intervals = new Intervals(20);
        for (const value of values) intervals.add(value);
        const kept = values.slice(-20);
        const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
        const variance = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / kept.length;
        expect(intervals.count).toBe(kept.length);
        expect(intervals.meanMs).toBeCloseTo(mean, 6);
        expect(intervals.deviationMs).toBeCloseTo(Math.sqrt(variance), 3);
      },
    ),
  );
});
