import { describe, expect, it } from "vitest";
import { counter, currentEpoch, serve, slow, takeOver } from "../support/counter-world.ts";
import { RoomHarness } from "../support/room-harness.ts";

const batches = (harness: RoomHarness) =>
  harness.journal().flatMap((record) => (record.type === "batch" ? [record.entries] : []));
const kinds = (harness: RoomHarness) =>
  batches(harness).map((e) => e.map(({ type }) => type).join());

describe("journal", () => {
  it("[RM1] the initial state is an entry of its own before anything else", async () => {
    const { harness } = await serve();
    expect(batches(harness)[0]).toMatchObject([{ type: "system", cause: "created" }]);
  });

  it("[RM2] nothing leaves before its record is accepted", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    const before = gateway.received.filter(({ type }) => type !== "tick").length;
    Object.assign(node.stores.faults, { latencyMsMin: 200, latencyMsMax: 200 });
    ada.command(1, "add", { by: 2 });
    await harness.run(300);
    expect(gateway.received.filter(({ type }) => type !== "tick")).toHaveLength(before);
    await harness.run(200);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "ok" }]);
  });

  it("[RM3] everything decided during one append goes into the next", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    for (let seq = 1; seq <= 20; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(1);
    }
    await harness.run(200);
    expect(ada.replies().map(({ data }) => data)).toHaveLength(20);
    const appends = kinds(harness).filter((kind) => kind.includes("command")).length;
    expect(appends, "20 commands over 20 ms at 40 ms an append").toBeLessThanOrEqual(4);
  });

  it("[RM5] a snapshot counts when named, and only what it covers is trimmed", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    for (let seq = 1; seq <= 300; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(2);
    }
    await harness.run(100);
    const journal = harness.journal();
    const named = journal.findLast((record) => record.type === "named");
    expect(named?.snapshotIndex).toBeGreaterThan(200);
    expect(journal[0]?.index).toBe((named?.snapshotIndex ?? 0) + 1);
    await takeOver(served);
    ada.attach(true);
    await harness.run(20);
    ada.command(300, "add", { by: 1 });
    ada.command(301, "add", { by: 1 });
    await harness.run(50);
    expect(ada.replies().slice(-2)).toMatchObject([
      { seq: 300, data: { count: 300 } },
      { seq: 301, data: { count: 301 } },
    ]);
  });

  it("[RM6] state beyond its limit is refused and changes nothing", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    const text = "x".repeat(15_000);
    for (let seq = 1; seq <= 6; seq++) ada.command(seq, "fill", { key: `k${seq}`, text });
    await harness.run(50);
    const statuses = ada.replies().map(({ status }) => status);
    expect(statuses.slice(0, 4)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(statuses.at(-1)).toBe("state_full");
    ada.command(7, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ seq: 7, status: "ok" });
  });
});

