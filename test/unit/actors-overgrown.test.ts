import { describe, expect, it } from "vitest";
import { NODE_DEFAULTS } from "../../actors/node.ts";
import { counter, currentEpoch, takeOver } from "../support/counter-world.ts";
import { RoomHarness } from "../support/room-harness.ts";

describe("a journal without snapshots", () => {
  it("[RM9] takes no more commands than the next owner can read, until one counts", async () => {
    const harness = new RoomHarness();
    const limits = { snapshotQuietMs: 0, snapshotRecords: 16, unnamedRecordsMax: 40 };
    const room = { ...NODE_DEFAULTS.room, ...limits };
    const node = harness.node("node-a", [counter], { room });
    const { snapshots } = node.stores;
    const put = snapshots.put.bind(snapshots);
    let full = true;
    snapshots.put = async (...given) =>
      full ? { ok: false, error: "unavailable" } : put(...given);
    const gateway = harness.gateway("gw-1");
    harness.propose(node, counter);
    await harness.run(20);
    gateway.route(node, currentEpoch(harness));
    const ada = gateway.attach("ada");
    await harness.run(10);
    let seq = 0;
    for (let i = 0; i < 60 && gateway.of("busy").length === 0; i++) {
      ada.command(++seq, "add", { by: 1 });
      await harness.run(5);
    }
    expect(gateway.of("busy")).toMatchObject([{ seq }]);
    expect(harness.journal()).toHaveLength(40);
    expect(node.counts.get("roomcluster_commands_total journal_full")).toBe(1);
    full = false;
    for (let second = 0; second < 11; second++) {
      gateway.send({ type: "watch", index: 0 });
      await harness.run(1_000);
    }
    expect(harness.journal()[0]?.index, "it is trimmed").toBe(41);
    ada.command(seq, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ seq, status: "ok", data: { count: seq } });
    await takeOver({ harness, node, gateway }, counter);
    ada.attach(true);
    ada.command(seq + 1, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ seq: seq + 1, data: { count: seq + 1 } });
  });
});
