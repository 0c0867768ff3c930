import { z } from "zod";
import { defineRoom, refuse, type World } from "../../actors/room/define-room.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { type HostedNode, ROOM, RoomHarness, type ScriptedGateway } from "./room-harness.ts";

/** Released by tests, so that slow work takes as long as the test wants. */
export const slow: { release: (value: unknown) => void } = { release: () => {} };

/** A world with one of everything that the rules speak of. */
export const counter = defineRoom({
  name: "counter",
  version: 1,
  capacity: 3,
  state: () => ({ count: 0, log: [] as string[], ticks: 0, blob: {} as Record<string, string> }),
  secret: () => ({ pin: 1234 }),
  commands: {
    add: {
      body: z.object({ by: z.number().int() }),
      run(room, { by }, who) {
        if (by < 0) return refuse("negative");
        room.state.count += by;
        room.state.log.push(`${who?.person} ${by}`);
        if (room.state.log.length > 50) room.state.log.shift();
        return { count: room.state.count };
      },
    },
    explode: {
      body: z.null(),
      run: () => {
        throw new Error("boom");
      },
    },
    whisper: {
      body: z.object({ to: z.string() }),
      run(room, { to }) {
        room.secret.pin++;
        room.emit("psst", "secret words", { kind: "sessions", values: [to] });
        return null;
      },
    },
    fill: {
      body: z.object({ key: z.string(), text: z.string() }),
      run(room, { key, text }) {
        for (let i = 0; i < 15; i++) room.state.blob[`${key}-${i}`] = text;
        return null;
      },
    },
    name: {
      body: z.object({ key: z.string() }),
      run(room, { key }) {
        room.state.blob[key] = "named by a client";
        return null;
      },
    },
    think: {
      body: z.null(),
      run(room) {
        room.later(
          "thought",
          () =>
            new Promise((resolve) => {
              slow.release = resolve;
            }),
        );
        return null;
      },
    },
    thought: {
      body: z.number(),
      run(room, value, who) {
        if (who) return refuse("forbidden");
        room.state.count = value;
        return null;
      },
    },
  },
  signals: { emote: z.object({ kind: z.string() }) },
  onLeave(room, who, reason) {
    room.state.log.push(`${who.person} ${reason}`);
  },
  onPose: (pose) => (pose.x > 100 ? { ...pose, x: 100 } : pose),
  spawn: (_room, who) => ({
    x: who.slot,
    y: 0,
    z: 0,
    yaw: 0,
    pitch: 0,
    reach: [0, 0, 0],
    animation: 0,
  }),
});

/** The epoch that the latest owner record opened. */
export function currentEpoch(harness: RoomHarness, room = ROOM): Epoch {
  const log = harness.stores.logs.get(room)?.records ?? [];
  const at = harness.journal(room).findLastIndex(({ type }) => type === "owner");
  return epochAt(harness.stores.generation, log[at]?.sequence ?? 0);
}

export interface Served {
  readonly harness: RoomHarness;
  readonly node: HostedNode;
  readonly gateway: ScriptedGateway;
}

/** A room that is served by one node, with one gateway in front. */
export async function serve(world: World = counter, seed = 1): Promise<Served> {
  const harness = new RoomHarness(seed);
  const node = harness.node("node-a", [world]);
  const gateway = harness.gateway("gw-1");
  harness.propose(node, world);
  await harness.run(20);
  gateway.route(node, currentEpoch(harness));
  return { harness, node, gateway };
}

/** Moves the room to another node as after a death, and routes the gateway there. */
export async function takeOver(
  { harness, gateway }: Served,
  world: World = counter,
  name = "node-b",
): Promise<HostedNode> {
  const node = harness.node(name, [world]);
  harness.propose(node, world, gateway.epoch);
  await harness.run(50);
  gateway.route(node, currentEpoch(harness));
  return node;
}
