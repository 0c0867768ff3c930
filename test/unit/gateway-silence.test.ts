import { expect, test } from "vitest";
import { Silence } from "../../gateway/silence.ts";

const LIMITS = { suspendedRepeatMs: 5_000, excusedMsMax: 10_000 };

test("[GW41] time that this process did not have is no silence of the owner's", () => {
  const silence = new Silence(LIMITS, 0);
  expect(silence.due(3_000, 3_000)).toBe(true);
  expect(silence.heard(3_100)).toBe(true);
  // Its loop stood for 4 s: nothing of what came meanwhile has been read.
  expect(silence.judge(7_200, 4_000)).toBe(100);
  expect(silence.judge(7_200, 4_000)).toBe(0);
  expect(silence.judge(7_300, 0)).toBe(100);
  expect(silence.due(10_199, 3_000)).toBe(false);
  expect(silence.due(10_200, 3_000)).toBe(true);
});

test("[GW41] a gateway that is always late finds a dead owner out all the same", () => {
  const silence = new Silence(LIMITS, 0);
  let now = 0;
  while (!silence.due(now, 1_500) && now < 60_000) {
    now += 500;
    silence.judge(now, 450);
  }
  expect(now).toBeGreaterThan(5_000);
  expect(now).toBeLessThanOrEqual(LIMITS.excusedMsMax + 2_000);
  silence.heard(now);
  expect(silence.judge(now + 4_000, 4_000), "the next one is excused anew").toBe(0);
});
