import { describe, expect, it } from "vitest";
import { AWAY_FLAG } from "../../src/protocol/pose-row.ts";
import { member, rowAt } from "../support/fake-room.ts";
import { type FakeClient, GATEWAY, GatewayRig, NODE2, ROOM } from "../support/gateway-rig.ts";

const tokenOf = (client: FakeClient): string => client.got("joined")[0]?.token as string;

describe("attaching", () => {
  it("[GW26] repeats attach, ever more rarely, until it is answered", async () => {
    const rig = new GatewayRig();
    rig.room.answersAttach = false;
    const client = await rig.joined();
    await rig.run(3_000);
    const tries = rig.room.heard("attach");
    expect(tries.length).toBeGreaterThan(5);
    expect(tries.length).toBeLessThan(40);
    expect(new Set(tries.map(({ connection }) => connection)).size).toBe(1);
    rig.room.answersAttach = true;
    await rig.run(700);
    expect(client.got("joined")).toHaveLength(1);
    const answered = rig.room.heard("attach").length;
    await rig.run(2_000);
    expect(rig.room.heard("attach").length).toBe(answered);
  });

  it("[GW75] asks a slow owner for some at a time, and nobody is left out", async () => {
    const rig = new GatewayRig({ attachesMax: 4 });
    rig.room.answersAttach = false;
    const clients = [];
    for (let n = 0; n < 12; n++) clients.push(await rig.joined());
    await rig.run(2_000);
    const asked = () => new Set(rig.room.heard("attach").map(({ connection }) => connection)).size;
    expect(asked()).toBe(4);
    rig.room.answersAttach = true;
    await rig.run(2_000);
    expect(asked()).toBe(12);
    expect(clients.map((client) => client.got("joined").length)).toEqual(clients.map(() => 1));
  });

  it("[GW26] ignores an answer for another connection or attach number", async () => {
    const rig = new GatewayRig();
    rig.room.answersAttach = false;
    const client = await rig.joined();
    const [sent] = rig.room.heard("attach");
    if (!sent) throw new Error("no attach");
    rig.room.write(GATEWAY, { joined: [member(0)] });
    const { session, attach, connection } = sent;
    const seat = { slot: 0, generation: 1, seq: 0, index: rig.room.index };
    rig.room.say(
      GATEWAY,
      { type: "attached", session, attach: attach + 1, connection, ...seat },
      { type: "attached", session, attach, connection: `${GATEWAY}#999`, ...seat },
    );
    await rig.run(100);
    expect(client.got("joined")).toEqual([]);
    rig.room.say(GATEWAY, { type: "attached", session, attach, connection, ...seat });
    await rig.run(100);
    expect(client.got("joined")).toHaveLength(1);
  });

  it("[GW29] tells joined only once the replica has the session's own record", async () => {
    const rig = new GatewayRig();
    rig.room.answersAttach = false;
    const client = await rig.joined();
    const [sent] = rig.room.heard("attach");
    if (!sent) throw new Error("no attach");
    const { session, attach, connection } = sent;
    rig.room.answersWatch = false;
    rig.room.write(GATEWAY, { joined: [member(0)] }, { lost: true });
    const { index } = rig.room;
    const seat = { slot: 0, generation: 1, seq: 4, index };
    rig.room.say(GATEWAY, { type: "attached", session, attach, connection, ...seat });
    await rig.run(200);
    expect(client.got("joined")).toEqual([]);
    rig.room.answersWatch = true;
    await rig.run(1_200);
    expect(client.story.slice(1, 3)).toEqual(["joined", "snapshot"]);
    expect(client.got("joined")[0]).toMatchObject({ slot: 0, seq: 4, world: "hall", tickHz: 10 });
    expect(client.got("snapshot")[0]?.members.map(({ slot }) => slot)).toEqual([0]);
  });

  it("[GW30] tells a refusal with its code and delay, and frees the channel", async () => {
    const rig = new GatewayRig();
    rig.room.answersAttach = false;
    const client = await rig.joined();
    const [sent] = rig.room.heard("attach");
    if (!sent) throw new Error("no attach");
    const { session, attach, connection } = sent;
    const refused = { type: "refused", session, attach, connection } as const;
    rig.room.say(GATEWAY, { ...refused, code: "room_full", retryAfterMs: 700 });
    await rig.run(120);
    expect(client.got("refused")).toMatchObject([{ code: "room_full", retryAfterMs: 700 }]);
    rig.room.answersAttach = true;
    client.join();
    await rig.run(120);
    expect(client.got("joined")).toHaveLength(1);
  });
});

