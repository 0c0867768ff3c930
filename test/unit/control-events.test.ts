import { afterEach, describe, expect, test } from "vitest";
import type { ControlPort } from "../../src/control/port.ts";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { processId, roomId, worldName } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import type { OrderError } from "../../src/placement/orders.ts";
import { EventCluster, GALA, SPEC } from "../support/event-cluster.ts";

let cluster: EventCluster;
const start = async (nodes = 2): Promise<EventCluster> => {
  cluster = await EventCluster.start(nodes);
  return cluster;
};
afterEach(() => cluster.close());
const EVENT = "/v1/events/demo/gala";

describe("an event", () => {
  test("[CO37] is made, placed and configured in one request, and repeating it changes nothing", async () => {
    const c = await start();
    const doors = { doorsAt: "2001-01-01T20:00:00+01:00", startsAt: "2001-01-01T20:30:00Z" };
    const made = await c.gala({ ...doors, immovable: true });
    const spec = { ...SPEC, admitPerS: 200, endsAt: null };
    const moments = { doorsAt: "2001-01-01T19:00:00.000Z", startsAt: "2001-01-01T20:30:00.000Z" };
    expect(made).toMatchObject({
      status: 201,
      body: {
        ...{ event: GALA, world: "concert", status: "wanted", immovable: true },
        ...{ phase: "scheduled", spec: { ...spec, ...moments }, announcement: null },
        ...{ bans: 0, mutes: 0, waiting: 0, seated: 0, shards: [], sessions: 0 },
      },
    });
    expect(made.body.owner).toBe(c.owner(GALA)?.id);
    expect(await c.gala({ ...doors, immovable: true })).toEqual({ status: 200, body: made.body });
    const larger = await c.gala({ capacity: 800 });
    expect(larger).toMatchObject({
      ...{ status: 200, body: { spec: { ...spec, capacity: 800, doorsAt: null } } },
    });
  });

  test("[CO37] is not made where no node hosts it, and goes on where it stopped", async () => {
    cluster = new EventCluster();
    expect(await cluster.gala()).toMatchObject({ status: 503, code: "world_unhosted 1" });
    const node = cluster.join("node-1");
    await cluster.run(1_000);
    node.die();
    expect(await cluster.gala()).toMatchObject({ status: 503, code: "unplaced 1" });
    expect(await cluster.ask("GET", `/v1/rooms/${GALA}`)).toMatchObject({ status: 200 });
    cluster.join("node-2");
    await cluster.run(1_000);
    expect(await cluster.gala()).toMatchObject({ status: 200, body: { spec: SPEC } });
  });

  test.each([
    [{ event: "gala" }, "event: must be tenant/name"],
    [{ event: "demo/gala--1" }, "event: must be tenant/name"],
    [{ event: `demo/${"x".repeat(59)}` }, "event: must be tenant/name"],
    [{ world: "a.b" }, "world: must be 1 to 64 letters, digits, - and _"],
    [{ capacity: 0 }, "capacity: must be a whole number from 1 to 200000"],
    [{ shardSize: 1.5 }, "shardSize: must be a whole number from 1 to 4096"],
    [{ shardSize: 1, capacity: 2_001 }, "an event has at most 2000 shards"],
    [{ admitPerS: 0 }, "admitPerS: must be a number from 1 to 100000"],
    [{ doorsAt: "2027-01-01" }, "doorsAt: must be a moment in ISO 8601 with its offset"],
    [{ doorsAt: "2027-01-01T20:00:00" }, "doorsAt: must be a moment in ISO 8601 with its offset"],
    [{ doorsAt: 1_798_804_800_000 }, "doorsAt: must be a moment in ISO 8601 with its offset"],
    [{ doorsAt: "1969-01-01T00:00:00Z" }, "doorsAt: must be a moment in ISO 8601 with its offset"],
    [
      { doorsAt: "2027-01-02T00:00:00Z", endsAt: "2027-01-01T00:00:00Z" },
      "doorsAt, startsAt and endsAt come in this order",
    ],
    [{ color: "red" }, 'unknown key "color"'],
  ])("[CO37] [CO42] %j is refused and says why", async (wrong, message) => {
    const c = await start(1);
    const answer = await c.gala(wrong);
    expect(answer).toMatchObject({ status: 400, code: "invalid_body" });
    expect((answer.body.error as { message: string }).message).toContain(message);
    expect(c.placement.snapshot().rooms).toEqual([]);
  });

  test("[CO42] nobody makes a room with a shard's name by hand", async () => {
    const c = await start(1);
    const made = (name: string) => c.ask("POST", "/v1/rooms", { room: name, world: "plaza" });
    expect(await made("demo/gala--0")).toMatchObject({ status: 400, code: "invalid_body" });
    expect(await made("demo/gala--x")).toMatchObject({ status: 201 });
  });

  test("[CO46] its rooms are closed with it and not alone", async () => {
    const c = await start();
    await c.gala();
    await c.seat(1);
    await c.run(1_500);
    for (const room of [GALA, `${GALA}--0`]) {
      const answer = await c.ask("DELETE", `/v1/rooms/${room}`);
      expect(answer).toMatchObject({ status: 409, code: "room_of_event" });
      expect((answer.body.error as { message: string }).message).toContain(`DELETE ${EVENT} `);
      expect(await c.ask("GET", `/v1/rooms/${room}`)).toMatchObject({ body: { status: "wanted" } });
    }
    expect(await c.ask("DELETE", EVENT)).toMatchObject({ status: 200 });
    expect(await c.ask("DELETE", `/v1/rooms/${GALA}`)).toMatchObject({ status: 200 });
  });

  test("[CO37] [CO38] is of its world for good, and no other room is one", async () => {
    const c = await start(1);
    await c.ask("POST", "/v1/rooms", { room: GALA, world: "plaza" });
    await c.run(500);
    expect(await c.gala()).toMatchObject({ status: 409, code: "event_exists" });
    const none = { status: 404, code: "event_unknown" };
    expect(await c.ask("GET", EVENT)).toMatchObject(none);
    expect(await c.ask("GET", "/v1/events/demo/nothing")).toMatchObject(none);
    expect(await c.ask("GET", "/v1/events/demo/gala--0")).toMatchObject(none);
    expect(await c.ask("POST", `${EVENT}/phase`, { phase: "live" })).toMatchObject(none);
    expect(await c.ask("DELETE", EVENT)).toMatchObject(none);
    await c.ask("DELETE", `/v1/rooms/${GALA}`);
    expect(await c.ask("DELETE", EVENT)).toMatchObject(none);
    expect(await c.ask("GET", EVENT)).toMatchObject(none);
    const listed = await c.ask("GET", "/v1/events");
    expect(listed.body).toEqual({ events: [], next: null });
  });

  test("[CO38] is listed with its shards and people, by pages", async () => {
    const c = await start();
    await c.gala();
    await c.gala({ event: "demo/afterparty" });
    await c.seat(3);
    await c.run(1_500);
    const first = await c.ask("GET", "/v1/events?limit=1");
    const owner = c.owner(roomId("demo/afterparty"))?.id;
    expect(first.body).toMatchObject({
      events: [{ event: "demo/afterparty", world: "concert", owner, shards: 0, sessions: 0 }],
      next: "demo/afterparty",
    });
    const second = await c.ask("GET", `/v1/events?limit=1&after=${first.body.next}`);
    expect(second.body).toMatchObject({ events: [{ event: GALA, shards: 3 }], next: null });
    const one = await c.ask("GET", EVENT);
    expect(one.body.shards).toHaveLength(3);
    const shard = roomId(`${GALA}--2`);
    const line = { room: shard, status: "wanted", owner: c.owner(shard)?.id, sessions: 0 };
    expect(one.body.shards?.[2]).toMatchObject(line);
  });

  test("[CO39] is what operators say of it, durably", async () => {
    const c = await start();
    await c.gala();
    const say = (what: string, body: object) => c.ask("POST", `${EVENT}/${what}`, body);
    expect(await say("phase", { phase: "live" })).toEqual({
      ...{ status: 200, body: { event: GALA, phase: "live" } },
    });
    expect(await say("announce", { text: "Welcome" })).toMatchObject({ body: { n: 1 } });
    expect(await say("announce", { text: "Again" })).toMatchObject({ body: { n: 2 } });
    expect(await say("kick", { person: "bo" })).toMatchObject({ status: 200 });
    const until = "2030-01-01T00:00:00Z";
    const banned = await say("ban", { person: "eve@x/y", until, why: "rude" });
    expect(banned.body).toEqual({
      ...{ event: GALA, person: "eve@x/y", until: "2030-01-01T00:00:00.000Z", why: "rude" },
    });
    await say("ban", { person: "mallory" });
    await say("mute", { person: "loud" });
    expect((await c.ask("GET", EVENT)).body).toMatchObject({
      ...{ phase: "live", announcement: { n: 2, text: "Again" }, bans: 2, mutes: 1 },
    });
    const back = await c.ask("DELETE", `${EVENT}/bans/${encodeURIComponent("eve@x/y")}`);
    expect(back).toEqual({ status: 200, body: { event: GALA, person: "eve@x/y" } });
    await c.ask("DELETE", `${EVENT}/mutes/loud`);
    c.owner(GALA)?.die();
    await c.run(5_000);
    expect((await c.ask("GET", EVENT)).body).toMatchObject({ phase: "live", bans: 1, mutes: 0 });
  });

  test("[CO43] takes a step of its ladder and slows speech down as operators say", async () => {
    const c = await start();
    await c.gala();
    const say = (what: string, body: object) => c.ask("POST", `${EVENT}/${what}`, body);
    expect((await say("ladder", { step: "ghost_seats" })).body).toEqual({
      ...{ event: GALA, step: "ghost_seats" },
    });
    expect((await say("slow", { everyMs: 5_000 })).body).toEqual({
      ...{ event: GALA, person: null, everyMs: 5_000 },
    });
    await say("slow", { person: "eve", everyMs: 60_000 });
    c.owner(GALA)?.die();
    await c.run(5_000);
    expect((await c.ask("GET", EVENT)).body).toMatchObject({
      ...{ ladder: { step: "ghost_seats", by: "operator" }, slowMs: 5_000, slows: 1 },
    });
    await say("ladder", { step: null });
    await say("slow", { everyMs: 0 });
    await say("slow", { person: "eve", everyMs: 0 });
    expect((await c.ask("GET", EVENT)).body).toMatchObject({
      ...{ ladder: { step: "ghost_seats", by: "load" }, slowMs: 0, slows: 0 },
    });
  });

  test("[CO44] [EV9] tells what was ordered, the newest first, after a takeover too", async () => {
    const c = await start();
    await c.gala();
    await c.ask("POST", `${EVENT}/phase`, { phase: "live" });
    await c.ask("POST", `${EVENT}/phase`, { phase: "scheduled" });
    await c.ask("POST", `${EVENT}/ban`, { person: "eve", why: "rude" });
    c.owner(GALA)?.die();
    await c.run(5_000);
    const { body } = await c.ask("GET", `${EVENT}/audit`);
    expect(body).toMatchObject({
      event: GALA,
      orders: [
        { by: null, what: "event.ban", body: { person: "eve", until: null, why: "rude" } },
        { by: null, what: "event.phase", body: "live" },
        { by: null, what: "event.configure", body: SPEC },
      ],
    });
    expect(body.orders).toHaveLength(3);
    expect(await c.ask("GET", "/v1/events/demo/nothing/audit")).toMatchObject({ status: 404 });
  });

  test.each([
    ["ladder", { step: "low" }],
    ["ladder", {}],
    ["slow", { everyMs: -1 }],
    ["slow", { everyMs: 3_600_001 }],
    ["slow", { person: "", everyMs: 1 }],
    ["slow", { person: "eve" }],
  ])("[CO43] %s %j is refused", async (what, body) => {
    const c = await start(1);
    await c.gala();
    const answer = await c.ask("POST", `${EVENT}/${what}`, body);
    expect([answer.status, answer.code]).toEqual([400, "invalid_body"]);
  });

  test.each([
    ["POST", "phase", { phase: "over" }, "invalid_body"],
    ["POST", "phase", {}, "invalid_body"],
    ["POST", "announce", { text: "" }, "invalid_body"],
    ["POST", "announce", { text: "x".repeat(513) }, "invalid_body"],
    ["POST", "kick", { person: "" }, "invalid_body"],
    ["POST", "kick", { person: "__proto__" }, "invalid_body"],
    ["POST", "ban", { person: "eve", why: 1 }, "invalid_body"],
    ["POST", "mute", { person: "eve", until: "tomorrow" }, "invalid_body"],
    ["DELETE", "bans/%zz", undefined, "invalid_person"],
    ["DELETE", "mutes/%00", undefined, "invalid_person"],
  ])("[CO39] %s %s %j is refused", async (method, what, body, code) => {
    const c = await start(1);
    await c.gala();
    const answer = await c.ask(method, `${EVENT}/${what}`, body);
    expect([answer.status, answer.code]).toEqual([400, code]);
  });

  test("[CO40] refusals are the stage's own, and nothing of them lasts", async () => {
    const c = await start(1);
    await c.gala();
    await c.ask("POST", `${EVENT}/phase`, { phase: "ending" });
    const back = await c.ask("POST", `${EVENT}/phase`, { phase: "live" });
    expect(back).toMatchObject({ status: 409, code: "phase_is_over" });
    await c.ask("POST", `${EVENT}/phase`, { phase: "closed" });
    expect(await c.gala()).toMatchObject({ status: 409, code: "event_closed" });
  });

  test.each([
    [ok("ok"), 200, undefined],
    [ok("too_many"), 409, "too_many"],
    [ok("state_full"), 409, "state_full"],
    [ok("busy"), 503, "busy 1"],
    [ok("unknown_command"), 404, "event_unknown"],
    [ok("invalid_body"), 400, "invalid_body"],
    [err("unplaced"), 503, "unplaced 1"],
    [err("gone"), 503, "gone 1"],
    [err("unanswered"), 503, "unanswered 1"],
    [err("room_unknown"), 404, "event_unknown"],
    [err("room_closed"), 409, "event_closed"],
    [err("quarantined"), 409, "event_quarantined"],
  ] as const)("[CO40] %j is answered %i %s", async (outcome, status, code) => {
    const owner = processId("node-1.0123456789abcdef");
    const answered = { data: null, owner, epoch: EPOCH_NONE };
    const operate: ControlPort["operate"] = async () =>
      outcome.ok ? ok({ status: outcome.value, ...answered }) : err(outcome.error as OrderError);
    const entry = { room: GALA, world: worldName("concert"), status: "wanted" } as IndexEntry;
    cluster = new EventCluster({ operate, room: async () => ok(entry) });
    const answer = await cluster.ask("POST", `${EVENT}/kick`, { person: "eve" });
    expect([answer.status, answer.code]).toEqual([status, code]);
    const read = await cluster.ask("GET", EVENT);
    const unread = outcome.ok && outcome.value === "ok" ? [503, "unanswered 1"] : [status, code];
    expect([read.status, read.code], "nor does a listing invent a phase").toEqual(unread);
  });

  test.each([
    ["phase_is_over", "Phases go forward only: scheduled, doors_open, live, ending, closed."],
    ["event_closed", "The event is over, for good."],
    ["too_many", "As many people as there may be are named there already."],
    ["forbidden", "Only operators and the event's staff may say this."],
    ["state_full", "demo/gala refuses this."],
  ])("[CO48] %s is told in a sentence of its own", async (status, message) => {
    const owner = processId("node-1.0123456789abcdef");
    const operate = async () => ok({ status, data: null, owner, epoch: EPOCH_NONE });
    const entry = { room: GALA, world: worldName("concert"), status: "wanted" } as IndexEntry;
    cluster = new EventCluster({ operate, room: async () => ok(entry) });
    const answer = await cluster.ask("POST", `${EVENT}/phase`, { phase: "live" });
    expect(answer).toMatchObject({ status: 409, body: { error: { code: status, message } } });
  });

  test.each(["ban", "mute"])("[CO47] a %s that is over already is refused", async (what) => {
    const c = await start(1);
    await c.gala();
    const now = c.harness.clock.wallNow();
    const until = (ms: number) => ({ person: "eve", until: new Date(now + ms).toISOString() });
    const past = await c.ask("POST", `${EVENT}/${what}`, until(-1_000));
    expect(past).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_body", message: "until: must be a moment to come" } },
    });
    expect(await c.ask("POST", `${EVENT}/${what}`, until(60_000))).toMatchObject({ status: 200 });
    const body = { person: "bo", until: null };
    expect(await c.ask("POST", `${EVENT}/${what}`, body)).toMatchObject({ status: 200 });
  });

  test("[CO40] a store that does not answer is a 503 as well", async () => {
    const down = async () => err("unavailable" as const);
    cluster = new EventCluster({ room: down, closeEvent: down });
    for (const [method, path] of [
      ["GET", EVENT],
      ["DELETE", EVENT],
      ["POST", `${EVENT}/kick`],
    ] as const)
      expect(await cluster.ask(method, path, { person: "eve" })).toMatchObject({
        ...{ status: 503, code: "unavailable 1" },
      });
    cluster = new EventCluster({ room: async () => ok(undefined), closeEvent: down });
    expect(await cluster.ask("DELETE", EVENT)).toMatchObject({ code: "unavailable 1" });
  });
});

