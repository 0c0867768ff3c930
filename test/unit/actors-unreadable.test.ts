import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineRoom } from "../../actors/room/define-room.ts";
import { counter, serve, takeOver } from "../support/counter-world.ts";

describe("what no decoder would read back", () => {
  const guests = defineRoom({
    name: "guests",
    version: 1,
    state: () => ({ people: {} as Record<string, number>, gone: {} as Record<string, number> }),
    commands: {
      shout: {
        body: z.object({ name: z.string(), to: z.string() }),
        run(room, { name, to }) {
          room.emit(name, null, { kind: "sessions", values: [to] });
          return null;
        },
      },
      quit: { body: z.null(), run: () => null },
    },
    onJoin(room, { person }) {
      if (person !== "prototype") room.state.people[person] = 1;
    },
    onLeave(room, { person }) {
      room.state.gone[person] = 1;
    },
  });

  it("[CM4] an event with an unreadable name or audience refuses its command", async () => {
    const served = await serve(guests);
    const { harness, gateway } = served;
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "shout", { name: "x".repeat(65), to: "you" });
    ada.command(2, "shout", { name: "x", to: "y".repeat(65) });
    ada.command(3, "shout", { name: "x", to: "you" });
    await harness.run(20);
    const statuses = ada.replies().map(({ status }) => status);
    expect(statuses).toEqual(["invalid_body", "invalid_body", "ok"]);
    const next = await takeOver(served, guests);
    expect(next.node.stats().rooms, "the journal can be read").toBe(1);
  });

  it("[MB11] a person whose join would write such a key is refused, and may leave", async () => {
    const served = await serve(guests);
    const { harness, node, gateway } = served;
    gateway.attach("constructor");
    const odd = gateway.attach("prototype");
    await harness.run(20);
    expect(gateway.of("refused")).toMatchObject([{ code: "wrong_room" }]);
    expect(gateway.of("attached")).toHaveLength(1);
    odd.leave();
    await harness.run(20);
    expect(node.node.stats(), "it leaves, whatever its hook wrote").toMatchObject({
      rooms: 1,
      sessions: 0,
    });
    expect(node.counts.get("roomcluster_room_crashes_total guests")).toBeUndefined();
    const next = await takeOver(served, guests);
    expect(next.node.stats().rooms, "the journal can be read").toBe(1);
  });
});

describe("names that every object has", () => {
  it("[RG4] a signal called constructor is none, and crashes nothing", async () => {
    const { harness, node, gateway } = await serve(counter);
    gateway.attach("ada");
    await harness.run(20);
    for (const name of ["constructor", "toString", "__proto__"])
      gateway.send({ type: "signal", slot: 0, generation: 0, name, body: null });
    await harness.run(50);
    expect(gateway.of("signal")).toEqual([]);
    expect(node.counts.get("roomcluster_room_crashes_total counter")).toBeUndefined();
    expect(node.node.stats().sessions).toBe(1);
  });
});
