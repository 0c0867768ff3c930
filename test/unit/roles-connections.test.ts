import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/kernel/clock.ts";
import { processId } from "../../src/kernel/ids.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import type { Log } from "../../src/observe/observer.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { openConnection } from "../../src/roles/connections.ts";

test("[BU41] a NATS that is not there is a warning after 3 s, and an error at the end", async () => {
  const warned: unknown[] = [];
  const log: Log = { ...silentObserver.log, warn: (...line) => void warned.push(line) };
  let skippedMs = 0;
  // Three seconds are over at the first look; the end comes as soon as that is told.
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    after: (delayMs, fire) => {
      if (delayMs !== 3_000) return systemClock.after(delayMs, fire);
      return systemClock.after(20, () => {
        fire();
        skippedMs = 60_000;
      });
    },
  };
  const self = processId("node.0123456789abcdef");
  const runtime = { self, clock, random: systemRandom, observer: { ...silentObserver, log } };
  const nats = { servers: ["nats://me:s3cret@127.0.0.1:1", "nats://127.0.0.1:2"] };
  const login = { user: "node", password: "p4ssword" } as const;
  const opened = await openConnection({ nats }, login, "control", runtime);
  expect(opened).toMatchObject({ error: expect.stringContaining("can not be reached") });
  const servers = "nats://[redacted]@127.0.0.1:1, nats://127.0.0.1:2";
  expect(warned).toEqual([
    [
      { servers, connection: "control" },
      "NATS can not be reached yet: this process goes on trying.",
    ],
  ]);
  expect(JSON.stringify([opened, warned])).not.toMatch(/s3cret|p4ssword/);
});
