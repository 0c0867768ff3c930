import { expect, test } from "vitest";
import { Silence } from "../../gateway/silence.ts";

test("[GW41] time that this process did not have is no silence of the owner's", () => {
  const silence = new Silence({ suspendedRepeatMs: 5_000 }, 0);
  expect(silence.due(3_000, 3_000)).toBe(true);
  expect(silence.heard(3_100)).toBe(true);
  // Its loop stood for 4 s: nothing of what came meanwhile has been read.
  expect(silence.judge(7_200, 4_000)).toBe(100);
  expect(silence.judge(7_200, 4_000)).toBe(0);
  expect(silence.judge(7_300, 0)).toBe(100);
  expect(silence.due(7_200, 3_000)).toBe(false);
  expect(silence.due(10_199, 3_000)).toBe(false);
  expect(silence.due(10_200, 3_000)).toBe(true);
});
