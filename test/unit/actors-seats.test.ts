import { describe, expect, it } from "vitest";
import { serve } from "../support/counter-world.ts";
import { PROFILE, sessionOf } from "../support/room-harness.ts";

const BLUE = { name: "Bob", color: 2, model: "capsule" };

describe("seats", () => {
  it("[MB12] a profile is told when its attach is durable, and then it is the newer one", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    gateway.send({ type: "watch", index: 0 });
    await harness.run(20);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    gateway.received.length = 0;
    // Bob is to sit where Ada sits as long as nothing is durable.
    ada.leave();
    const bob = gateway.attach("bob", 1, { socket: 9 });
    await harness.run(5);
    const { session, connection } = bob;
    gateway.send({ type: "profile", session, attach: 1, connection, profile: BLUE });
    await harness.run(20);
    expect(gateway.of("profile")).toEqual([]);
    await harness.run(100);
    const joined = gateway.of("record").flatMap(({ record }) => record.joined);
    expect(joined).toMatchObject([{ person: "bob", profile: BLUE }]);
  });

  it("[MB8] nothing remains of who left and came back to another seat in one record", async () => {
    const { harness, node, gateway } = await serve();
    const [cleo, ada] = ["cleo", "ada"].map((name) => gateway.attach(name, 1));
    gateway.send({ type: "watch", index: 0 });
    await harness.run(20);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    cleo?.command(1, "add", { by: 1 });
    await harness.run(5);
    ada?.leave();
    // Those wait for the first append and share the next record.
    cleo?.leave();
    gateway.attach("ada", 2, { resumed: true });
    await harness.run(200);
    const [seat] = gateway.of("attached").slice(-1);
    expect(seat).toMatchObject({ session: sessionOf("ada"), slot: 0 });
    expect(node.node.stats().sessions).toBe(1);
    gateway.received.length = 0;
    await harness.run(2_000);
    const rows = gateway
      .of("tick")
      .flatMap(({ rows }) => [...new Uint32Array(rows.slice().buffer)]);
    const slots = new Set(rows.filter((_, at) => at % 4 === 0).map((word) => word & 0xffff));
    expect([...slots]).toEqual([0]);
  });

  it("[MB13] a connection that is no gateway's is ignored, and the room goes on", async () => {
    const { harness, node, gateway } = await serve();
    const identity = { session: sessionOf("eve"), attach: 1 };
    const who = { person: "eve" as never, role: "audience", profile: PROFILE } as const;
    for (const connection of ["nobody", "#1", `${gateway.id}`, `${gateway.id}#x`, "gw-9#1"])
      gateway.send({ type: "attach", ...identity, connection, ...who, resumed: false, row: null });
    await harness.run(50);
    expect(node.node.stats()).toMatchObject({ rooms: 1, sessions: 0 });
    expect(node.counts.get("roomcluster_room_crashes_total counter")).toBeUndefined();
  });

  it("[RG6] a gateway that attaches before it watches gets a tick at once", async () => {
    const { harness, gateway } = await serve();
    gateway.attach("ada");
    for (let ms = 0; ms < 10 && gateway.of("tick").length === 0; ms++) await harness.run(1);
    expect(gateway.of("tick")[0]?.rows).toHaveLength(0);
  });
});
