import { describe, expect, it } from "vitest";
import { ROOM_DEFAULTS } from "../../actors/room/room-config.ts";
import { epochGeneration } from "../../src/kernel/epoch.ts";
import { counter, currentEpoch, type Served, serve } from "../support/counter-world.ts";
import { ROOM, RoomHarness, type Speaker } from "../support/room-harness.ts";

/** Streams come back from a backup that lacks the last `lost` records. */
function restore(harness: RoomHarness, lost: number): void {
  const log = harness.stores.logs.get(ROOM)?.records ?? [];
  log.splice(log.length - lost, lost);
  if (log.length === 0) harness.stores.logs.delete(ROOM);
  const generation = harness.stores.generation + 1;
  Object.defineProperty(harness.stores, "generation", {
    configurable: true,
    get: () => generation,
  });
}

async function afterTwoCommands(): Promise<Served & { readonly ada: Speaker }> {
  const served = await serve();
  const ada = served.gateway.attach("ada");
  for (const seq of [1, 2]) {
    ada.command(seq, "add", { by: 1 });
    await served.harness.run(20);
  }
  return { ...served, ada };
}

describe("after a restore", () => {
  it("[OW11] what a snapshot covered before is not trimmed from what came back", async () => {
    const harness = new RoomHarness();
    const room = {
      ...ROOM_DEFAULTS,
      snapshotQuietMs: 0,
      snapshotRecords: 8,
      snapshotRecordsMin: 8,
    };
    const node = harness.node("node-a", [counter], { room });
    const gateway = harness.gateway("gw-1");
    harness.propose(node, counter);
    await harness.run(20);
    gateway.route(node, currentEpoch(harness));
    const ada = gateway.attach("ada");
    await harness.run(10);
    const named = () => harness.journal().some(({ type }) => type === "named");
    Object.assign(node.stores.faults, { latencyMsMin: 10, latencyMsMax: 10 });
    for (let seq = 1; seq <= 20 && !named(); seq++) {
      ada.command(seq, "add", { by: 1 });
      for (let ms = 0; ms < 30 && !named(); ms++) await harness.run(1);
    }
    expect(named(), "its acknowledgement is on the way").toBe(true);
    restore(harness, 0);
    await harness.run(100);
    expect(harness.journal()[0]?.index).toBe(1);
  });

  it("[OW13] an owner without commands ends, although the tail shows its epoch", async () => {
    const { harness, node, gateway } = await afterTwoCommands();
    restore(harness, 1);
    for (let second = 0; second < 6; second++) {
      gateway.send({ type: "watch", index: 0 });
      await harness.clock.run(1_000, 10);
    }
    expect(node.node.stats().rooms).toBe(0);
    expect(node.counts.get("roomcluster_fenced_total verify")).toBe(1);
  });

  it("[OW13] whoever names the epoch that was known before gets the room", async () => {
    const served = await afterTwoCommands();
    const { harness, node } = served;
    const second = harness.node("node-b", [counter]);
    harness.propose(second, counter, currentEpoch(harness));
    await harness.run(50);
    const known = currentEpoch(harness);
    // Neither the second ownership nor the last command is in the backup.
    restore(harness, 2);
    node.node.close();
    second.node.close();
    const next = harness.node("node-c", [counter]);
    harness.propose(next, counter, known);
    await harness.run(100);
    expect(next.node.stats().rooms).toBe(1);
    expect(epochGeneration(currentEpoch(harness))).toBe(2);
    const late = harness.node("node-d", [counter]);
    harness.propose(late, counter, known);
    await harness.run(100);
    expect(late.node.stats().rooms, "an ownership of the new generation yields to its epoch").toBe(
      0,
    );
  });

  it("[OW13] a room of which nothing is left begins anew, whatever epoch is named", async () => {
    const { harness, node } = await afterTwoCommands();
    const known = currentEpoch(harness);
    restore(harness, harness.journal().length);
    node.node.close();
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, known);
    await harness.run(100);
    expect(next.node.stats().rooms).toBe(1);
    expect(harness.journal()[0]).toMatchObject({ type: "owner", index: 1 });
  });

  it("[OW13] a room that is being read then ends and is not quarantined", async () => {
    const { harness } = await afterTwoCommands();
    const next = harness.node("node-b", [counter]);
    Object.assign(next.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    harness.propose(next, counter, currentEpoch(harness));
    const owners = () => harness.journal().filter(({ type }) => type === "owner").length;
    for (let ms = 0; ms < 100 && owners() < 2; ms++) await harness.run(1);
    // The claim is known, and the reading is on its way.
    await harness.run(25);
    restore(harness, 2);
    for (let ms = 0; ms < 400 && next.node.stats().rooms > 0; ms++) await harness.run(1);
    expect(next.node.stats().rooms).toBe(0);
    expect(next.counts.get("roomcluster_fenced_total verify")).toBe(1);
    await harness.run(2_000);
    expect(await harness.stores.open().index.read(ROOM)).toMatchObject({
      value: { status: "wanted" },
    });
  });

  it("[PL77] the owner drops the crashes of before from the index", async () => {
    const { harness, node } = await afterTwoCommands();
    const { index } = node.stores;
    const known = currentEpoch(harness);
    await harness.run(3_000);
    await index.change(ROOM, (entry) => entry && { ...entry, epoch: known, crashedOn: [node.id] });
    restore(harness, 1);
    node.node.close();
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, known);
    await harness.run(3_000);
    expect(await index.read(ROOM)).toMatchObject({
      value: { owner: next.id, epoch: currentEpoch(harness), crashedOn: [] },
    });
  });
});
