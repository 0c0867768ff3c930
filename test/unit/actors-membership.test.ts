import { describe, expect, it } from "vitest";
import { personId } from "../../src/kernel/ids.ts";
import { packRow, rowSlot, rowsFromBytes, unpackRow } from "../../src/protocol/pose-row.ts";
import { counter, serve, takeOver } from "../support/counter-world.ts";
import { PROFILE, type ScriptedGateway, sessionOf } from "../support/room-harness.ts";

const STANDING = { y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 1 } as const;

function row(slot: number, generation: number, x: number): Uint8Array {
  const words = new Uint32Array(4);
  packRow(words, 0, slot, generation, { ...STANDING, x });
  return new Uint8Array(words.buffer);
}

/** Every pose told by ticks, the latest for each slot. */
function poses(gateway: ScriptedGateway): Map<number, { x: number; animation: number }> {
  const latest = new Map<number, { x: number; animation: number }>();
  for (const { rows } of gateway.of("tick")) {
    const words = rowsFromBytes(rows) ?? new Uint32Array();
    for (let at = 0; at < words.length; at += 4)
      latest.set(rowSlot(words, at), unpackRow(words, at));
  }
  return latest;
}

describe("membership", () => {
  it("[MB1] lower attaches, and equal ones of another socket, change nothing", async () => {
    const { harness, gateway } = await serve();
    const other = harness.gateway("gw-2");
    gateway.attach("ada", 2);
    await harness.run(10);
    const journal = harness.journal().length;
    gateway.attach("ada", 1, { resumed: true });
    gateway.attach("ada", 2, { socket: 77, resumed: true });
    await harness.run(10);
    expect(gateway.of("superseded")).toMatchObject([{ attach: 2 }, { attach: 2 }]);
    expect(gateway.of("superseded").map((m) => m.connection)).toEqual([
      `${gateway.id}#1`,
      `${gateway.id}#77`,
    ]);
    expect(harness.journal()).toHaveLength(journal);
    expect(other.received).toEqual([]);
  });

  it("[MB2] a higher attach keeps the seat; the older socket is told and ignored", async () => {
    const { harness, node, gateway } = await serve();
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    const old = gateway.attach("ada", 1);
    await harness.run(10);
    second.attach("ada", 2, { resumed: true });
    await harness.run(10);
    expect(second.of("attached")).toMatchObject([{ slot: 0, generation: 0, attach: 2 }]);
    expect(gateway.of("superseded")).toMatchObject([{ attach: 2, connection: old.connection }]);
    old.leave();
    old.away();
    await harness.run(70_000);
    expect(node.node.stats().sessions, "the old socket removed nobody").toBe(0);
  });

  it("[MB2] who leaves and returns within one record is told once, with the new seat", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada", 1);
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 30, latencyMsMax: 30 });
    ada.command(1, "add", { by: 1 });
    await harness.run(5);
    ada.leave();
    gateway.attach("ada", 2, { resumed: true });
    gateway.attach("bob", 1);
    await harness.run(5);
    gateway.attach("bob", 1).leave();
    await harness.run(300);
    const { joined, left } = gateway.of("record").at(-1)?.record ?? {};
    expect(left).toEqual([{ slot: 0, generation: 0 }]);
    expect(joined).toMatchObject([{ slot: 0, generation: 1, person: "ada" }]);
  });

  it("[MB3] after a takeover the same socket is confirmed without a write", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    await takeOver(served);
    const journal = harness.journal().length;
    ada.attach(true);
    await harness.run(20);
    expect(gateway.of("attached")).toHaveLength(2);
    expect(harness.journal()).toHaveLength(journal);
  });

  it("[MB4] a room admits at most its capacity", async () => {
    const { harness, gateway } = await serve();
    for (const name of ["a", "b", "c", "d"]) gateway.attach(name);
    await harness.run(20);
    expect(gateway.of("attached")).toHaveLength(3);
    expect(gateway.of("refused")).toMatchObject([{ code: "room_full" }]);
  });

  it("[MB4] a person has 8 seats at most, and may always come back to one", async () => {
    const { harness, gateway } = await serve({ ...counter, capacity: 20 });
    const attach = (seat: number, number: number): void =>
      gateway.send({
        type: "attach",
        session: sessionOf(`tab-${seat}`),
        attach: number,
        connection: `${gateway.id}#${seat * 10 + number}`,
        person: personId("eve"),
        role: "audience",
        profile: PROFILE,
        resumed: number > 1,
        row: null,
      });
    for (let seat = 0; seat < 9; seat++) attach(seat, 1);
    gateway.attach("ada");
    await harness.run(30);
    expect(gateway.of("attached")).toHaveLength(9);
    expect(gateway.of("refused")).toMatchObject([
      { session: sessionOf("tab-8"), code: "room_full" },
    ]);
    attach(0, 2);
    await harness.run(20);
    expect(gateway.of("attached")).toHaveLength(10);
  });

  it("[MB5] an away session keeps its seat for 60 s, then it leaves and is told", async () => {
    const { harness, gateway, node } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.away();
    for (let second = 0; second < 59; second++) {
      await harness.run(1_000);
      gateway.send({ type: "watch", index: 0 });
    }
    expect(node.node.stats().sessions).toBe(1);
    expect(poses(gateway).get(0)?.animation ?? 0, "shown as away").toBeGreaterThanOrEqual(128);
    await harness.run(3_000);
    expect(node.node.stats().sessions).toBe(0);
    expect(gateway.of("ended")).toMatchObject([{ code: "session_expired" }]);
  });

  it("[MB5] a takeover gives everybody 60 s to come back", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    gateway.attach("bob");
    await harness.run(10);
    const node = await takeOver(served);
    ada.attach(true);
    for (let second = 0; second < 65; second++) {
      await harness.run(1_000);
      gateway.send({ type: "watch", index: 0 });
    }
    expect(node.node.stats().sessions).toBe(1);
    expect(gateway.of("record").at(-1)?.record.left).toEqual([{ slot: 1, generation: 1 }]);
  });

  it("[MB6] a left session comes back with its numbers, until it is forgotten", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "add", { by: 1 });
    await harness.run(10);
    ada.leave();
    await harness.run(10);
    const again = gateway.attach("ada", 2, { resumed: true });
    await harness.run(10);
    expect(gateway.of("attached").at(-1)).toMatchObject({ attach: 2, seq: 1 });
    again.leave();
    await harness.run(16 * 60_000);
    gateway.attach("ada", 3, { resumed: true });
    await harness.run(10);
    expect(gateway.of("refused")).toMatchObject([{ code: "session_expired" }]);
  }, 60_000);

  it("[MB7] a session belongs to one person", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    gateway.send({
      type: "attach",
      session: ada.session,
      attach: 2,
      connection: `${gateway.id}#9`,
      person: "mallory" as never,
      role: "audience",
      resumed: true,
      row: null,
      profile: { name: "M", color: 0, model: "capsule" },
    });
    await harness.run(10);
    expect(gateway.of("refused")).toMatchObject([{ code: "wrong_room" }]);
  });

  it("[MB8] slots survive the owner; a freed slot returns with another generation", async () => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    gateway.attach("bob");
    await harness.run(10);
    ada.leave();
    await harness.run(10);
    await takeOver(served);
    gateway.attach("eve");
    await harness.run(20);
    expect(gateway.of("attached").at(-1)).toMatchObject({ slot: 0, generation: 2 });
  });

  it("[MB9] the people of a silent gateway are away", async () => {
    const { harness, node, gateway } = await serve();
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    gateway.attach("ada");
    second.attach("bob");
    await harness.run(10);
    for (let second = 0; second < 8; second++) {
      await harness.run(1_000);
      gateway.send({ type: "watch", index: 0 });
    }
    expect(poses(gateway).get(0)?.animation).toBeLessThan(128);
    expect(poses(gateway).get(1)?.animation).toBeGreaterThanOrEqual(128);
  });
});