describe("the end of an event", () => {
  test("[CO41] [PL73] closes its shards and its stage, and repeating it changes nothing", async () => {
    const c = await start();
    await c.gala();
    await c.seat(3);
    const closed = await c.ask("DELETE", EVENT);
    expect(closed).toEqual({
      status: 200,
      body: { event: GALA, status: "closed", shardsClosed: 3 },
    });
    await c.run(500);
    expect(c.nodes.map(({ node }) => node.stats().rooms)).toEqual([0, 0]);
    const statuses = c.placement.snapshot().rooms.map(({ status }) => status);
    expect(statuses).toEqual(["closed", "closed", "closed", "closed"]);
    expect(await c.locate(roomId(`${GALA}--7`)), "no shard comes any more").toBe("unknown");
    expect(await c.ask("GET", EVENT)).toMatchObject({
      ...{ status: 200, body: { status: "closed", phase: "closed", spec: null } },
    });
    expect(await c.ask("DELETE", EVENT)).toMatchObject({ status: 200, body: { shardsClosed: 0 } });
    const phase = await c.ask("POST", `${EVENT}/phase`, { phase: "live" });
    expect(phase).toMatchObject({ status: 409, code: "event_closed" });
    expect(await c.gala()).toMatchObject({ status: 409, code: "event_closed" });
  });

  test("[CO41] what was left is finished, also without a stage", async () => {
    const c = await start();
    await c.gala();
    await c.seat(2);
    const { index } = c.harness.stores.open();
    await c.ask("DELETE", `/v1/rooms/${GALA}`);
    await c.run(500);
    expect(await c.ask("DELETE", EVENT)).toMatchObject({ status: 200, body: { shardsClosed: 2 } });
    const entry = await index.read(roomId(`${GALA}--0`));
    if (!entry.ok || !entry.value) throw new Error("the shard's entry is there");
    const open = { ...entry.value, status: "wanted" } as const;
    await index.change(open.room, () => ({ ...open, changedAtMs: open.changedAtMs + 1 }));
    await index.remove(GALA, () => true);
    expect(await c.ask("DELETE", EVENT)).toMatchObject({ status: 200, body: { shardsClosed: 1 } });
  });
});
