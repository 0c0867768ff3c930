import { expect, test } from "vitest";
import { Crowd } from "../../src/load/crowd.ts";
import { MemoryStack } from "../support/memory-stack.ts";

test("[LD9] bots find a real room sound, through takeovers and the death of a gateway", async () => {
  const stack = new MemoryStack(31);
  const urls = [stack.gateway("gw-a"), stack.gateway("gw-b")];
  stack.place(0);
  await stack.harness.run(500);
  const crowd = new Crowd({
    urls,
    token: async (name) => name,
    bots: 10,
    startsPerSecond: 20,
    clock: stack.harness.clock,
    random: stack.harness.random,
    transport: stack.transport,
    habits: { sayMs: 1_500, emoteMs: 4_000, grabMs: 3_000, carryMs: 2_000 },
  });
  const trail: string[] = [];
  const sound = (after: string) => {
    const report = crowd.report();
    const { lost, doubled, ghosts, regressed, ended, unknown, bots } = report;
    trail.push(`${after}: ${JSON.stringify(report)}`);
    expect({ lost, doubled, ghosts, regressed, ended, unknown, bots }, trail.join("\n")).toEqual({
      lost: 0,
      doubled: 0,
      ghosts: 0,
      regressed: 0,
      ended: 0,
      unknown: 0,
      bots: 10,
    });
    return report;
  };
  await stack.harness.run(8_000);
  sound("all in");
  // Taken from a living owner each time: it has to find out from the journal that it is over.
  const epochs = [stack.epoch];
  for (const node of [1, 0, 1]) {
    stack.place(node);
    await stack.harness.run(4_000);
    epochs.push(stack.epoch);
    const { frameGap, reconnects } = sound(`placed on ${node}`);
    // Virtual time: this bounds what the parts wait for, not what machines need.
    expect({ reconnects, still: frameGap.max < 200 }).toEqual({ reconnects: 0, still: true });
  }
  expect(
    [...new Set(epochs)].sort((x, y) => x - y),
    "each takeover has to happen",
  ).toEqual(epochs);
  const [first = "", second = ""] = urls;
  stack.kill(first);
  await stack.harness.run(10_000);
  const killed = sound("one gateway killed");
  expect(killed.reconnects, "somebody must have been on it").toBeGreaterThan(0);
  expect(killed.frameGap.max).toBeLessThan(2_000);
  const third = stack.gateway("gw-c");
  urls.splice(0, 1, third);
  void stack.core(second).drain();
  await stack.harness.run(25_000);
  const drained = sound("the other one drained");
  expect(drained.reconnects).toBeGreaterThanOrEqual(10);
  expect(drained.commands).toBeGreaterThan(300);
  expect(drained.refused, "two bots want one item now and then").toBeGreaterThan(0);
  await Promise.all([crowd.stop(), stack.harness.run(2_000)]);
  expect(crowd.report()).toMatchObject({ bots: 0, lost: 0, ended: 0 });
});