describe("rows and signals", () => {
  it("[RG1] a gateway behind gets what it lacks, in order; else nothing", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(20);
    for (let seq = 1; seq <= 3; seq++) {
      ada.command(seq, "add", { by: 1 });
      await harness.run(15);
    }
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    const index = gateway.of("record").at(-1)?.record.index ?? 0;
    second.send({ type: "watch", index: index - 2 });
    await harness.run(20);
    expect(second.of("record").map(({ record }) => record.index)).toEqual([index - 1, index]);
    second.send({ type: "watch", index });
    await harness.run(20);
    expect(second.of("record")).toHaveLength(2);
    second.send({ type: "watch", index: 0 });
    await harness.run(20);
    expect(second.of("snapshot")).toMatchObject([{ index, part: 0, parts: 1 }]);
  });

  it("[RG6] a gateway that begins to watch gets a tick at once, behind what it lacks", async () => {
    const { harness, node, gateway } = await serve();
    gateway.attach("ada");
    await harness.run(20);
    const index = gateway.of("record").at(-1)?.record.index ?? 0;
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    // A period is 50 ms: two of these would come by the clock at the most.
    for (let watch = 0; watch < 10; watch++) {
      second.send({ type: "watch", index: index - 1 });
      await harness.run(8);
    }
    expect(second.received.slice(0, 2)).toMatchObject([
      { type: "record", record: { index } },
      { type: "tick", index, rows: new Uint8Array(0) },
    ]);
    expect(second.of("tick").length).toBeLessThan(4);
  });

  it("[RG2] every row is repeated within a second, moved ones at once", async () => {
    const { harness, gateway } = await serve();
    gateway.attach("ada");
    gateway.attach("bob");
    await harness.run(200);
    gateway.received.length = 0;
    gateway.send({ type: "poses", rows: row(1, 1, 9) });
    await harness.run(110);
    expect(poses(gateway).get(1)?.x).toBeCloseTo(9, 2);
    await harness.run(1_000);
    expect([...poses(gateway).keys()].sort()).toEqual([0, 1]);
  });

  it("[RG3] rows are taken from the gateway that holds the member, and corrected", async () => {
    const { harness, node, gateway } = await serve();
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    gateway.attach("ada");
    await harness.run(10);
    second.send({ type: "poses", rows: row(0, 0, 50) });
    gateway.send({ type: "poses", rows: row(0, 9, 60) });
    await harness.run(150);
    expect(poses(gateway).get(0)?.x).toBe(0);
    gateway.send({ type: "poses", rows: row(0, 0, 500) });
    await harness.run(150);
    expect(poses(gateway).get(0)?.x).toBeCloseTo(100, 2);
  });

  it.each([
    ["[RG3] people stand where the gateway last saw them", row(0, 0, 33), 33],
    ["[MB14] whose gateway had no row yet stand where newcomers do", null, 0],
  ])("after a takeover %s", async (_, brought, x) => {
    const served = await serve();
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    await takeOver(served);
    gateway.received.length = 0;
    ada.attach(true, brought);
    await harness.run(150);
    expect(poses(gateway).get(0)?.x).toBeCloseTo(x, 2);
  });

  it("[RG4] signals are checked, passed on and never journaled", async () => {
    const { harness, gateway } = await serve();
    gateway.attach("ada");
    await harness.run(10);
    const journal = harness.journal().length;
    const seat = { slot: 0, generation: 0 };
    gateway.send({ type: "signal", ...seat, name: "emote", body: { kind: "wave" } });
    gateway.send({ type: "signal", ...seat, name: "emote", body: { kind: 7 } });
    gateway.send({ type: "signal", ...seat, name: "other", body: null });
    gateway.send({ type: "signal", slot: 1, generation: 0, name: "emote", body: { kind: "x" } });
    await harness.run(10);
    expect(gateway.of("signal")).toMatchObject([{ name: "emote", body: { kind: "wave" } }]);
    for (let i = 0; i < 400; i++)
      gateway.send({ type: "signal", ...seat, name: "emote", body: { kind: "clap" } });
    await harness.run(40);
    expect(gateway.of("signal").length).toBeLessThanOrEqual(513);
    expect(harness.journal()).toHaveLength(journal);
  });

  it("[RG5] an event keeps its audience, and secrets stay", async () => {
    const { harness, gateway } = await serve(counter);
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "whisper", { to: ada.session });
    await harness.run(10);
    const record = gateway.of("record").at(-1)?.record;
    expect(record?.patches).toEqual([]);
    expect(record?.events).toEqual([
      { name: "psst", data: "secret words", audience: { kind: "sessions", values: [ada.session] } },
    ]);
  });
});
