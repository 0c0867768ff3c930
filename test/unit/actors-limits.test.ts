import { describe, expect, it } from "vitest";
import { z } from "zod";
import { NODE_DEFAULTS } from "../../actors/node.ts";
import { defineRoom, refuse } from "../../actors/room/define-room.ts";
import type { RoomConfig } from "../../actors/room/room-config.ts";
import { decodeSnapshot } from "../../actors/room/snapshot.ts";
import { currentEpoch, takeOver } from "../support/counter-world.ts";
import { RoomHarness } from "../support/room-harness.ts";

/** What slow work the world has started: tests end it. */
const slow: { readonly done: () => void; readonly fail: () => void }[] = [];

/** A world whose replies, slow work and hooks are as large as the test says. */
const heavy = defineRoom({
  name: "heavy",
  version: 1,
  capacity: 8,
  state: () => ({ runs: 0, done: 0, ticks: 0, joined: 0 }),
  commands: {
    answer: {
      body: z.object({ bytes: z.number(), refused: z.boolean() }),
      run(room, { bytes, refused }) {
        room.state.runs++;
        const text = "x".repeat(bytes);
        return refused ? refuse("no", text) : text;
      },
    },
    think: {
      body: z.object({ times: z.number() }),
      run(room, { times }) {
        room.state.runs++;
        for (let i = 0; i < times; i++)
          room.later(
            "thought",
            () =>
              new Promise((done, fail) => {
                slow.push({ done: () => done(null), fail: () => fail(new Error("no answer")) });
              }),
          );
        return room.state.runs;
      },
    },
    thought: {
      body: z.null(),
      run(room) {
        room.state.done++;
        return null;
      },
    },
    look: { body: z.null(), run: (room) => ({ ...room.state }) },
  },
  onJoin(room, who) {
    room.state.joined++;
    if (who.person.startsWith("thinker")) room.later("thought", () => Promise.resolve(null));
  },
});

async function serve(over: Partial<RoomConfig>) {
  slow.length = 0;
  const harness = new RoomHarness();
  const room = { ...NODE_DEFAULTS.room, snapshotQuietMs: 0, ...over };
  const node = harness.node("node-a", [heavy], { room });
  const gateway = harness.gateway("gw-1");
  harness.propose(node, heavy);
  await harness.run(20);
  gateway.route(node, currentEpoch(harness));
  const ada = gateway.attach("ada");
  await harness.run(10);
  let seq = 0;
  /** Sends the next command and answers what became of it. */
  const ask = async (name: string, body: unknown = null) => {
    ada.command(++seq, name, body);
    await harness.run(10);
    return ada.replies().findLast((reply) => reply.seq === seq);
  };
  return { harness, node, gateway, ada, ask };
}

describe("replies", () => {
  it("[RM7] that are too large are journaled refusals; the command changed nothing", async () => {
    const { harness, node, ask, ada } = await serve({ replyBytesMax: 100 });
    // Text of up to 255 bytes has two bytes in front.
    expect(await ask("answer", { bytes: 98, refused: false })).toMatchObject({ status: "ok" });
    const large = { status: "reply_too_large", data: null };
    expect(await ask("answer", { bytes: 99, refused: false })).toMatchObject(large);
    expect(await ask("answer", { bytes: 98, refused: true })).toMatchObject({ status: "no" });
    expect(await ask("answer", { bytes: 99, refused: true })).toMatchObject(large);
    expect(await ask("look")).toMatchObject({ data: { runs: 1 } });
    expect(node.counts.get("roomcluster_commands_total reply_too_large")).toBe(2);
    const journaled = harness
      .journal()
      .flatMap((record) =>
        record.type === "batch"
          ? record.entries.flatMap((entry) => (entry.type === "command" ? [entry.status] : []))
          : [],
      );
    expect(journaled).toEqual(["ok", "reply_too_large", "no", "reply_too_large", "ok"]);
    ada.command(2, "answer", { bytes: 99, refused: false });
    await harness.run(10);
    expect(ada.replies().at(-1), "a duplicate hears the same").toMatchObject({ seq: 2, ...large });
  });
});

