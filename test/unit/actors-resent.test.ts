import { describe, expect, it } from "vitest";
import { serve, slow, takeOver } from "../support/counter-world.ts";
import type { RoomHarness } from "../support/room-harness.ts";

const kinds = (harness: RoomHarness) =>
  harness
    .journal()
    .flatMap((record) => (record.type === "batch" ? record.entries.map(({ type }) => type) : []));

describe("a resent command", () => {
  it("[CM7] slow work that comes back meanwhile waits, so that the attempt stays last", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "think");
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    const began = kinds(harness).length;
    ada.command(2, "add", { by: 2 }, true);
    await harness.run(5);
    slow.release(40);
    await harness.run(300);
    expect(kinds(harness).slice(began)).toEqual(["attempt", "command", "system"]);
  });

  it("[CM8] a dead letter is counted", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    served.node.stores.faults.nextAppends.push("ack_lost");
    ada.command(1, "add", { by: 2 }, true);
    await harness.run(5);
    served.node.node.close();
    const next = await takeOver(served);
    expect(next.counts.get("roomcluster_commands_total dead_letter")).toBe(1);
  });
});
