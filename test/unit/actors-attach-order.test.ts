import { describe, expect, it } from "vitest";
import { serve, takeOver } from "../support/counter-world.ts";
import type { RoomHarness, ScriptedGateway } from "../support/room-harness.ts";

/** Lets time pass while the gateway goes on watching. */
async function watchFor(harness: RoomHarness, gateway: ScriptedGateway, seconds: number) {
  for (let second = 0; second < seconds; second++) {
    gateway.send({ type: "watch", index: 0 });
    await harness.clock.run(1_000, 10);
  }
}

describe("attaches that overtake each other", () => {
  it("[MB2] every older socket is told, also where the next attach was on its way", async () => {
    const { harness, node, gateway } = await serve();
    const sockets = [gateway.attach("ada", 1)];
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    sockets.push(gateway.attach("ada", 2, { resumed: true }));
    await harness.run(5);
    sockets.push(gateway.attach("ada", 3, { resumed: true }));
    await harness.run(200);
    const told = gateway.of("superseded").map(({ connection }) => connection);
    expect(told).toEqual([sockets[0]?.connection, sockets[1]?.connection]);
  });

  it("[MB5] who attaches twice in a row after a takeover keeps the seat", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    gateway.attach("ada", 1);
    await harness.run(10);
    const next = await takeOver(served);
    Object.assign(next.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    gateway.attach("ada", 2, { resumed: true });
    await harness.run(5);
    gateway.attach("ada", 3, { resumed: true });
    await watchFor(harness, gateway, 65);
    expect(gateway.of("ended")).toEqual([]);
    expect(next.node.stats().sessions).toBe(1);
  }, 20_000);

  it("[MB5] who is gone before the attach was durable does not keep the seat", async () => {
    const { harness, node, gateway } = await serve();
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    const ada = gateway.attach("ada", 1);
    await harness.run(5);
    ada.away();
    await watchFor(harness, gateway, 65);
    expect(node.node.stats().sessions).toBe(0);
  }, 20_000);
});
