import { describe, expect, it } from "vitest";
import { serve, takeOver } from "../support/counter-world.ts";
import { ROOM } from "../support/room-harness.ts";

describe("closing", () => {
  it("[SV8] what stands in the closing record is told before the end", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    ada.command(1, "add", { by: 1 });
    await harness.run(5);
    ada.command(2, "add", { by: 1 });
    await harness.run(2);
    harness.closeRoom(node);
    await harness.run(200);
    expect(ada.replies().map(({ seq }) => seq)).toEqual([1, 2]);
    expect(gateway.of("ended")).toMatchObject([{ code: "room_closed" }]);
    expect(gateway.received.at(-1)?.type).toBe("ended");
    expect(node.node.stats().rooms).toBe(0);
  });

  it("[SV8] a room that was closed under an earlier owner ends, whoever wants it", async () => {
    const { harness, node, gateway } = await serve();
    gateway.attach("ada");
    await harness.run(10);
    node.stores.faults.nextAppends.push("ack_lost");
    harness.closeRoom(node);
    await harness.run(5);
    node.node.close();
    const next = await takeOver({ harness, node, gateway });
    await harness.run(20);
    expect(next.node.stats().rooms).toBe(0);
    expect(await next.stores.index.read(ROOM)).toMatchObject({
      value: { status: "closed", owner: undefined },
    });
  });

  it("[SV8] the last record of a closed room says that it is closed, by every owner", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    const last = () => {
      const record = harness.journal().at(-1);
      return record?.type === "batch" && record.entries.at(-1)?.type;
    };
    expect(last()).not.toBe("close");
    ada.command(1, "add", { by: 1 });
    harness.closeRoom(node);
    ada.command(2, "add", { by: 1 });
    ada.leave();
    await harness.run(2_000);
    expect(last()).toBe("close");
    const records = harness.journal().length;
    await takeOver({ harness, node, gateway });
    await harness.run(2_000);
    expect([last(), harness.journal().length]).toEqual(["close", records + 2]);
  });
});
