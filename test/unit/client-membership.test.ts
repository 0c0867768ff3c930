import { expect, test } from "vitest";
import { clientDefaults } from "../../src/client/limits.ts";
import type { CrowdNews } from "../../src/client/room-events.ts";
import type { Waiting } from "../../src/client/room-options.ts";
import { CLOSE } from "../../src/protocol/close-codes.ts";
import {
  connected,
  EPOCH,
  type FakeBehaviour,
  inRoom,
  joined,
  LATER,
  member,
  PROFILE,
  record,
  reply,
  snapshot,
} from "../support/fake-gateway.ts";

test("[CL10] [CL11] attach numbers rise, are kept before they are used, with the cursor", async () => {
  const trace: string[] = [];
  const { gateways, clock, saved } = await inRoom(
    {},
    {},
    {
      script: (_, message) => {
        if (message.type === "join") trace.push(`join ${message.attach}`);
      },
    },
  );
  const first = gateways.last.last("join");
  expect(first).toMatchObject({ attach: 1, session: null, cursor: null });
  expect(saved).toEqual([{ room: "plaza", token: "token-1", attach: 1 }]);
  gateways.last.tell(record(11, {}, LATER));
  gateways.last.drop();
  await clock.run(1_000, 20);
  expect(gateways.last.last("join")).toMatchObject({
    attach: 2,
    session: "token-1",
    cursor: { epoch: LATER, index: 11 },
  });
  expect(saved[1], "before joined came").toEqual({ room: "plaza", token: "token-1", attach: 2 });
  gateways.last.drop();
  await clock.run(2_000, 20);
  expect(gateways.last.last("join").attach, "an unanswered number is used up").toBe(3);
  gateways.last.tell(joined({ attach: 3, token: "token-2", replayed: true }));
  expect(saved.slice(2)).toEqual([
    { room: "plaza", token: "token-1", attach: 3 },
    { room: "plaza", token: "token-2", attach: 3 },
  ]);
  expect(trace).toEqual(["join 1", "join 2", "join 3"]);
});

test("[CL11] the number is told before the join that carries it", async () => {
  const order: string[] = [];
  const harness = await connected(
    {},
    {
      script: (_, message) => {
        if (message.type === "join") order.push(`sent ${message.attach}`);
      },
    },
  );
  const resume = { room: "plaza", token: "kept", attach: 6 };
  const onSession = ({ attach, token }: { attach: number; token: string }): number =>
    order.push(`kept ${attach} ${token}`);
  const joining = harness.client.join("plaza", { profile: PROFILE, resume, onSession });
  expect(order).toEqual(["kept 7 kept", "sent 7"]);
  expect(harness.gateways.last.last("join")).toMatchObject({ session: "kept", cursor: null });
  harness.gateways.last.tell(joined({ attach: 7 }), snapshot());
  expect((await joining).me).toEqual({
    session: "s".repeat(22),
    slot: 0,
    generation: 0,
    person: "person-0-0",
  });
});

test("[CL13] a refusal that may pass is asked again, any other rejects", async () => {
  const { gateways, clock, client } = await connected();
  const joining = client.join("plaza", { profile: PROFILE });
  gateways.last.tell({
    type: "refused",
    channel: 0,
    code: "room_unavailable",
    message: "moving",
    retryAfterMs: 2_000,
  });
  await clock.run(1_999, 100);
  expect(gateways.last.all("join")).toHaveLength(1);
  await clock.run(600, 50);
  expect(gateways.last.all("join")).toHaveLength(2);
  const { channel } = gateways.last.last("join");
  gateways.last.tell(joined({ channel }), snapshot({ channel }));
  await joining;

  const unknown = client.join("nowhere", { profile: PROFILE });
  gateways.last.tell({
    type: "refused",
    channel: gateways.last.last("join").channel,
    code: "room_unknown",
    message: "no such world",
    retryAfterMs: null,
  });
  await expect(unknown).rejects.toMatchObject({ code: "room_unknown", retryAfterMs: null });
});

