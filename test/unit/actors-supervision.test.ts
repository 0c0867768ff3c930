import { describe, expect, it } from "vitest";
import { MAILBOX_DEFAULTS, Mailbox } from "../../actors/mailbox.ts";
import { afterCrash, RESTART_DEFAULTS } from "../../actors/supervisor.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { decodeRun } from "../../src/protocol/msgpack.ts";
import { BATCH_HEAD } from "../../src/protocol/room-messages.ts";
import { gatewayInbox } from "../../src/protocol/subjects.ts";
import { counter, currentEpoch, serve } from "../support/counter-world.ts";
import { ROOM } from "../support/room-harness.ts";

const ALL = { durable: true, volatile: true };
const HELD = { durable: false, volatile: true };

describe("supervision", () => {
  it("[SV1] delays follow each other; a fourth crash in the window gives up", () => {
    const delays: number[] = [];
    let crashes: readonly number[] = [];
    for (const at of [0, 100, 200, 300]) {
      const decision = afterCrash(crashes, at, RESTART_DEFAULTS);
      delays.push(decision.kind === "restart" ? decision.afterMs : -1);
      if (decision.kind === "restart") crashes = decision.crashes;
    }
    expect(delays).toEqual([0, 100, 500, -1]);
    expect(afterCrash([0, 100, 200], 5_300, RESTART_DEFAULTS)).toMatchObject({ afterMs: 0 });
  });

  it("[SV1][SV2] a throwing command costs its room restarts, then a dead letter", async () => {
    const { harness, node, gateway } = await serve();
    const neighbour = roomId("demo/next-door");
    harness.propose(node, counter, undefined, neighbour);
    await harness.run(20);
    const before = harness.journal(neighbour);
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "explode");
    await harness.run(50);
    expect(ada.replies()).toEqual([]);
    // What the client does on every new epoch: attach again, send again, marked.
    for (let round = 0; round < 3 && ada.replies().length === 0; round++) {
      gateway.route(node, currentEpoch(harness));
      ada.attach(true);
      await harness.run(20);
      ada.command(1, "explode", null, true);
      await harness.run(700);
    }
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "dead_letter" }]);
    expect(node.counts.get("roomcluster_room_crashes_total counter")).toBe(2);
    expect(harness.journal(neighbour)).toEqual(before);
    gateway.route(node, currentEpoch(harness));
    ada.attach(true);
    ada.command(2, "add", { by: 1 });
    await harness.run(20);
    expect(ada.replies().at(-1)).toMatchObject({ seq: 2, status: "ok" });
  });

  it("[SV1] a room that keeps crashing is given up and says where", async () => {
    const { harness, node, gateway } = await serve();
    for (let crash = 1; crash <= 4; crash++) {
      gateway.route(node, currentEpoch(harness));
      const person = gateway.attach(`p${crash % 3}`, crash, { resumed: crash > 3 });
      await harness.run(20);
      person.command(1, "explode");
      await harness.run(650);
    }
    expect(node.node.stats().rooms).toBe(0);
    const entry = await node.stores.index.read(ROOM);
    expect(entry).toMatchObject({ ok: true, value: { owner: undefined, crashedOn: [node.id] } });
  });

  it("[SV3] one turn does not take everything", async () => {
    const { harness, node, gateway } = await serve();
    const people = ["ada", "bob", "eve"].map((name) => gateway.attach(name));
    await harness.run(10);
    for (let seq = 1; seq <= 32; seq++)
      for (const person of people) person.command(seq, "add", { by: 1 });
    await harness.run(50);
    expect(gateway.of("reply")).toHaveLength(96);
    const sizes = harness
      .journal()
      .map((record) => (record.type === "batch" ? record.entries.length : 0));
    expect(sizes.slice(-2), "64 decided in the first turn").toEqual([64, 32]);
    expect(node.node.stats().rooms).toBe(1);
  });

  it("[SV4] lanes are bounded and served in order of importance", () => {
    const limits = { ...MAILBOX_DEFAULTS, controlMax: 1, durableMax: 2, volatileMax: 2 };
    const mailbox = new Mailbox<string>(limits, () => 1);
    expect(mailbox.push("volatile", "v1")).toBe("queued");
    expect(mailbox.push("volatile", "v2")).toBe("queued");
    expect(mailbox.push("volatile", "v3")).toBe("queued");
    expect(["d1", "d2", "d3"].map((item) => mailbox.push("durable", item))).toEqual([
      "queued",
      "queued",
      "full",
    ]);
    expect(mailbox.push("control", "c1")).toBe("queued");
    expect(mailbox.push("control", "c2")).toBe("full");
    expect(mailbox.fullness).toBe(1);
    expect(mailbox.take(HELD)).toBe("c1");
    expect(mailbox.take({ durable: false, volatile: false }), "both are held back").toBe(undefined);
    expect(mailbox.take(HELD), "durable is held back").toBe("v2");
    expect([mailbox.take(ALL), mailbox.take(ALL), mailbox.take(ALL)]).toEqual(["d1", "d2", "v3"]);
  });

  it("[SV5] a message for a room that is not here is answered stale, not too often", async () => {
    const { harness, gateway } = await serve();
    gateway.room = roomId("demo/elsewhere");
    for (let i = 0; i < 50; i++) gateway.send({ type: "watch", index: 0 });
    await harness.run(20);
    expect(gateway.of("stale")).toMatchObject([{ room: "demo/elsewhere" }]);
  });

  it("[SV9] batches to a gateway are numbered on after an idle minute", async () => {
    const { harness, gateway } = await serve();
    const numbers: number[] = [];
    harness.data.open("listener").subscribe(gatewayInbox(gateway.id), ({ data }) => {
      const run = decodeRun(data, 64);
      numbers.push(run.ok ? (BATCH_HEAD(run.value[0])?.sequence ?? 0) : 0);
    });
    for (let round = 0; round < 3; round++) {
      gateway.send({ type: "watch", index: 0 }, EPOCH_NONE);
      await harness.run(20);
      await harness.clock.run(80_000, 100);
    }
    expect(numbers).toEqual([1, 2, 3]);
  });

  it("[SV6] a takeover's route is told at once and again", async () => {
    const { harness } = await serve();
    const next = harness.node("node-b", [counter]);
    const told: number[] = [];
    const began = harness.clock.now();
    harness.control.open("listener").subscribe("c.route.>", ({ data }) => {
      const message = decodeControl(data);
      if (message?.type === "route" && message.owner === next.id)
        told.push(Math.round(harness.clock.now() - began));
    });
    harness.propose(next, counter, currentEpoch(harness));
    await harness.run(700);
    const [first = 0] = told;
    const after = told.map((at) => at - first).filter((at) => at <= 500);
    expect(after).toHaveLength(5);
    for (const [i, due] of [0, 50, 100, 200, 500].entries())
      expect(Math.abs((after[i] ?? -99) - due), `${after}`).toBeLessThanOrEqual(2);
  });

  it("[SV6] whoever is proposed a room that it serves tells its route again", async () => {
    const { harness, node } = await serve();
    await harness.run(5_000);
    const epoch = currentEpoch(harness);
    const told: number[] = [];
    harness.control.open("listener").subscribe("c.route.>", ({ data }) => {
      const message = decodeControl(data);
      if (message?.type !== "route" || message.owner !== node.id) return;
      for (const route of message.routes) told.push(route.epoch);
    });
    harness.propose(node, counter, epoch);
    await harness.run(5);
    expect(told).toEqual([epoch]);
    await harness.run(200);
    expect(told.length).toBeGreaterThanOrEqual(4);
    expect(currentEpoch(harness), "it claims nothing").toBe(epoch);
  });

  it("[SV10] the index hears of a takeover when the rush is over", async () => {
    const { harness } = await serve();
    const next = harness.node("node-b", [counter]);
    harness.propose(next, counter, currentEpoch(harness));
    await harness.run(450);
    expect(next.node.stats().rooms).toBe(1);
    const owner = async (): Promise<unknown> => {
      const entry = await next.stores.index.read(ROOM);
      return entry.ok ? entry.value?.owner : entry.error;
    };
    expect(await owner()).not.toBe(next.id);
    await harness.run(600);
    expect(await owner()).toBe(next.id);
  });

  it("[SV7] 200 takeovers leave no timer behind", async () => {
    const { harness, node } = await serve();
    const other = harness.node("node-b", [counter]);
    await harness.run(100);
    for (let i = 0; i < 200; i++) {
      harness.propose(i % 2 ? node : other, counter, currentEpoch(harness));
      await harness.run(40);
    }
    node.node.close();
    other.node.close();
    await harness.run(6_000);
    expect(harness.clock.pending).toBe(0);
  });
});
