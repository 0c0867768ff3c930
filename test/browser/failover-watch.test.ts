import { expect, it } from "vitest";
import { epochText, FailoverWatch } from "../../src/web/failover.ts";

it("a failover lasts from the last frame of the old owner to the first of the new one", () => {
  const watch = new FailoverWatch();
  expect(watch.frame({ epoch: 7, atMs: 1000 }, 50)).toBeUndefined();
  expect(watch.frame({ epoch: 7, atMs: 1050 }, 100)).toBeUndefined();
  const failover = { fromEpoch: 7, toEpoch: 9, tookMs: 230 };
  expect(watch.frame({ epoch: 9, atMs: 1280 }, 330)).toEqual(failover);
  expect(watch.frame({ epoch: 9, atMs: 1330 }, 380)).toBeUndefined();
});

it("frames that a busy page hears in one go still tell the gap between them", () => {
  const watch = new FailoverWatch();
  watch.frame({ epoch: 7, atMs: 1000 }, 500);
  expect(watch.frame({ epoch: 8, atMs: 1400 }, 501)?.tookMs).toBe(400);
});

it("a late frame of an older owner changes nothing", () => {
  const watch = new FailoverWatch();
  watch.frame({ epoch: 8, atMs: 1000 }, 0);
  expect(watch.frame({ epoch: 7, atMs: 900 }, 50)).toBeUndefined();
  expect(watch.frame({ epoch: 9, atMs: 1100 }, 100)?.fromEpoch).toBe(8);
});

it("an epoch shows its generation only after the first", () => {
  expect(epochText(2 ** 40 + 412)).toBe("412");
  expect(epochText(2 * 2 ** 40 + 5)).toBe("2.5");
});
