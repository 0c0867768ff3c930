import { describe, expect, it } from "vitest";
import { currentEpoch, serve } from "../support/counter-world.ts";

describe("a restart", () => {
  it("[OW12] claims behind the append that was on its way when the room crashed", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    const bob = gateway.attach("bob");
    await harness.run(10);
    // A leader takes a while from proposal to commit, and meanwhile reads show what is committed.
    Object.assign(node.stores.faults, { latencyMsMin: 4, latencyMsMax: 4 });
    ada.command(1, "add", { by: 1 });
    await harness.run(2);
    Object.assign(node.stores.faults, { latencyMsMin: 1, latencyMsMax: 1 });
    bob.command(1, "explode");
    await harness.run(100);
    const types = harness.journal().map(({ type }) => type);
    expect(types.slice(-2), "the batch landed before the claim").toEqual(["batch", "owner"]);
    expect(node.node.stats().rooms).toBe(1);
    gateway.route(node, currentEpoch(harness));
    ada.attach(true);
    ada.command(1, "add", { by: 1 }, true);
    await harness.run(50);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "ok", data: { count: 1 } }]);
    expect(node.counts.get("roomcluster_room_crashes_total counter")).toBe(1);
  });

  it("[SV2] is not crashed by what an ownership before it had asked for", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    const bob = gateway.attach("bob");
    await harness.run(10);
    const { journal } = node.stores;
    const append = journal.append.bind(journal);
    let broken = true;
    journal.append = async (...given) => {
      if (!broken) return append(...given);
      broken = false;
      await new Promise<void>((resolve) => harness.clock.after(50, resolve));
      throw new Error("a bug in an adapter");
    };
    ada.command(1, "add", { by: 1 });
    await harness.run(2);
    bob.command(1, "explode");
    await harness.run(20);
    const serving = currentEpoch(harness);
    await harness.run(100);
    expect(broken).toBe(false);
    expect(node.counts.get("roomcluster_room_crashes_total counter")).toBe(1);
    expect(currentEpoch(harness), "no third ownership").toBe(serving);
  });
});