test("[CL13] join gives up after its deadline, and tells the gateway", async () => {
  const { gateways, clock, client } = await connected({ limits: { joinAnswerMsMax: 60_000 } });
  const joining = client.join("plaza", { profile: PROFILE }).catch((error: unknown) => error);
  await clock.run(clientDefaults.joinMsMax, 500);
  expect(await joining).toMatchObject({ name: "JoinRefused", code: "timeout" });
  expect(gateways.last.all("leave")).toHaveLength(1);
});

test("[CL55] a join that is given up says what it was last refused with", async () => {
  const script: FakeBehaviour["script"] = (socket, message) => {
    if (message.type !== "join") return;
    const refused = { code: "no_capacity", message: "", retryAfterMs: null } as const;
    socket.tell({ type: "refused", channel: message.channel, ...refused });
  };
  const { clock, client } = await connected({}, { script });
  const joining = client.join("plaza", { profile: PROFILE }).catch((error: unknown) => error);
  await clock.run(clientDefaults.joinMsMax + 1_000, 500);
  expect(await joining).toMatchObject({
    code: "timeout",
    message: expect.stringContaining("no_capacity"),
  });
});

test("[CL42] a client that has ended lets nobody in, and says why it did", async () => {
  const closed = await connected();
  closed.client.close();
  const gone = closed.client.join("plaza", { profile: PROFILE });
  await expect(gone).rejects.toMatchObject({ code: "closed" });
  const kicked = await connected();
  kicked.gateways.last.drop(CLOSE.kicked.code, "the organisers say so");
  const barred = kicked.client.join("plaza", { profile: PROFILE });
  await expect(barred).rejects.toMatchObject({ code: "kicked" });
  await expect(barred).rejects.toThrow("the organisers say so");
});

test("[CL13] a member is patient, until a final refusal", async () => {
  const { gateways, clock, room } = await inRoom();
  const ends: string[] = [];
  room.on("ended", (code) => ends.push(code));
  gateways.last.drop();
  for (let i = 0; i < 20; i++) {
    await clock.run(5_000, 500);
    for (const { channel } of gateways.last.take("join"))
      gateways.last.tell({
        type: "refused",
        channel,
        code: "no_capacity",
        message: "",
        retryAfterMs: 100,
      });
  }
  expect(ends).toEqual([]);
  await clock.run(16_000, 500);
  const { channel, attach } = gateways.last.last("join");
  expect(attach).toBeGreaterThan(5);
  gateways.last.tell({
    type: "refused",
    channel,
    code: "session_expired",
    message: "",
    retryAfterMs: null,
  });
  expect(ends).toEqual(["session_expired"]);
});

test("[CL14] an expired saved session becomes a new one", async () => {
  const { gateways, clock, client } = await connected();
  const resume = { room: "plaza", token: "old", attach: 3 };
  const joining = client.join("plaza", { profile: PROFILE, resume });
  gateways.last.tell({
    type: "refused",
    channel: 0,
    code: "session_expired",
    message: "",
    retryAfterMs: null,
  });
  await clock.run(1);
  expect(gateways.last.last("join")).toMatchObject({ attach: 1, session: null });
  gateways.last.tell(joined(), snapshot());
  await joining;
});

test("[CL15] superseded ends the room, and nothing brings it back", async () => {
  const { gateways, clock, client, room } = await inRoom();
  const ends: string[] = [];
  room.on("ended", (code) => ends.push(code));
  gateways.last.tell({ type: "left", channel: 0, code: "superseded", reason: "", transfer: null });
  expect(ends).toEqual(["superseded"]);
  await clock.run(30_000, 500);
  expect(gateways.last.all("join")).toHaveLength(1);
  expect(client.state).toBe("open");
});

const superseded = (channel = 0) =>
  ({ type: "left", channel, code: "superseded", reason: "", transfer: null }) as const;
const later = (channel: number) =>
  ({
    type: "refused",
    channel,
    code: "room_unavailable",
    message: "",
    retryAfterMs: 1_000,
  }) as const;

