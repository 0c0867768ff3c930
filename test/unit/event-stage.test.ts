import { describe, expect, it } from "vitest";
import { z } from "zod";
import { addAudit, auditOf, newAudit } from "../../actors/event/audit.ts";
import { Crowd, newHeard } from "../../actors/event/crowd.ts";
import { defineEvent } from "../../actors/event/define-event.ts";
import { Energy } from "../../actors/event/energy.ts";
import { addBan, addKick, type EventState } from "../../actors/event/event-state.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { personId, roomId } from "../../src/kernel/ids.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { shardOf, shardRoom } from "../../src/protocol/event-names.ts";
import type { Ban } from "../../src/protocol/event-public.ts";
import { decode, encode } from "../../src/protocol/msgpack.ts";
import type { RoomImage, SeatsQuestion } from "../../src/protocol/room-messages.ts";
import { ROOM_IMAGE } from "../../src/protocol/room-messages.ts";
import { nodeControl } from "../../src/protocol/subjects.ts";
import { currentEpoch, type Served, serve, takeOver } from "../support/counter-world.ts";
import { PROFILE, ROOM, Speaker } from "../support/room-harness.ts";

const [stage, shard] = defineEvent({
  name: "concert",
  version: 1,
  reactions: ["clap", "cheer"],
  stage: {
    state: () => ({ songs: 0 }),
    commands: {
      play: {
        body: z.null(),
        run: ({ state }) => ({ songs: ++state.songs }),
      },
    },
  },
  shard: { tickHz: 10, capacity: 200, state: () => ({}), commands: {} },
});

const SPEC = {
  ...{ capacity: 400, shardSize: 200, admitPerS: 1_000, arrivals: [] },
  ...{ doorsAt: null, startsAt: null, endsAt: null },
};
const QUESTION: SeatsQuestion = {
  ...{ request: 1, answered: 0, want: 3, waiting: 3, wishes: [], shards: [], url: "ws://one" },
  ...{ door: 1, reactions: [], stretch: 1 },
};

async function operate({ harness, node }: Served, name: string, body: unknown) {
  const epoch = currentEpoch(harness);
  const order = control.encode({ type: "operate", room: ROOM, epoch, name, body: encode(body) });
  const asked = harness.placement.request(nodeControl(node.id), order, 1_000);
  await harness.run(60);
  const answer = await asked;
  const said = answer.ok ? decodeControl(answer.value) : undefined;
  return said?.type === "operated" ? said : undefined;
}

/** What a gateway that begins to watch is sent. */
async function eventOf({ gateway, harness }: Served): Promise<EventState> {
  gateway.received.length = 0;
  gateway.send({ type: "watch", index: 0 });
  await harness.run(200);
  const [part] = gateway.of("snapshot");
  const value = decode(part?.data ?? new Uint8Array());
  const image = value.ok ? (ROOM_IMAGE(value.value) as RoomImage) : undefined;
  return (image?.state as { event: EventState }).event;
}

async function ask(served: Served, question: Partial<SeatsQuestion> = {}) {
  served.gateway.send({ type: "askSeats", ...QUESTION, ...question });
  await served.harness.run(60);
  return served.gateway.of("seats").at(-1);
}