describe("commands, poses, signals", () => {
  it("[GW27] holds commands until attached, in order and bounded, then says busy", async () => {
    const rig = new GatewayRig();
    rig.room.answersAttach = false;
    const client = await rig.joined();
    // Paced, or the limit on commands would answer in the queue's place.
    for (let seq = 1; seq <= 34; seq++) {
      client.command(seq);
      await rig.run(60);
    }
    expect(rig.room.heard("command")).toEqual([]);
    rig.room.answersAttach = true;
    await rig.run(700);
    const sent = rig.room.heard("command").map(({ seq }) => seq);
    expect(sent).toEqual(Array.from({ length: 32 }, (_, at) => at + 1));
    expect(client.got("busy").map(({ seq }) => seq)).toEqual([33, 34]);
  });

  it("[GW27] sends a command under the floor only, after the new owner has confirmed", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const next = rig.node(NODE2, rig.journal.claim(ROOM, NODE2, 9));
    next.records.splice(0, 1, ...rig.room.records);
    for (const [session, seat] of rig.room.seats) next.seats.set(session, seat);
    next.answersAttach = false;
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(20);
    client.command(1);
    await rig.run(100);
    expect([...rig.room.heard("command"), ...next.heard("command")]).toEqual([]);
    next.answersAttach = true;
    await rig.run(700);
    expect(next.heard("command")).toMatchObject([{ seq: 1, epoch: next.epoch }]);
    expect(rig.room.heard("command")).toEqual([]);
  });

  it("[GW40] tells a reply behind the record it speaks of, also to a slow client", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const session = client.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    client.pendingBytes = 1e6;
    const written = rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] });
    const { index } = written;
    rig.room.say(GATEWAY, { type: "reply", session, seq: 1, status: "ok", data: null, index });
    await rig.run(300);
    expect(client.got("reply")).toEqual([]);
    client.pendingBytes = 0;
    rig.room.tick(GATEWAY);
    await rig.settle();
    expect(client.story.slice(-3)).toEqual(["frame", "record", "reply"]);
  });

  it("[GW40] holds replies back whose records were lost, bounded, until these are here", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const session = client.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    rig.room.answersWatch = false;
    const { index } = rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] }, { lost: true });
    const reply = { type: "reply", session, status: "ok", data: null, index } as const;
    rig.room.say(GATEWAY, { ...reply, seq: 1 }, { ...reply, seq: 1 });
    for (let seq = 2; seq <= 40; seq++) rig.room.say(GATEWAY, { ...reply, seq });
    await rig.run(400);
    expect(client.got("reply")).toEqual([]);
    rig.room.answersWatch = true;
    await rig.run(1_200);
    expect(client.got("reply").map(({ seq }) => seq)).toEqual(
      Array.from({ length: 32 }, (_, at) => at + 1),
    );
    expect(client.story.indexOf("record")).toBeLessThan(client.story.indexOf("reply"));
  });

  it("[GW40] tells no held reply of a history that a restored journal does not have", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const session = client.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    rig.room.answersWatch = false;
    const lost = rig.room.index + 2;
    const reply = {
      type: "reply",
      session,
      seq: 1,
      status: "ok",
      data: null,
      index: lost,
    } as const;
    rig.room.say(GATEWAY, reply);
    const next = rig.node(NODE2, rig.journal.claim(ROOM, NODE2, 3, 2));
    next.records.push(...rig.room.records.slice(1));
    for (const [id, seat] of rig.room.seats) next.seats.set(id, seat);
    rig.room.say(GATEWAY, { type: "moved", owner: NODE2 });
    await rig.run(100);
    for (let n = 0; n < 3; n++) next.write(GATEWAY, {});
    await rig.run(300);
    expect(client.got("snapshot").at(-1)?.index).toBeGreaterThanOrEqual(lost);
    expect(client.got("reply")).toEqual([]);
  });

  it("[GW32] sends the latest pose of each member with its seat, never with the room's flag", async () => {
    const rig = new GatewayRig();
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    for (const x of [1, 2, 3]) ann.pose(rowAt(40, x, 0, 9));
    const flagged = rowAt(41, 7, 0, 9);
    flagged[0] = ((flagged[0] as number) | (AWAY_FLAG << 24)) >>> 0;
    bob.pose(flagged);
    await rig.run(20);
    const [poses, ...more] = rig.room.heard("poses");
    expect(more).toEqual([]);
    const both = [
      ...new Uint8Array(rowAt(0, 3, 0).buffer),
      ...new Uint8Array(rowAt(1, 7, 0).buffer),
    ];
    expect([...(poses?.rows ?? [])]).toEqual(both);
  });

  it("[GW32] sends the poses of a room once a tick, a little before the next one", async () => {
    const rig = new GatewayRig();
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    const tickMs = 100;
    for (let ticks = 0; ticks < 5; ticks++) {
      rig.room.tick(GATEWAY);
      await rig.settle();
      const before = rig.room.heard("poses").length;
      for (let part = 0; part < 7; part++) {
        ann.pose(rowAt(40, ticks, part));
        bob.pose(rowAt(41, ticks, part));
        await rig.run(tickMs / 10);
      }
      expect(rig.room.heard("poses"), "there is time").toHaveLength(before);
      await rig.run(tickMs * 0.3);
      expect(rig.room.heard("poses")).toHaveLength(before + 1);
    }
    // Nothing is heard of its ticks any more: others have a moment to come along, and no longer.
    const late = rig.room.heard("poses").length;
    await rig.run(tickMs * 3);
    ann.pose(rowAt(40, 9, 9));
    await rig.run(tickMs * 0.3);
    expect(rig.room.heard("poses")).toHaveLength(late + 1);
  });

  it("[GW36] passes a signal to the room under the sender's seat, and the room's to everyone", async () => {
    const rig = new GatewayRig();
    const [ann, bob] = [await rig.joined("ann"), await rig.joined("bob")];
    bob.send({ type: "signal", channel: 0, name: "wave", body: { big: true } });
    await rig.run(20);
    const [signal] = rig.room.heard("signal");
    expect(signal).toMatchObject({ slot: 1, generation: 1, name: "wave", body: { big: true } });
    rig.room.say(GATEWAY, { type: "signal", slot: 1, generation: 1, name: "wave", body: 1 });
    await rig.run(300);
    for (const client of [ann, bob]) expect(client.got("signal")).toMatchObject([{ slot: 1 }]);
  });

  it("[GW10] answers a ping", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    client.send({ type: "ping", clientTime: 12, echoes: [{ channel: 0, tick: 3 }] });
    await rig.run(150);
    expect(client.got("pong")).toMatchObject([{ clientTime: 12 }]);
    expect(client.got("pong")[0]?.serverTime).toBeGreaterThan(1_700_000_000_000);
  });
});

