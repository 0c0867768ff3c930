import { expect, it } from "vitest";
import { serve } from "../support/counter-world.ts";

const HOUR_MS = 3_600_000;

it("[RG7] room time goes on at half the speed while the wall clock is set back (seed 33)", async () => {
  const { harness, gateway } = await serve();
  gateway.attach("ada");
  await harness.run(500);
  const wallNow = harness.clock.wallNow.bind(harness.clock);
  let backMs = HOUR_MS;
  harness.clock.wallNow = () => wallNow() - backMs;
  const told = async (): Promise<number[]> => {
    const before = gateway.of("tick").length;
    await harness.run(1_000);
    return gateway
      .of("tick")
      .slice(before)
      .map(({ at }) => at);
  };
  const slow = await told();
  expect(slow.length).toBeGreaterThan(5);
  for (const [i, at] of slow.entries())
    if (i > 0) expect(at).toBeGreaterThan(slow[i - 1] as number);
  const [first, last] = [slow[0] as number, slow.at(-1) as number];
  expect(last - first).toBeLessThan(600);
  backMs = 0;
  const right = await told();
  expect(right.at(-1)).toBeGreaterThan(wallNow() - 200);
});
