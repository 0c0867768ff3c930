import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Node } from "../../actors/node.ts";
import { defineRoom, type Schema } from "../../actors/room/define-room.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { bytesOfRows, packRow, ROW_WORDS } from "../../src/protocol/pose-row.ts";
import { currentEpoch, serve } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

/** Throws once where the test wants it. */
const bomb = { pose: false, signal: false, command: false };
const goesOff = (where: keyof typeof bomb): void => {
  if (!bomb[where]) return;
  bomb[where] = false;
  throw new Error(`a bug in ${where}`);
};
const waving: Schema<null> = {
  "~standard": {
    version: 1,
    validate() {
      goesOff("signal");
      return { value: null };
    },
  },
};
const fragile = defineRoom({
  name: "fragile",
  version: 1,
  state: () => ({ count: 0 }),
  commands: {
    add: {
      body: z.null(),
      run(room) {
        room.state.count++;
        return room.state.count;
      },
    },
    other: { body: z.null(), run: () => goesOff("command") },
  },
  signals: { wave: waving },
  onPose(pose) {
    goesOff("pose");
    return pose;
  },
});

function rowAt(slot: number): Uint8Array {
  const words = new Uint32Array(ROW_WORDS);
  const pose = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 0 } as const;
  packRow(words, 0, slot, slot, pose);
  return bytesOfRows(words, 1);
}

describe("a resent command is not blamed for", () => {
  // The attempt is durable after 40 ms; then the first append of its outcome is lost.
  for (const afterMs of [25, 60])
    for (const where of ["pose", "signal", "command"] as const)
      it(`[CM7] a ${where} that crashes ${afterMs} ms after it came`, async () => {
        const { harness, node, gateway } = await serve(fragile);
        const ada = gateway.attach("ada");
        const bob = gateway.attach("bob");
        await harness.run(20);
        Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
        if (afterMs > 40) node.stores.faults.nextAppends.push("none", "lost");
        ada.command(1, "add", null, true);
        await harness.run(afterMs);
        bomb[where] = true;
        if (where === "pose") gateway.send({ type: "poses", rows: rowAt(1) });
        if (where === "command") bob.command(1, "other");
        const body = null;
        if (where === "signal")
          gateway.send({ type: "signal", slot: 1, generation: 1, name: "wave", body });
        await harness.run(3_000);
        expect(bomb[where], "it did crash").toBe(false);
        expect(node.counts.get("roomcluster_room_crashes_total fragile")).toBe(1);
        gateway.route(node, currentEpoch(harness));
        ada.attach(true);
        await harness.run(150);
        if (ada.replies().length === 0) ada.command(1, "add", null, true);
        await harness.run(200);
        expect(ada.replies().at(-1)).toMatchObject({ seq: 1, status: "ok", data: 1 });
      });
});

describe("a loop that hangs", () => {
  it("[SV11] is its room's, in state, in a migration and where slow work starts", async () => {
    const harness = new RoomHarness();
    let turn: RoomId | undefined;
    const seen: string[] = [];
    const note = (what: string): void => void seen.push(`${what} ${turn}`);
    const world = (version: number) =>
      defineRoom({
        name: "noted",
        version,
        state: () => {
          note("state");
          return { count: 0 };
        },
        commands: {
          think: {
            body: z.null(),
            run(room) {
              room.later("thought", () => {
                note("work");
                return Promise.resolve(null);
              });
            },
          },
          thought: { body: z.null(), run: () => null },
        },
        migrations: {
          2: (old) => {
            note("migration");
            return old as { state: object; secret: object };
          },
        },
      });
    const host = (name: string, version: number) => {
      const stores = harness.stores.open();
      const id = harness.process(name);
      const buses = { controlBus: harness.control.open(name), dataBus: harness.data.open(name) };
      const { clock, random } = harness;
      const mark = (room: RoomId | undefined): void => {
        turn = room;
      };
      const ports = { self: id, clock, random, observer: silentObserver, turn: mark };
      const node = new Node({ ...ports, ...buses, ...stores, utilisation: () => 0 }, [
        world(version),
      ]);
      return { id, node, stores, counts: new Map<string, number>() };
    };
    const first = host("node-a", 1);
    harness.propose(first, world(1));
    await harness.run(20);
    const gateway = harness.gateway("gw-1");
    gateway.route(first, currentEpoch(harness));
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "think");
    await harness.run(10);
    harness.propose(host("node-b", 2), world(2), currentEpoch(harness));
    await harness.run(50);
    expect(seen).toEqual([`state ${ROOM}`, `work ${ROOM}`, `migration ${ROOM}`]);
    expect(turn).toBeUndefined();
  });
});