describe("two sockets of one session", () => {
  it("[GW28] the lower attach is told superseded, closed 4507, and speaks no more", async () => {
    const rig = new GatewayRig();
    const old = await rig.joined("ann");
    const fresh = await rig.welcomed("ann");
    fresh.join({ session: tokenOf(old), attach: 2, cursor: null });
    await rig.run(50);
    expect(fresh.got("joined")).toMatchObject([{ slot: 0, attach: 2 }]);
    expect(old.got("left")).toMatchObject([{ code: "superseded" }]);
    expect(old.closedWith?.code).toBe(4507);
    old.command(1);
    old.pose(rowAt(0, 9, 9));
    old.drop();
    await rig.run(3_000);
    expect(rig.room.heard("command")).toEqual([]);
    expect(rig.room.heard("poses")).toEqual([]);
    expect(rig.room.heard("away")).toEqual([]);
  });

  it("[GW28] the room's answer decides: a second socket that lost is closed, the first stays", async () => {
    const rig = new GatewayRig();
    const first = await rig.joined("ann");
    const token = tokenOf(first);
    const second = await rig.welcomed("ann");
    second.join({ session: token, attach: 3, cursor: null });
    await rig.run(50);
    const late = await rig.welcomed("ann");
    late.join({ session: token, attach: 2, cursor: null });
    await rig.run(50);
    expect(late.closedWith?.code).toBe(4507);
    expect(late.got("joined")).toEqual([]);
    expect(second.closedWith).toBeUndefined();
    second.command(1);
    await rig.run(20);
    expect(rig.room.heard("command")).toMatchObject([{ attach: 3 }]);
  });

  it("[GW28] keeps a socket that still holds another membership", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined("ann");
    client.join({ channel: 1, session: tokenOf(client), attach: 2, cursor: null });
    await rig.run(50);
    expect(client.got("left")).toMatchObject([{ channel: 0, code: "superseded" }]);
    expect(client.got("joined").map(({ channel }) => channel)).toEqual([0, 1]);
    expect(client.closedWith).toBeUndefined();
  });
});

