import { describe, expect, it } from "vitest";
import { ROOM_DEFAULTS } from "../../actors/room/room-config.ts";
import { AWAY_FLAG, rowsFromBytes } from "../../src/protocol/pose-row.ts";
import { counter, currentEpoch, serve } from "../support/counter-world.ts";
import { RoomHarness, type ScriptedGateway, sessionOf } from "../support/room-harness.ts";

/** Lets time pass while the gateway goes on watching. */
async function watchFor(harness: RoomHarness, gateway: ScriptedGateway, seconds: number) {
  for (let second = 0; second < seconds; second++) {
    gateway.send({ type: "watch", index: 0 });
    await harness.clock.run(1_000, 10);
  }
}

const isAway = (gateway: ScriptedGateway, slot: number): boolean | undefined => {
  for (const { rows } of gateway.of("tick").reverse()) {
    const words = rowsFromBytes(rows) ?? new Uint32Array();
    for (let at = 0; at < words.length; at += 4)
      if (((words[at] as number) & 0xffff) === slot)
        return (((words[at] as number) >>> 24) & AWAY_FLAG) !== 0;
  }
  return undefined;
};

describe("away", () => {
  it("[MB9] rows of those who are away stay marked until they are attached again", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.away();
    const rows = new Uint8Array(new Uint32Array([0, 1, 2, 3]).buffer);
    gateway.send({ type: "poses", rows });
    await harness.run(150);
    expect(isAway(gateway, 0), "a row that was on its way").toBe(true);
    ada.attach(true);
    await harness.run(150);
    expect(isAway(gateway, 0)).toBe(false);
  });

  it("[MB6] a session that leaves a room that was idle may come back", async () => {
    const { harness, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    await watchFor(harness, gateway, 16 * 60);
    ada.leave();
    await watchFor(harness, gateway, 12);
    gateway.attach("ada", 2, { resumed: true });
    await harness.run(20);
    expect(gateway.of("refused")).toEqual([]);
    expect(gateway.of("attached").at(-1)).toMatchObject({ attach: 2 });
  }, 60_000);

  it("[MB10] of those who left only so many are kept, the latest", async () => {
    const harness = new RoomHarness();
    const room = { ...ROOM_DEFAULTS, sessionsLeftMax: 2 };
    const node = harness.node("node-a", [counter], { room });
    const gateway = harness.gateway("gw-1");
    harness.propose(node, counter);
    await harness.run(20);
    gateway.route(node, currentEpoch(harness));
    for (const name of ["a", "b", "c", "d"]) {
      const person = gateway.attach(name);
      await harness.run(10);
      person.leave();
      await harness.run(10);
    }
    await watchFor(harness, gateway, 12);
    const forgotten = harness
      .journal()
      .flatMap((record) => (record.type === "batch" ? record.entries : []))
      .flatMap((entry) => (entry.type === "forget" ? [entry.session] : []));
    expect(forgotten).toEqual([sessionOf("a"), sessionOf("b")]);
  });
});