describe("an event's stage", () => {
  it("[EV1] names its shards, and no other room", () => {
    expect([stage.name, shard.name]).toEqual(["concert", "concert--shard"]);
    const room = shardRoom(roomId("demo/gala"), 12);
    expect(room).toBe("demo/gala--12");
    expect(shardOf(room)).toEqual({ stage: "demo/gala", shard: 12 });
    for (const name of ["gala", "gala--", "gala--x", "gala--012", "--1", "gala--3--0"])
      expect(shardOf(roomId(`demo/${name}`))).toBeUndefined();
  });

  it("[EV2] is what an operator says, durably, once all of it is right", async () => {
    const served = await serve(stage);
    const { harness } = served;
    for (const wrong of [
      { ...SPEC, capacity: 0 },
      { ...SPEC, shardSize: 1, capacity: 100_000 },
      { ...SPEC, doorsAt: 20, startsAt: 10 },
      { ...SPEC, more: 1 },
    ])
      expect(await operate(served, "event.configure", wrong)).toMatchObject({
        status: "invalid_body",
      });
    expect((await eventOf(served)).spec).toBeNull();
    const records = harness.journal().length;
    expect(await operate(served, "event.configure", SPEC)).toMatchObject({ status: "ok" });
    expect(harness.journal()).toHaveLength(records + 1);
    expect((await eventOf(served)).spec).toEqual(SPEC);
    await takeOver(served, stage);
    expect((await eventOf(served)).spec).toEqual(SPEC);
  });

  it("[EV2] [EV9] listens to its staff, and to nobody in the audience", async () => {
    const served = await serve(stage);
    const { gateway, harness } = served;
    const ada = gateway.attach("ada");
    const bo = new Speaker(gateway, "bo", 1, `${gateway.id}#2`);
    const identity = { session: bo.session, attach: 1, connection: bo.connection };
    const staff = { person: personId("bo"), role: "staff", profile: PROFILE } as const;
    gateway.send({ type: "attach", ...identity, ...staff, resumed: false, row: null });
    await harness.run(60);
    ada.command(1, "event.announce", "hello");
    await harness.run(60);
    expect(ada.replies()).toMatchObject([{ status: "forbidden" }]);
    expect((await eventOf(served)).announcement).toBeNull();
    bo.command(1, "event.announce", "hello");
    await harness.run(60);
    expect((await eventOf(served)).announcement).toEqual({ n: 1, text: "hello" });
    expect((await operate(served, "event.audit", null))?.data).toMatchObject([
      { by: "bo", what: "event.announce", body: "hello" },
    ]);
  });

  it("[EV2] an order for another ownership is obeyed by nobody", async () => {
    const served = await serve(stage);
    const { harness, node } = served;
    const body = encode("hello");
    const order = {
      type: "operate",
      room: ROOM,
      epoch: EPOCH_NONE,
      name: "event.announce",
    } as const;
    const asked = harness.placement.request(
      nodeControl(node.id),
      control.encode({ ...order, body }),
      1_000,
    );
    await harness.run(60);
    const answer = await asked;
    expect(answer.ok && decodeControl(answer.value)).toMatchObject({ status: "gone" });
    expect((await eventOf(served)).announcement).toBeNull();
  });

  it("[EV9] [PR59] who ended before it could answer does not say that nothing was run", async () => {
    const served = await serve(stage);
    const { harness, node } = served;
    node.stores.faults.unreachable = true;
    const epoch = currentEpoch(harness);
    const rest = { name: "event.announce", body: encode("hello") };
    const order = control.encode({ type: "operate", room: ROOM, epoch, ...rest });
    const asked = harness.placement.request(nodeControl(node.id), order, 10_000);
    await harness.run(100);
    await takeOver(served, stage);
    node.stores.faults.unreachable = false;
    await harness.run(8_000);
    const answer = await asked;
    expect(answer.ok && decodeControl(answer.value)).toMatchObject({ status: "ended" });
  });

  it("[EV3] goes on by its schedule, or earlier by an operator's word, and never back", async () => {
    const served = await serve(stage);
    const { harness } = served;
    const at = harness.clock.wallNow();
    const schedule = { doorsAt: at + 2_000, startsAt: at + 4_000, endsAt: at + 6_000 };
    await operate(served, "event.configure", { ...SPEC, ...schedule });
    expect((await eventOf(served)).phase).toBe("scheduled");
    await harness.run(2_000);
    expect((await eventOf(served)).phase).toBe("doors_open");
    expect(await operate(served, "event.phase", "live")).toMatchObject({ status: "ok" });
    expect(await operate(served, "event.phase", "doors_open")).toMatchObject({
      status: "phase_is_over",
    });
    expect((await eventOf(served)).phase).toBe("live");
    await harness.run(6_000);
    expect((await eventOf(served)).phase).toBe("ending");
    expect(await operate(served, "event.phase", "closed")).toMatchObject({ status: "ok" });
    expect(await operate(served, "event.configure", SPEC)).toMatchObject({
      status: "event_closed",
    });
  });

  it("[EV4] keeps bans, mutes and kicks in its journal", async () => {
    const served = await serve(stage);
    const { harness } = served;
    const ban = (person: string, until: number | null) =>
      operate(served, "event.ban", { person, until, why: "rude" });
    await ban("eve", null);
    await operate(served, "event.mute", { person: "mallory", until: 1, why: "loud" });
    await operate(served, "event.kick", "eve");
    expect(Object.keys((await eventOf(served)).kicks)).toEqual(["eve"]);
    expect(await ban("__proto__", null)).toMatchObject({ status: "invalid_body" });
    await takeOver(served, stage);
    const event = await eventOf(served);
    expect(event.bans).toEqual({ eve: { until: null, why: "rude" } });
    expect(event.mutes).toEqual({ mallory: { until: 1, why: "loud" } });
    expect(harness.journal().length).toBeGreaterThan(4);
  });

  it("[EV4] of bans that are over the oldest make room, and those in force do not", () => {
    const bans: Record<string, Ban> = {};
    for (let n = 0; n < 2_048; n++) addBan(bans, `p${n}`, { until: n, why: "" }, 0);
    const more = { until: null, why: "" };
    expect(addBan(bans, "one-more", more, 0)).toBe(true);
    expect(Object.keys(bans)).toHaveLength(2_048);
    expect(addBan(bans, "and-one", more, 0)).toBe(false);
    expect(addBan(bans, "p5", more, 0)).toBe(true);
    expect(addBan(bans, "and-one", more, 10)).toBe(true);
    const kicks: Record<string, number> = {};
    for (let n = 0; n < 100; n++) addKick(kicks, `p${n}`, n);
    expect(Object.keys(kicks)).toHaveLength(64);
    expect(kicks).toMatchObject({ p36: 36, p99: 99 });
  });

  it("[EV5] tells how it stands, and journals nothing", async () => {
    const served = await serve(stage);
    const { harness } = served;
    const none = { bans: 0, mutes: 0, slows: 0, waiting: 0, seated: 0, slowMs: 0 };
    const before = { phase: "scheduled", spec: null, ...none };
    const ladder = { step: "whole", by: "load" };
    expect((await operate(served, "event.read", null))?.data).toEqual({
      ...{ ...before, ladder, announcement: null },
    });
    await operate(served, "event.configure", SPEC);
    await operate(served, "event.announce", "hello");
    await operate(served, "event.ban", { person: "eve", until: null, why: "" });
    await ask(served, { waiting: 7, shards: [{ shard: 0, seated: 3, held: 0, members: 4 }] });
    const records = harness.journal().length;
    const told = await operate(served, "event.read", null);
    expect(told?.data).toEqual({
      ...{ phase: "scheduled", spec: SPEC, announcement: { n: 1, text: "hello" } },
      ...{ ...none, ladder, bans: 1, waiting: 7, seated: 4 },
    });
    expect(harness.journal()).toHaveLength(records);
    await harness.run(2_000);
    expect(harness.journal()).toHaveLength(records);
  });

  it("[EV5] what is not durable yet is not told", async () => {
    const served = await serve(stage);
    const { harness, node } = served;
    const epoch = currentEpoch(harness);
    const order = (name: string, body: unknown) =>
      control.encode({ type: "operate", room: ROOM, epoch, name, body: encode(body) });
    const { placement } = harness;
    const opening = placement.request(nodeControl(node.id), order("event.phase", "live"), 1_000);
    const reading = placement.request(nodeControl(node.id), order("event.read", null), 1_000);
    await harness.run(60);
    const [opened, read] = await Promise.all([opening, reading]);
    expect(opened.ok && decodeControl(opened.value)).toMatchObject({ status: "ok" });
    const told = read.ok ? decodeControl(read.value) : undefined;
    expect(told).toMatchObject({ data: { phase: "scheduled" } });
  });

  it("[PR59] [PR60] [ST1] [ST5] gives seats away once it has listened, and the doors are open", async () => {
    const served = await serve(stage);
    await operate(served, "event.configure", SPEC);
    expect(await ask(served)).toMatchObject({ grants: [] });
    await served.harness.run(2_000);
    expect(await ask(served)).toMatchObject({ grants: [], waiting: 3 });
    await operate(served, "event.phase", "doors_open");
    expect(await ask(served, { request: 2 })).toMatchObject({
      ...{ request: 2, grants: [{ shard: 0, seats: 3 }], waiting: 3, shards: 1 },
    });
    const held = { answered: 2, shards: [{ shard: 0, seated: 3, held: 0, members: 3 }] };
    expect(await ask(served, { request: 3, want: 0, waiting: 0, ...held })).toMatchObject({
      ...{ grants: [], seated: 3 },
    });
    const next = await takeOver(served, stage);
    expect(next.node.stats().rooms).toBe(1);
    expect(await ask(served, { request: 4, want: 1, ...held })).toMatchObject({ grants: [] });
    await served.harness.run(2_000);
    expect(await ask(served, { request: 5, want: 1, ...held })).toMatchObject({
      ...{ grants: [{ shard: 0, seats: 1 }], seated: 3 },
    });
  });

  it("[EV8] [EV9] takes a step by load, journaled once, and none against an operator's word", async () => {
    const served = await serve(stage);
    const { harness } = served;
    await operate(served, "event.configure", SPEC);
    const behindFor = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        await ask(served, { request: second, want: 0, waiting: 0, stretch: 2 });
        await harness.run(940);
      }
    };
    const records = harness.journal().length;
    await behindFor(7);
    expect((await eventOf(served)).ladder).toEqual({ step: "crowd_rate", by: "load" });
    expect(harness.journal()).toHaveLength(records + 1);
    const next = { ...served, node: await takeOver(served, stage) };
    await behindFor(12);
    expect((await eventOf(next)).ladder).toEqual({ step: "pose_rate", by: "load" });
    await operate(next, "event.ease", "whole");
    await behindFor(20);
    expect((await eventOf(next)).ladder).toEqual({ step: "whole", by: "operator" });
    expect((await operate(next, "event.audit", null))?.data).toMatchObject([
      { what: "event.ease", body: "whole" },
      { what: "event.eased", body: "pose_rate" },
      { what: "event.eased", body: "crowd_rate" },
      { what: "event.configure" },
    ]);
  });

  it("[ST6] seats fewer by a gateway that is behind", async () => {
    const served = await serve(stage);
    await operate(served, "event.configure", SPEC);
    await operate(served, "event.phase", "doors_open");
    await ask(served);
    await served.harness.run(2_000);
    const want = { want: 200, waiting: 200 };
    expect(await ask(served, { request: 2, ...want, stretch: 4 })).toMatchObject({
      grants: [{ shard: 0, seats: 125 }],
    });
    await served.harness.run(2_000);
    expect(await ask(served, { request: 3, answered: 2, ...want })).toMatchObject({
      grants: [{ shard: 0, seats: 200 }],
    });
  });

  it("[EV6] counts what gateways counted, once, and goes on under the next owner", async () => {
    const served = await serve(stage);
    await served.harness.run(100);
    const heard = (door: number, ...reactions: number[]) =>
      ask(served, { request: 1, want: 0, waiting: 0, door, reactions });
    expect(await heard(1, 5)).toMatchObject({ reactions: [5, 0] });
    expect(await heard(1, 5, 2)).toMatchObject({ reactions: [5, 2] });
    // A report that was overtaken takes nothing back.
    expect(await heard(1, 4, 2)).toMatchObject({ reactions: [5, 2] });
    expect(await heard(2, 1)).toMatchObject({ reactions: [6, 2] });
    await served.harness.run(6_000);
    await takeOver(served, stage);
    expect(await heard(2, 3)).toMatchObject({ reactions: [8, 2] });
    expect((await heard(2, 3))?.energy).toBeGreaterThanOrEqual(0);
  });

  it("[EV6] writes down what it counted before it hands the stage over (seed 152)", async () => {
    const served = await serve(stage);
    const { gateway, harness } = served;
    await harness.run(100);
    await ask(served, { request: 1, want: 0, waiting: 0, door: 1, reactions: [5] });
    const next = harness.node("node-b", [stage]);
    const epoch = currentEpoch(harness);
    const wish = { type: "migrate", room: ROOM, epoch, target: next.id } as const;
    harness.placement.publish(nodeControl(served.node.id), control.encode(wish));
    await harness.run(200);
    expect(currentEpoch(harness)).toBeGreaterThan(epoch);
    gateway.route(next, currentEpoch(harness));
    // That door has gone meanwhile: only the journal knows what it heard.
    const heard = { request: 1, want: 0, waiting: 0, door: 2, reactions: [1] };
    expect(await ask(served, heard)).toMatchObject({ reactions: [6, 0] });
  });

  it("[EV9] remembers 512 orders, and tells the newest 100", () => {
    const audit = newAudit();
    for (let n = 0; n < 600; n++) addAudit(audit, { at: n, by: null, what: "event.kick", body: n });
    expect(Object.keys(audit.entries)).toHaveLength(512);
    const told = auditOf(audit);
    expect([told.length, told[0]?.body, told[99]?.body]).toEqual([100, 599, 500]);
  });

  it("[EV6] of doors that are gone it keeps the sum", () => {
    const crowd = new Crowd();
    const heard = newHeard();
    for (let door = 0; door < 400; door++) crowd.report(`gw#${door}`, [1, door]);
    crowd.writeTo(heard);
    expect(Object.keys(heard.doors)).toHaveLength(256);
    const totals = [400, (399 * 400) / 2];
    expect([crowd.totals(2), new Crowd(heard).totals(2)]).toEqual([totals, totals]);
    expect(crowd.unwritten).toBe(false);
  });

  it("[EV6] energy is reactions a second, and dies away", () => {
    const energy = new Energy();
    for (let second = 0; second <= 30; second++) energy.hear(second * 100, second * 1_000);
    expect(energy.perS).toBeCloseTo(100, 0);
    for (let second = 31; second <= 60; second++) energy.hear(3_000, second * 1_000);
    expect(energy.perS).toBeLessThan(1);
  });
});