describe("going", () => {
  it("[GW31] repeats away until the row shows it", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const other = await rig.joined("bob");
    client.drop();
    await rig.run(800);
    expect(rig.room.heard("away").length).toBeGreaterThanOrEqual(3);
    const away = rowAt(0, 0, 0);
    away[0] = ((away[0] as number) | (AWAY_FLAG << 24)) >>> 0;
    rig.room.tick(GATEWAY, [away]);
    await rig.run(100);
    const said = rig.room.heard("away").length;
    await rig.run(5_000);
    expect(rig.room.heard("away").length).toBe(said);
    expect(other.open).toBe(true);
  });

  it("[GW31] repeats leave until the record comes, and tells the client at once", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    client.send({ type: "leave", channel: 0, transfer: "t1" });
    await rig.run(400);
    expect(client.got("left")).toMatchObject([{ code: "left", transfer: "t1" }]);
    expect(rig.room.heard("leave").length).toBeGreaterThanOrEqual(2);
    rig.room.write(GATEWAY, { left: [{ slot: 0, generation: 1 }] });
    await rig.run(100);
    const said = rig.room.heard("leave").length;
    await rig.run(5_000);
    expect(rig.room.heard("leave").length).toBe(said);
    client.join();
    await rig.run(50);
    expect(client.got("joined")).toHaveLength(2);
  });

  it("[GW45] attaches again whom the room shows as away though the socket is here", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const before = rig.room.heard("attach").length;
    const away = rowAt(0, 0, 0);
    away[0] = ((away[0] as number) | (AWAY_FLAG << 24)) >>> 0;
    rig.room.tick(GATEWAY, [away]);
    await rig.run(50);
    const said = rig.room.heard("attach").slice(before);
    expect(said).toMatchObject([{ attach: 1, resumed: true }]);
    rig.room.tick(GATEWAY, [rowAt(0, 0, 0)]);
    await rig.run(500);
    expect(rig.room.heard("attach")).toHaveLength(before + 1);
    expect(client.open).toBe(true);
  });

  it("[GW31] gives up after departureTriesMax", async () => {
    const rig = new GatewayRig({ departureTriesMax: 4 });
    const client = await rig.joined();
    client.drop();
    await rig.run(20_000);
    expect(rig.room.heard("away")).toHaveLength(4);
  });

  it("[GW30] tells ended as left, and keeps the socket", async () => {
    const rig = new GatewayRig();
    const client = await rig.joined();
    const session = client.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    rig.room.say(GATEWAY, { type: "ended", session, code: "kicked", reason: "enough" });
    await rig.run(120);
    expect(client.got("left")).toMatchObject([{ code: "kicked", reason: "enough" }]);
    expect(client.closedWith).toBeUndefined();
    client.command(1);
    await rig.run(120);
    expect(client.got("error")).toMatchObject([{ code: "not_joined" }]);
  });
});

describe("a seat that is let go while its person comes back", () => {
  it("[GW30] ends whoever is attached, and lets in whoever attaches anew", async () => {
    const rig = new GatewayRig();
    const old = await rig.joined();
    const session = old.got("joined")[0]?.session;
    if (!session) throw new Error("not joined");
    const ended = { type: "ended", session, code: "session_expired", reason: "" } as const;
    old.drop();
    rig.room.answersAttach = false;
    const back = await rig.welcomed();
    back.join({ session: tokenOf(old), attach: 2 });
    await rig.run(20);
    expect(rig.room.heard("attach").at(-1)?.attach).toBe(2);
    // The leave was on its way to the journal before the attach, which gets a new seat.
    rig.room.write(GATEWAY, { left: [{ slot: 0, generation: 1 }] });
    rig.room.say(GATEWAY, ended);
    rig.room.seats.clear();
    rig.room.answersAttach = true;
    await rig.run(700);
    expect(back.got("refused")).toEqual([]);
    expect(back.got("joined")).toMatchObject([{ attach: 2 }]);
    rig.room.say(GATEWAY, ended);
    await rig.run(120);
    expect(back.got("left")).toMatchObject([{ code: "session_expired" }]);
  });
});