test("[CL15] an attach of one's own that was refused late, and took effect, ends nothing", async () => {
  const { gateways, clock, room } = await inRoom();
  gateways.last.tell(record(13));
  await clock.run(1);
  expect(gateways.last.last("join")).toMatchObject({ channel: 1, attach: 2 });
  // Journaled, but the owner died before it could say so, and the gateway gave up.
  gateways.last.tell(later(1), superseded());
  expect(room.ended).toBe(false);
  await clock.run(2_000, 50);
  const { channel, attach } = gateways.last.last("join");
  expect(attach).toBe(3);
  gateways.last.tell(joined({ channel, attach, replayed: true }));
  gateways.last.tell(superseded(channel));
  expect(room.ended, "by somebody else").toBe(true);
});

test("[CL15] a new gateway that dies with the attach journaled ends nothing, also by 4507", async () => {
  const { gateways, clock, client, room } = await inRoom({ urls: ["ws://a", "ws://b"] });
  const old = gateways.last;
  old.tell({ type: "retryAfter", afterMs: 300 });
  await clock.run(1_000, 50);
  const dying = gateways.last;
  expect(dying.last("join").attach).toBe(2);
  dying.drop();
  old.tell(superseded());
  old.drop(4507, "superseded");
  await clock.run(3_000, 50);
  expect([room.ended, client.state]).toEqual([false, "open"]);
  expect(gateways.last.last("join").attach).toBe(3);
});

test("[CL15] 4507 of the only socket is one's own doing while a later attach waits", async () => {
  const { gateways, clock, client, room } = await inRoom();
  gateways.last.tell(record(13));
  await clock.run(1);
  gateways.last.tell(later(1));
  gateways.last.drop(4507, "superseded");
  await clock.run(3_000, 50);
  expect([room.ended, client.state]).toEqual([false, "open"]);
  expect(gateways.last.last("join").attach).toBe(3);
});

test.each([
  ["a refusal that may pass", later(0)],
  [
    "a left that may pass",
    { type: "left", channel: 0, code: "room_unavailable", reason: "", transfer: null },
  ],
  ["not_joined", { type: "error", channel: 0, code: "not_joined", message: "" }],
] as const)("[CL45] [PR51] %s on the live binding attaches anew", async (_what, message) => {
  const { gateways, clock, room } = await inRoom();
  const pending = room.command("say");
  gateways.last.tell(message);
  expect(room.ended).toBe(false);
  await clock.run(2_500, 50);
  const { channel, attach, cursor } = gateways.last.last("join");
  expect([channel, attach, cursor?.index], "the channel is free").toEqual([0, 2, 10]);
  gateways.last.tell(joined({ attach, replayed: true }), reply(1));
  await pending;
  await clock.run(5_000, 50);
  expect(gateways.last.all("join")).toHaveLength(2);
});

test("[CL45] a final refusal on the live binding ends the room", async () => {
  const { gateways, room } = await inRoom();
  gateways.last.tell({ ...later(0), code: "session_expired", retryAfterMs: null });
  expect(room.ended).toBe(true);
});

test("[CL45] [PR51] a second joined gives another seat, and the commands their numbers", async () => {
  const { gateways, clock, room, saved } = await inRoom();
  for (const seq of [1, 2]) {
    const done = room.command("say");
    gateways.last.tell(reply(seq));
    await done;
  }
  gateways.last.tell(joined({ slot: 5, generation: 2, seq: 0, token: "token-2" }));
  gateways.last.tell(snapshot({ epoch: LATER, index: 3, members: [member(0), member(5, 2)] }));
  expect(room.me).toMatchObject({ slot: 5, generation: 2, person: "person-5-2" });
  expect(saved.at(-1)).toEqual({ room: "plaza", token: "token-2", attach: 1 });
  void room.command("say");
  expect(gateways.last.last("command")).toMatchObject({ seq: 1 });
  await clock.run(500, 50);
  expect(gateways.last.all("join")).toHaveLength(1);
});