describe("commands", () => {
  it("[CM1] a gap is answered with the number that comes next", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(2, "add", { by: 1 });
    await harness.run(10);
    expect(gateway.of("expect")).toMatchObject([{ seq: 1 }]);
    expect(ada.replies()).toEqual([]);
  });

  it("[CM2][CM3] duplicates are answered from the journal, other bodies refused", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "add", { by: -1 });
    ada.command(1, "add", { by: -1 });
    await harness.run(10);
    expect(
      ada.replies().map(({ status }) => status),
      "the pending one waits",
    ).toEqual(["negative"]);
    ada.command(1, "add", { by: -1 });
    ada.command(1, "add", { by: 5 });
    await harness.run(10);
    const statuses = ada.replies().map(({ status }) => status);
    expect(statuses).toEqual(["negative", "negative", "body_mismatch"]);
    expect(kinds(harness).filter((kind) => kind.includes("command"))).toEqual(["command"]);
  });

  it("[CM2] a new owner answers a duplicate of what the old one did", async () => {
    const served = await serve();
    const ada = served.gateway.attach("ada");
    await served.harness.run(10);
    ada.command(1, "add", { by: 2 });
    await served.harness.run(10);
    await takeOver(served);
    ada.attach(true);
    ada.command(1, "add", { by: 2 }, true);
    await served.harness.run(20);
    expect(ada.replies().map(({ data }) => data)).toEqual([{ count: 2 }, { count: 2 }]);
  });

  it("[CM4] unknown commands and bad bodies are journaled refusals", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "toString", null);
    ada.command(2, "add", { by: "two" });
    await harness.run(10);
    expect(ada.replies()).toMatchObject([
      { seq: 1, status: "unknown_command" },
      { seq: 2, status: "invalid_body" },
    ]);
    expect(kinds(harness).at(-1)).toBe("command,command");
  });

  it("[CM4] a key that no decoder reads back is refused, not journaled", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    const keys = ["constructor", "prototype", "k".repeat(300), "fine"];
    for (const [i, key] of keys.entries()) ada.command(i + 1, "name", { key });
    await harness.run(20);
    const statuses = ada.replies().map(({ status }) => status);
    expect(statuses).toEqual(["invalid_body", "invalid_body", "invalid_body", "ok"]);
    const next = await takeOver(served);
    expect(next.node.stats().rooms, "the journal can be read").toBe(1);
  });

  it("[CM5] only the newest socket of a session is heard", async () => {
    const { harness, gateway } = await serve();
    const old = gateway.attach("ada", 1);
    await harness.run(10);
    const fresh = gateway.attach("ada", 2, { resumed: true });
    await harness.run(10);
    old.command(1, "add", { by: 1 });
    await harness.run(10);
    expect(fresh.replies()).toEqual([]);
    fresh.command(1, "add", { by: 5 });
    await harness.run(10);
    expect(fresh.replies()).toMatchObject([{ data: { count: 5 } }]);
  });

  it("[CM6] what the journal can not take in time is answered busy and consumes nothing", async () => {
    const room = {
      ...(await import("../../actors/room/room-config.ts")).ROOM_DEFAULTS,
      pendingEntriesMax: 4,
    };
    const harness = new RoomHarness();
    const node = harness.node("node-a", [counter], { room });
    const gateway = harness.gateway("gw-1");
    harness.propose(node, counter);
    await harness.run(20);
    gateway.route(node, currentEpoch(harness));
    const ada = gateway.attach("ada");
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 100, latencyMsMax: 100 });
    for (let seq = 1; seq <= 6; seq++) ada.command(seq, "add", { by: 1 });
    await harness.run(20);
    expect(gateway.of("busy")[0]).toMatchObject({ seq: 5, retryAfterMs: room.busyRetryMs });
    await harness.run(500);
    ada.command(5, "add", { by: 1 });
    await harness.run(500);
    expect(ada.replies().map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it("[CM7] a resent command is announced before it runs, and runs alone", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    const bob = gateway.attach("bob");
    await harness.run(10);
    const node = await takeOver(served);
    for (const person of [ada, bob]) person.attach(true);
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 10, latencyMsMax: 10 });
    const began = kinds(harness).length;
    ada.command(1, "add", { by: 2 }, true);
    bob.command(1, "add", { by: 3 });
    await harness.run(200);
    expect(kinds(harness).slice(began)).toEqual(["attempt", "command", "command"]);
    expect(ada.replies()).toMatchObject([{ status: "ok", data: { count: 2 } }]);
    expect(bob.replies()).toMatchObject([{ status: "ok", data: { count: 5 } }]);
  });

  it("[CM8] a command that was running when its owner died is dead-lettered", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    const second = await takeOver(served);
    ada.attach(true);
    await harness.run(10);
    ada.command(1, "add", { by: 2 }, true);
    // The attempt lands, then the second owner hears nothing of the journal any more.
    second.stores.faults.nextAppends.push("ack_lost");
    await harness.run(5);
    expect(kinds(harness).at(-1)).toBe("attempt");
    second.node.close();
    await takeOver(served, counter, "node-c");
    ada.attach(true);
    await harness.run(20);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "dead_letter" }]);
    ada.command(1, "add", { by: 2 }, true);
    ada.command(2, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().slice(1)).toMatchObject([
      { seq: 1, status: "dead_letter" },
      { seq: 2, status: "ok", data: { count: 1 } },
    ]);
  });

  it("[CM9] slow work starts when its command is durable and returns as the room's own", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "think");
    ada.command(2, "thought", 7);
    await harness.run(10);
    expect(ada.replies()).toMatchObject([{ status: "ok" }, { status: "forbidden" }]);
    slow.release(41);
    await harness.run(10);
    ada.command(3, "add", { by: 1 });
    await harness.run(10);
    expect(ada.replies().at(-1)).toMatchObject({ data: { count: 42 } });
  });
});
