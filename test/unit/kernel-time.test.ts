import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../../src/kernel/assert.ts";
import { delay, systemClock, TIMER_MS_MAX } from "../../src/kernel/clock.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { waitUntil } from "../support/wait-until.ts";

describe("virtual time", () => {
  it("fires in order of due time, and in the order set where that is equal", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 40 }), (delays) => {
        const clock = new ManualClock();
        const fired: { i: number; at: number }[] = [];
        delays.forEach((delayMs, i) => {
          clock.after(delayMs, () => fired.push({ i, at: clock.now() }));
        });
        clock.advance(50);
        const expected = delays
          .map((delayMs, i) => ({ i, at: delayMs }))
          .sort((a, b) => a.at - b.at || a.i - b.i);
        expect(fired).toEqual(expected);
        expect(clock.pending).toBe(0);
      }),
    );
  });

  it("fires nothing early, and nothing that was cancelled", () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.after(10, () => fired.push("kept"));
    const cancelled = clock.after(10, () => fired.push("cancelled"));
    const first = clock.after(5, () => later.cancel());
    const later = clock.after(10, () => fired.push("cancelled by another"));
    cancelled.cancel();
    cancelled.cancel();
    clock.advance(9);
    expect(fired).toEqual([]);
    clock.advance(1);
    first.cancel();
    expect(fired).toEqual(["kept"]);
    expect(clock.pending).toBe(0);
  });

  it("runs what a timer sets, at its own moment, within the same advance", () => {
    const clock = new ManualClock();
    const at: number[] = [];
    clock.after(5, () => {
      at.push(clock.now());
      clock.after(0, () => at.push(clock.now()));
      clock.after(5, () => at.push(clock.now()));
      clock.after(6, () => at.push(clock.now()));
    });
    clock.advance(10);
    expect(at).toEqual([5, 5, 10]);
    expect([clock.now(), clock.pending]).toEqual([10, 1]);
  });

  it("repeats without drift, from any first moment, until cancelled, even by itself", () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const timer = clock.every(7, () => at.push(clock.now()), 2);
    for (let i = 0; i < 30; i++) clock.advance(1.5);
    expect(at).toEqual([2, 9, 16, 23, 30, 37, 44]);
    timer.cancel();
    const own = clock.every(1, () => {
      at.push(-1);
      own.cancel();
    });
    clock.advance(100);
    expect(at.filter((time) => time === -1)).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("tells wall time beside its own", () => {
    const clock = new ManualClock(1_000_000);
    clock.advance(250);
    expect([clock.now(), clock.wallNow()]).toEqual([250, 1_000_250]);
  });

  it("lets promises settle between timers when run", async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const walk = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await delay(clock, 10);
        seen.push(clock.now());
      }
    };
    const walking = walk();
    await clock.run(30);
    await walking;
    expect(seen).toEqual([10, 20, 30]);
  });
});

describe.each([
  ["virtual", new ManualClock()],
  ["system", systemClock],
])("delays of the %s clock", (_, clock) => {
  it("are refused where Node would fire at once instead", () => {
    for (const delayMs of [TIMER_MS_MAX + 1, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(() => clock.after(delayMs, () => {})).toThrow(InvariantViolation);
      expect(() => clock.every(delayMs, () => {})).toThrow(InvariantViolation);
      expect(() => clock.every(1_000, () => {}, delayMs)).toThrow(InvariantViolation);
    }
    clock.after(TIMER_MS_MAX, () => {}).cancel();
  });
});

describe("the system clock", () => {
  it("never goes back, and knows the wall's time", () => {
    let last = systemClock.now();
    for (let i = 0; i < 1_000; i++) {
      const now = systemClock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(Math.abs(systemClock.wallNow() - Date.now())).toBeLessThan(1_000);
  });

  it("keeps a period's schedule although every firing is late", async () => {
    const start = systemClock.now();
    const at: number[] = [];
    const timer = systemClock.every(20, () => {
      at.push(systemClock.now() - start);
      // A turn of the loop that takes long moves this firing's successor, but not the schedule.
      const busyUntil = systemClock.now() + 8;
      while (systemClock.now() < busyUntil);
    });
    await waitUntil("twenty firings", () => at.length >= 20, { dump: () => at });
    timer.cancel();
    // Node may fire a timer a fraction of a millisecond early.
    expect(at[19]).toBeGreaterThanOrEqual(390);
    // With drift every interval would be 28 ms at the least. A busy machine makes a few of them so.
    const intervals = at.slice(1).map((time, i) => time - (at[i] ?? 0));
    expect(intervals.filter((ms) => ms < 27).length).toBeGreaterThan(intervals.length / 2);
    const before = at.length;
    let later = false;
    systemClock.after(60, () => {
      later = true;
    });
    await waitUntil("three more periods", () => later);
    expect(at.length).toBe(before);
  });

  it("fires once after the delay, and not when cancelled", async () => {
    const start = systemClock.now();
    let firedAt = 0;
    let cancelled = false;
    systemClock
      .after(1, () => {
        cancelled = true;
      })
      .cancel();
    systemClock.after(30, () => {
      firedAt = systemClock.now() - start;
    });
    await waitUntil("the timer fired", () => firedAt > 0);
    expect(firedAt).toBeGreaterThanOrEqual(29);
    expect(cancelled).toBe(false);
  });
});