test("[CL18] duplicates are ignored, a hole attaches anew with the cursor", async () => {
  const { gateways, clock, room } = await inRoom();
  const indexes: number[] = [];
  room.on("event", ({ index }) => indexes.push(index));
  const events = [{ name: "said", data: null }];
  gateways.last.tell(record(11, { events }), record(11, { events }), record(9, { events }));
  expect(indexes).toEqual([11]);
  expect(room.stats.duplicates).toBe(2);
  gateways.last.tell(record(13, { events }));
  await clock.run(1);
  const join = gateways.last.last("join");
  expect(join).toMatchObject({ channel: 1, attach: 2, cursor: { epoch: EPOCH, index: 11 } });
  // The old channel serves until the answer comes; what it says afterwards finds nobody.
  gateways.last.frame({ tick: 1, at: 5, index: 11 });
  expect(room.stats.framesFenced).toBe(0);
  gateways.last.tell(joined({ channel: 1, attach: 2, replayed: true }));
  gateways.last.tell(record(12, { events }, EPOCH, 1), record(13, { events }, EPOCH, 1));
  gateways.last.tell(record(14, { events }, EPOCH, 0));
  expect(indexes).toEqual([11, 12, 13]);
  expect(room.stats).toMatchObject({ holes: 1, resyncs: 1 });
});

test("[CL12] a channel is used again only when the gateway says that it is over", async () => {
  const { gateways, clock, client } = await inRoom();
  gateways.last.tell(record(13));
  await clock.run(1);
  gateways.last.tell(joined({ channel: 1, attach: 2, replayed: true }));
  void client.join("hall", { profile: PROFILE }).catch(() => {});
  expect(gateways.last.last("join").channel).toBe(2);
  gateways.last.tell({ type: "left", channel: 0, code: "superseded", reason: "", transfer: null });
  void client.join("yard", { profile: PROFILE }).catch(() => {});
  expect(gateways.last.last("join").channel).toBe(0);
});

test("[CL18] a frame that is ahead of its records is a hole; holes in a row are spaced", async () => {
  const { gateways, clock, room } = await inRoom();
  let tick = 0;
  const joins: number[] = [];
  for (let ms = 0; ms < 20_000; ms += 50) {
    await clock.run(50, 50);
    for (const { channel, attach } of gateways.last.take("join")) {
      if (attach > 1) joins.push(clock.now());
      gateways.last.tell(joined({ channel, attach, replayed: true }));
      gateways.last.tell({
        type: "left",
        channel: channel === 0 ? 1 : 0,
        code: "superseded",
        reason: "",
        transfer: null,
      });
    }
    for (const channel of [0, 1]) gateways.last.frame({ channel, tick: ++tick, at: ms, index: 11 });
  }
  expect(room.ended).toBe(false);
  expect(joins[0]).toBeLessThan(200);
  expect(joins.length).toBeGreaterThan(2);
  expect(joins.length, String(joins)).toBeLessThan(20);
});

test("[CL19] a patch that leads nowhere asks for a snapshot", async () => {
  const { gateways, clock, room } = await inRoom();
  gateways.last.tell(record(11, { patches: [[0, ["items", "lamp", "on"], true]] }));
  await clock.run(1);
  expect(gateways.last.last("join")).toMatchObject({ attach: 2, cursor: null });
  gateways.last.tell(joined({ channel: 1, attach: 2 }));
  gateways.last.tell(snapshot({ channel: 1, index: 11, state: { items: { lamp: {} }, count: 3 } }));
  expect(room.state).toEqual({ items: { lamp: {} }, count: 3 });
  expect(room.index).toBe(11);
});

test("[CL20] no snapshot takes the replica back, unless a later owner restored history", async () => {
  const { gateways, clock, room } = await inRoom();
  gateways.last.tell(record(11), record(12));
  gateways.last.tell(snapshot({ index: 11, state: { count: -1 } }));
  expect(room.index).toBe(12);
  await clock.run(1);
  expect(gateways.last.last("join").attach).toBe(2);
  gateways.last.tell(joined({ channel: 1, attach: 2 }));
  gateways.last.tell(snapshot({ channel: 1, index: 5, epoch: LATER, state: { count: 5 } }));
  expect(room.index).toBe(5);
  expect(room.state.count).toBe(5);
  expect(room.epoch).toBe(LATER);
});