describe("snapshots", () => {
  it("[RM8] that are too large are not taken and counted; the room goes on and moves", async () => {
    const limits = { snapshotRecords: 8, snapshotRecordsMin: 4, snapshotBytesMax: 600 };
    const served = await serve(limits);
    const { harness, node, gateway, ada, ask } = served;
    const too = () => node.counts.get("roomcluster_snapshots_too_large_total") ?? 0;
    for (let i = 0; i < 40; i++) await ask("answer", { bytes: 100, refused: false });
    expect(too()).toBeGreaterThanOrEqual(3);
    const named = harness.journal().filter(({ type }) => type === "named");
    expect(named.length, "while they were small, some were taken").toBeGreaterThan(0);
    for (const data of harness.stores.snapshots.values())
      expect(data.length).toBeLessThanOrEqual(600);
    await takeOver(served, heavy);
    ada.attach(true);
    await harness.run(20);
    const state = await ask("look");
    expect(state, "nothing is lost").toMatchObject({ status: "ok", data: { runs: 40 } });
    expect(gateway.of("stale")).toEqual([]);
  });

  it("[RM8] take no more for a session at its most than the SPEC reckons", async () => {
    const { harness, ada, ask } = await serve({ snapshotRecords: 40, snapshotRecordsMin: 40 });
    const bytes = 1_024 - 3;
    for (let i = 0; i < 60; i++)
      expect(await ask("answer", { bytes, refused: false })).toMatchObject({ status: "ok" });
    const [data = new Uint8Array()] = [...harness.stores.snapshots.values()];
    const kept = decodeSnapshot(data)?.fold.sessions.get(ada.session)?.replies ?? [];
    expect(kept).toHaveLength(32);
    expect(data.length).toBeGreaterThan(32 * 1_024);
    const session = 330 + 32 * (1_024 + 80);
    expect(data.length, "one session at its most").toBeLessThan(session);
    expect(250 * session + 1024 ** 2).toBeLessThan(16 * 1024 ** 2);
    expect(Math.floor((15 * 1024 ** 2) / session)).toBe(441);
  });
});

describe("slow work", () => {
  it("[CM10] beyond its places is refused and counted, until some ends or fails", async () => {
    const { harness, node, ask } = await serve({ laterOutstandingMax: 3 });
    expect(await ask("think", { times: 2 })).toMatchObject({ status: "ok" });
    expect(await ask("think", { times: 2 })).toMatchObject({ status: "later_full", data: null });
    expect(await ask("think", { times: 1 })).toMatchObject({ status: "ok", data: 2 });
    expect(await ask("think", { times: 1 })).toMatchObject({ status: "later_full" });
    expect(await ask("think", { times: 0 }), "asks for none").toMatchObject({ status: "ok" });
    expect(slow).toHaveLength(3);
    expect(node.counts.get("roomcluster_commands_total later_full")).toBe(2);
    slow[0]?.done();
    slow[1]?.fail();
    await harness.run(10);
    expect(await ask("look")).toMatchObject({ data: { runs: 3, done: 1 } });
    expect(await ask("think", { times: 3 })).toMatchObject({ status: "later_full" });
    expect(await ask("think", { times: 2 })).toMatchObject({ status: "ok" });
    expect(slow).toHaveLength(5);
  });

  it("[CM10] a join that asks for it without place is refused for now", async () => {
    const { harness, gateway, ask } = await serve({ laterOutstandingMax: 1 });
    await ask("think", { times: 1 });
    gateway.attach("thinker-1");
    await harness.run(10);
    expect(gateway.of("refused")).toMatchObject([{ code: "room_unavailable" }]);
    expect(await ask("look")).toMatchObject({ data: { joined: 1 } });
    slow[0]?.done();
    await harness.run(10);
    gateway.attach("thinker-1");
    await harness.run(10);
    expect(gateway.of("refused")).toHaveLength(1);
    expect(await ask("look")).toMatchObject({ data: { joined: 2, done: 2 } });
  });

  it("[CM10] a later ownership begins with all places free", async () => {
    const served = await serve({ laterOutstandingMax: 1 });
    const { harness, ada, ask } = served;
    await ask("think", { times: 1 });
    await takeOver(served, heavy);
    ada.attach(true);
    await harness.run(20);
    expect(await ask("think", { times: 1 })).toMatchObject({ status: "ok" });
  });
});
