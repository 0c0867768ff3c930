import { expect, test } from "vitest";
import { SEAT_POOL_LIMITS, SeatPool } from "../../gateway/seat-pool.ts";

const ANSWER = {
  ...{ grants: [{ shard: 0, seats: 1 }], wished: [], moves: [], ahead: [], reactions: [] },
  ...{ retryAfterMs: 250, perS: 10, waiting: 0, seated: 0, shards: 1, energy: 0 },
};

test("[GW54] asks for all who came meanwhile, not for each of them", () => {
  const { askMsMin, reportMs } = SEAT_POOL_LIMITS;
  const pool = new SeatPool();
  let [asked, waiting] = [0, 0];
  // Somebody every 2 ms; the owner answers in 3.
  for (let now = 0; now < 1_000; now++) {
    if (now % 2 === 0) waiting++;
    if (!pool.due(waiting, now)) continue;
    const { request, want } = pool.question({ anywhere: waiting, waiting }, [], new Map(), now);
    asked++;
    const grants = [{ shard: 0, seats: want }];
    expect(pool.answer({ ...ANSWER, request, grants }, now + 3)).toBe(true);
    while (pool.take(now + 3) !== undefined) waiting--;
    expect(waiting).toBe(0);
  }
  expect(asked).toBeLessThanOrEqual(1_000 / askMsMin + 1);
  expect(asked).toBeGreaterThan(1_000 / askMsMin / 2);
  // Nobody waits: it only reports.
  pool.question({ anywhere: 0, waiting: 0 }, [], new Map(), 1_000);
  expect(pool.due(0, 1_000 + reportMs - 1)).toBe(false);
  expect(pool.due(0, 1_000 + reportMs)).toBe(true);
});