test("[CL21] [CL24] comings and goings are told, with records and with snapshots", async () => {
  const { gateways, room } = await inRoom();
  const told: string[] = [];
  room.on("joined", ({ person }) => told.push(`+${person}`));
  room.on("left", ({ person }) => told.push(`-${person}`));
  room.on("state", (patches, index) => told.push(`state ${index} ${patches?.length ?? "whole"}`));
  room.on("event", ({ name, data, index }) => told.push(`${name} ${data} ${index}`));
  gateways.last.tell(
    record(11, {
      joined: [member(3), member(4)],
      patches: [[0, ["count"], 1]],
      events: [{ name: "cheer", data: 1 }],
    }),
    // A goodbye to a seat that somebody else holds by now removes nobody.
    record(12, { left: [{ slot: 3, generation: 7 }] }),
    record(13, { left: [{ slot: 4, generation: 0 }] }),
    snapshot({ index: 14, members: [member(0), member(3, 1)] }),
  );
  expect(told).toEqual([
    "+person-3-0",
    "+person-4-0",
    "state 11 1",
    "cheer 1 11",
    "-person-4-0",
    "-person-3-0",
    "+person-3-1",
    "state 14 whole",
  ]);
  expect([...room.members.keys()]).toEqual([0, 3]);
});

test("[CL43] signals and profiles reach the member they name, and no later holder of the slot", async () => {
  const { gateways, room } = await inRoom();
  const told: unknown[] = [];
  room.on("signal", ({ member: from, name, body }) => told.push([from.slot, name, body]));
  room.on("profile", ({ slot, profile }) => told.push([slot, profile?.name]));
  const profile = { name: "New", color: 2, model: "fox" };
  gateways.last.tell(
    { type: "signal", channel: 0, slot: 0, generation: 0, name: "emote", body: { kind: "wave" } },
    { type: "signal", channel: 0, slot: 0, generation: 9, name: "emote", body: null },
    { type: "profile", channel: 0, slot: 0, generation: 0, profile },
    { type: "profile", channel: 0, slot: 0, generation: 9, profile },
  );
  expect(told).toEqual([
    [0, "emote", { kind: "wave" }],
    [0, "New"],
  ]);
  room.setProfile(profile);
  expect(gateways.last.last("profile")).toMatchObject({ profile });
});

test("[CL51] [PR61] who waits in line before an event waits as long as it is told so", async () => {
  const { client, clock, gateways } = await connected();
  const seen: Waiting[] = [];
  const onWaiting = (waiting: Waiting): number => seen.push(waiting);
  const joining = client.join("event/gala", { profile: PROFILE, beside: "us", onWaiting });
  expect(gateways.last.last("join")).toMatchObject({ room: "event/gala", beside: "us" });
  const waiting = { type: "waiting", channel: gateways.last.last("join").channel } as const;
  const { joinAnswerMsMax, joinMsMax } = clientDefaults;
  const everyMs = Math.min(joinAnswerMsMax, joinMsMax) / 2;
  for (let ahead = 9; ahead >= 0; ahead--) {
    gateways.last.tell({ ...waiting, ahead, total: 10, etaMs: ahead > 5 ? null : ahead * 100 });
    await clock.run(everyMs, 100);
  }
  expect(gateways.last.over).toBe(false);
  expect([seen[0], seen.at(-1)]).toEqual([
    { ahead: 9, total: 10, etaMs: null },
    { ahead: 0, total: 10, etaMs: 0 },
  ]);
  gateways.last.tell(joined({ channel: waiting.channel }), snapshot());
  expect((await joining).name).toBe("event/gala");
});

test("[CL50] the crowd of an event is told as it comes", async () => {
  const { gateways, room } = await inRoom();
  const seen: CrowdNews[] = [];
  room.on("crowd", (crowd) => seen.push(crowd));
  const crowd = { seated: 9, waiting: 1, reactions: [4, 0], energy: 0.5 };
  gateways.last.tell({ type: "crowd", channel: gateways.last.last("join").channel, ...crowd });
  expect(seen).toEqual([crowd]);
});
