import { describe, expect, it } from "vitest";
import { z } from "zod";
import { NODE_DEFAULTS } from "../../actors/node.ts";
import { defineRoom } from "../../actors/room/define-room.ts";
import type { RoomConfig } from "../../actors/room/room-config.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import { journalShard, journalStream } from "../../src/protocol/subjects.ts";
import { currentEpoch } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

/** Its hooks write as much as it is told to, without any command. */
const wants = { tick: 0, join: 0, leave: 0 };
const grower = defineRoom({
  name: "grower",
  version: 1,
  tickHz: 20,
  capacity: 8,
  state: () => ({ blob: {} as Record<string, string>, ticks: 0 }),
  commands: {
    sizes: {
      body: z.null(),
      run: ({ state }) => Object.values(state.blob).reduce((sum, text) => sum + text.length, 0),
    },
  },
  onJoin(room, { person }) {
    if (wants.join > 0) room.state.blob[`join ${person}`] = "x".repeat(wants.join);
  },
  onLeave(room, { person }) {
    if (wants.leave > 0) room.state.blob[`leave ${person}`] = "x".repeat(wants.leave);
  },
  onTick(room) {
    room.state.ticks++;
    if (wants.tick > 0) room.state.blob[`tick ${room.state.ticks}`] = "x".repeat(wants.tick);
  },
});

async function serve(over: Partial<RoomConfig>) {
  Object.assign(wants, { tick: 0, join: 0, leave: 0 });
  const harness = new RoomHarness();
  const room = { ...NODE_DEFAULTS.room, snapshotQuietMs: 0, ...over };
  const node = harness.node("node-a", [grower], { room });
  const gateway = harness.gateway("gw-1");
  harness.propose(node, grower);
  await harness.run(20);
  gateway.route(node, currentEpoch(harness));
  const ada = gateway.attach("ada");
  await harness.run(20);
  return { harness, node, gateway, ada };
}

describe("what hooks write without a command", () => {
  it("[RM6] onTick's writes are dropped where the state is full, and counted", async () => {
    const { harness, node, ada } = await serve({ stateBytesMax: 20_000 });
    wants.tick = 3_000;
    await harness.run(2_000);
    ada.command(1, "sizes");
    await harness.run(20);
    expect(ada.replies()).toMatchObject([{ status: "ok", data: 18_000 }]);
    expect(node.counts.get("roomcluster_commands_total state_full")).toBeGreaterThan(5);
    expect(node.counts.get("roomcluster_room_crashes_total grower")).toBeUndefined();
  });

  it("[RM6] a join is refused for now, and a leave leaves, where they do not fit", async () => {
    const { harness, node, gateway, ada } = await serve({ stateBytesMax: 20_000 });
    wants.join = 30_000;
    gateway.attach("bob");
    await harness.run(20);
    expect(gateway.of("refused")).toMatchObject([{ code: "room_unavailable" }]);
    wants.leave = 30_000;
    ada.leave();
    await harness.run(20);
    expect(node.node.stats()).toMatchObject({ rooms: 1, sessions: 0 });
    expect(node.counts.get("roomcluster_commands_total state_full")).toBe(2);
  });

  it("[RM6] onTick rests while the journal does not answer", async () => {
    const { harness, node } = await serve({ pendingEntriesMax: 20 });
    const { journal } = node.stores;
    const append = journal.append.bind(journal);
    const entries: number[] = [];
    journal.append = (room, expected, data) => {
      const record = decodeRecord(data);
      entries.push(record?.type === "batch" ? record.entries.length : 0);
      return append(room, expected, data);
    };
    const stream = journalStream(journalShard(ROOM));
    harness.stores.frozen.add(stream);
    await harness.run(10_000);
    harness.stores.frozen.delete(stream);
    await harness.run(3_000);
    expect(Math.max(...entries)).toBeGreaterThan(5);
    expect(Math.max(...entries)).toBeLessThanOrEqual(20);
    expect(node.node.stats().rooms).toBe(1);
  });
});
