import { describe, expect, it } from "vitest";
import { defineRoom } from "../../actors/room/define-room.ts";
import { planRecovery } from "../../actors/room/recovery.ts";
import type { StoredRecord } from "../../src/journal/journal.ts";
import { EPOCH_NONE, epochAt, epochCompare } from "../../src/kernel/epoch.ts";
import { decodeRecord, type JournalRecord } from "../../src/protocol/journal-record.ts";
import { counter, currentEpoch, serve, takeOver } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

const owners = (harness: RoomHarness) =>
  harness.journal().flatMap((record) => (record.type === "owner" ? [record.owner] : []));

describe("ownership", () => {
  it("[OW1] of many claimants on one tail exactly one lands, for 50 seeds", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const harness = new RoomHarness(seed);
      const nodes = Array.from({ length: 4 }, (_, i) => harness.node(`node-${i}`, [counter]));
      for (const node of nodes) {
        node.stores.faults.latencyMsMax = 20;
        harness.propose(node, counter);
      }
      await harness.run(200);
      const serving = nodes.filter(({ node }) => node.stats().rooms === 1);
      expect(
        serving.map(({ id }) => id),
        `seed ${seed}`,
      ).toEqual(owners(harness));
      for (const { node } of nodes) node.close();
    }
  });

  it("[OW2] a proposal that names another epoch than the tail's is not obeyed", async () => {
    const served = await serve();
    const late = served.harness.node("node-b", [counter]);
    served.harness.propose(late, counter, EPOCH_NONE);
    served.harness.propose(late, counter, epochAt(1, 999));
    await served.harness.run(100);
    expect(owners(served.harness)).toEqual([served.node.id]);
    expect(late.node.stats().rooms).toBe(0);
  });

  it("[OW3] a claim whose acknowledgement is lost is found by its nonce, not made twice", async () => {
    const harness = new RoomHarness();
    const node = harness.node("node-a", [counter]);
    node.stores.faults.nextAppends.push("ack_lost");
    harness.propose(node, counter);
    await harness.run(3_000);
    expect(owners(harness)).toEqual([node.id]);
    expect(node.node.stats().rooms).toBe(1);
    expect(harness.stores.fired.ackLost).toBe(1);
  });

  it("[OW3] a claim that lands late after a rival's is refused and never served", async () => {
    const harness = new RoomHarness();
    const slow = harness.node("node-a", [counter]);
    const rival = harness.node("node-b", [counter]);
    Object.assign(slow.stores.faults, { timeoutMs: 100, lateMsMin: 500, lateMsMax: 600 });
    slow.stores.faults.nextAppends.push("late");
    harness.propose(slow, counter);
    await harness.run(50);
    harness.propose(rival, counter);
    await harness.run(3_000);
    expect(owners(harness)).toEqual([rival.id]);
    expect(slow.node.stats().rooms).toBe(0);
  });

  it("[OW3] a batch whose acknowledgement is lost is acknowledged once, by its nonce", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    node.stores.faults.nextAppends.push("ack_lost");
    ada.command(1, "add", { by: 2 });
    await harness.run(4_000);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "ok", data: { count: 2 } }]);
    expect(node.node.stats().rooms).toBe(1);
  });

  it("[OW4] a foreign record fences the owner: nothing is acknowledged, nothing kept", async () => {
    const served = await serve();
    const { harness, node, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    const old = gateway.epoch;
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, old);
    await harness.run(50);
    ada.command(1, "add", { by: 2 });
    await harness.run(50);
    expect(ada.replies()).toEqual([]);
    expect(node.node.stats().rooms).toBe(0);
    expect(node.counts.get("roomcluster_fenced_total append")).toBe(1);
    expect(epochCompare(currentEpoch(harness), old)).toBeGreaterThan(0);
  });

  it("[OW5] a hole, a foreign end and a lagging reader are broken chains", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    for (let seq = 1; seq <= 5; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(5);
    }
    const all = harness.stores.logs.get(ROOM)?.records ?? [];
    const end = all.at(-1) as StoredRecord;
    const claim = {
      sequence: end.sequence,
      record: decodeRecord(end.data) as JournalRecord,
    };
    const stored = all.slice(0, -1);
    expect(planRecovery(stored, claim).kind).toBe("replay");
    expect(planRecovery(stored.slice(0, -1), claim).kind, "a lagging reader").toBe("broken");
    expect(planRecovery(stored.slice(1), claim).kind, "no beginning").toBe("broken");
    expect(planRecovery(stored.toSpliced(3, 1), claim).kind, "a hole").toBe("broken");
    const foreign = { ...claim, record: { ...claim.record, previous: 1 } };
    expect(planRecovery(stored, foreign).kind, "another predecessor").toBe("broken");
  });

  it("[OW5] a follower that lags is asked again at the leader", async () => {
    const served = await serve();
    const ada = served.gateway.attach("ada");
    await served.harness.run(10);
    ada.command(1, "add", { by: 2 });
    await served.harness.run(10);
    const next = served.harness.node("node-b", [counter]);
    Object.assign(next.stores.faults, { staleRate: 1, staleRecordsMax: 2 });
    served.harness.propose(next, counter, served.gateway.epoch);
    await served.harness.run(500);
    expect(next.node.stats().rooms).toBe(1);
    expect(served.harness.stores.fired.stale).toBeGreaterThan(0);
  });

  it("[OW6] older senders are told, newer ones make the owner read the tail", async () => {
    const served = await serve();
    const { harness, gateway, node } = served;
    gateway.send({ type: "watch", index: 0 }, EPOCH_NONE);
    await harness.run(20);
    expect(gateway.of("stale")).toMatchObject([{ epoch: gateway.epoch }]);
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, gateway.epoch);
    await harness.run(50);
    expect(node.node.stats().rooms, "has not noticed").toBe(1);
    gateway.send({ type: "watch", index: 0 }, currentEpoch(harness));
    await harness.run(50);
    expect(node.node.stats().rooms, "has read the tail").toBe(0);
  });

  it("[OW6] a newer sender is not believed less because a read is on its way", async () => {
    const { harness, gateway, node } = await serve();
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 100, latencyMsMax: 100 });
    gateway.send({ type: "watch", index: 0 }, epochAt(1, 999));
    await harness.run(110);
    // The tail is read by then, and the answer is on its way back.
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, gateway.epoch);
    await harness.run(30);
    gateway.send({ type: "watch", index: 0 }, currentEpoch(harness));
    await harness.run(70);
    expect(node.node.stats().rooms, "the answer was of before").toBe(1);
    await harness.run(220);
    expect(node.node.stats().rooms).toBe(0);
  });

  it("[OW7] an idle owner finds out within 5 s that it lost the room", async () => {
    const { harness, node, gateway } = await serve();
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, gateway.epoch);
    await harness.run(50);
    await harness.run(5_000);
    expect(node.node.stats().rooms).toBe(0);
    expect(next.node.stats().rooms).toBe(1);
  });

  it("[OW8] a lower state version may not claim; [RM4] a higher one migrates", async () => {
    const newer = defineRoom({
      name: "counter",
      version: 2,
      state: () => ({ total: 0 }),
      commands: {},
      migrations: {
        2: ({ state }) => ({ state: { total: (state as { count: number }).count }, secret: {} }),
      },
    });
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "add", { by: 7 });
    await harness.run(10);
    const seen = gateway.of("record").at(-1)?.record.index ?? 0;
    await takeOver(served, newer, "node-new");
    gateway.received.length = 0;
    gateway.send({ type: "watch", index: seen });
    await harness.run(20);
    expect(gateway.of("record"), "no patches lead over a migration").toEqual([]);
    expect(gateway.of("snapshot")).toHaveLength(1);
    const older = harness.node("node-old", [counter]);
    harness.propose(older, counter, gateway.epoch);
    await harness.run(100);
    expect(older.node.stats().rooms).toBe(0);
  });

  it("[OW9] a claim that nobody settles is given up after its deadline", async () => {
    const harness = new RoomHarness();
    const node = harness.node("node-a", [counter]);
    node.stores.faults.unreachable = true;
    harness.propose(node, counter);
    await harness.run(14_000);
    expect(node.node.stats().rooms).toBe(1);
    await harness.run(2_000);
    expect(node.node.stats().rooms).toBe(0);
    node.node.close();
    await harness.run(3_000);
    expect(harness.clock.pending, "timers left behind").toBe(0);
  });
});
