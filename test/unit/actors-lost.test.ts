import { describe, expect, it } from "vitest";
import { counter, currentEpoch, serve, takeOver } from "../support/counter-world.ts";
import { ROOM } from "../support/room-harness.ts";

describe("a node that lost the room", () => {
  it("[OW10] reads a journal that a later owner has trimmed: lost, not broken", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    const slowNode = harness.node("node-b", [counter]);
    harness.propose(slowNode, counter, gateway.epoch);
    Object.assign(slowNode.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    const owners = () => harness.journal().filter(({ type }) => type === "owner").length;
    for (let i = 0; i < 200 && owners() < 2; i++) await harness.run(1);
    // The claim is known by then, and the reading of the journal is on its way.
    await harness.run(25);
    slowNode.stores.faults.unreachable = true;
    gateway.epoch = currentEpoch(harness);
    const later = await takeOver(served, counter, "node-c");
    ada.attach(true);
    for (let seq = 1; seq <= 300; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(2);
    }
    await harness.run(50);
    expect(harness.journal()[0]?.index, "it was trimmed").toBeGreaterThan(200);
    slowNode.stores.faults.unreachable = false;
    await harness.run(4_000);
    expect(slowNode.node.stats().rooms).toBe(0);
    const entry = await later.stores.index.read(ROOM);
    expect(entry).toMatchObject({ value: { status: "wanted", owner: later.id } });
  });

  it("[OW10] and gave it up before does not take it from the later owner in the index", async () => {
    const { harness, node, gateway } = await serve();
    for (let crash = 1; crash <= 4; crash++) {
      gateway.route(node, currentEpoch(harness));
      const person = gateway.attach(`p${crash % 3}`, crash, { resumed: crash > 3 });
      await harness.run(20);
      if (crash === 4) node.stores.faults.unreachable = true;
      person.command(1, "explode");
      await harness.run(crash === 4 ? 50 : 650);
    }
    expect(node.node.stats().rooms, "given up").toBe(0);
    const later = harness.node("node-b", [counter]);
    harness.propose(later, counter, currentEpoch(harness));
    await harness.run(100);
    node.stores.faults.unreachable = false;
    await harness.run(5_000);
    const entry = await later.stores.index.read(ROOM);
    expect(entry).toMatchObject({ value: { owner: later.id } });
  });

  it("[OW11] appends nothing to a journal of another generation than it claimed", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    const records = harness.journal().length;
    harness.stores.restore(harness.stores.backup());
    ada.command(1, "add", { by: 1 });
    await harness.run(6_000);
    expect(harness.journal()).toHaveLength(records);
    expect(ada.replies()).toEqual([]);
    expect(node.node.stats().rooms).toBe(0);
  });
});
