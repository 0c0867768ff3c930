import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MembershipCode } from "../../src/protocol/close-codes.ts";
import { encodePose } from "../../src/protocol/frame.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { CalmCrew, type Count, closed, ROOM } from "../support/calm-crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { commandOf, joinOf } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait-until.ts";

type Claims = Record<string, unknown>;
type Join = Parameters<typeof joinOf>[1];

const CLOSED_ROOM = "closed-pier";
const now = (): number => Math.floor(Date.now() / 1000);
const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const nested = (levels: number): Uint8Array => Uint8Array.from([...Array(levels).fill(0x91), 1]);

/** What a join is refused with. */
const JOINS: readonly (readonly [
  name: string,
  room: string,
  code: MembershipCode,
  claims?: Claims,
  over?: Join,
])[] = [
  ["[GW18] a room that nobody made", "atlantis", "room_unknown"],
  ["[GW30] a room that was closed", CLOSED_ROOM, "room_closed"],
  ["[GW30] no name", "", "room_unknown"],
  ["[GW30] a name with a slash", "demo/pier", "room_unknown"],
  ["[GW30] a name with dots", "../pier", "room_unknown"],
  ["[GW30] a wildcard of the bus", ">", "room_unknown"],
  ["[GW30] a name with a null byte", "pier\0", "room_unknown"],
  ["[GW30] a name in Cyrillic", "пирс", "room_unknown"],
  ["[GW12] another tenant's token", ROOM, "room_unknown", { tenant: "elsewhere" }],
  ["[GW12] a token for another room", ROOM, "wrong_room", { rooms: ["hall"] }],
  ["[GW12] a token for no room", ROOM, "wrong_room", { rooms: [] }],
  ["[GW13] a session's token of garbage", ROOM, "session_expired", {}, { session: "garbage" }],
  ["[GW13] an empty session's token", ROOM, "session_expired", {}, { session: "" }],
];

/** Session's tokens for ROOM and the person `eve`, with claims changed. */
const SESSIONS: readonly (readonly [name: string, claims: Claims, code: MembershipCode])[] = [
  ["[GW13] another room's session", { room: "demo/hall" }, "wrong_room"],
  ["[GW13] another person's session", { sub: "ada" }, "wrong_room"],
  ["[GW13] an expired session", { exp: now() - 60 }, "session_expired"],
  ["[GW13] a session without an end", { exp: undefined }, "session_expired"],
  ["[GW13] a session of another tenant", { tenant: "elsewhere" }, "session_expired"],
  ["[GW13] a session id that is none", { sid: "../../etc/passwd" }, "session_expired"],
  ["[MB6] a session that the room never had", {}, "session_expired"],
];

/** What a command is answered with. */
const COMMANDS: readonly (readonly [
  name: string,
  command: string,
  body: Uint8Array,
  status: string,
])[] = [
  ["[CM4] an unknown command", "dance", encode(null), "unknown_command"],
  ["[CM4] a command called toString", "toString", encode(null), "unknown_command"],
  ["[CM4] a command called __proto__", "__proto__", encode(null), "unknown_command"],
  ["[CM4] a body of another type", "put", encode([1]), "invalid_body"],
  ["[CM4] a field of another type", "put", encode({ token: 7 }), "invalid_body"],
  ["[CM4] a text over its length", "put", encode({ token: "t".repeat(65) }), "invalid_body"],
  ["[CM4] no body", "put", new Uint8Array(), "invalid_body"],
  ["[CM4] a body that is no msgpack", "put", hex("c1 c1 c1"), "invalid_body"],
  [
    "[CM4] a body with something behind it",
    "put",
    hex("81 a5 74 6f 6b 65 6e a1 74 c0"),
    "invalid_body",
  ],
  ["[CM4] a body cut short", "put", hex("81 a5 74 6f 6b"), "invalid_body"],
  ["[CM4] a body that claims 4 GiB", "put", hex("dd ff ff ff ff"), "invalid_body"],
  ["[CM4] a key __proto__", "put", hex("81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80"), "invalid_body"],
  [
    "[CM4] a value constructor that becomes a key",
    "put",
    encode({ token: "constructor" }),
    "invalid_body",
  ],
  ["[CM4] 24 levels", "put", nested(24), "invalid_body"],
  ["[CM4] 25 levels", "put", nested(25), "invalid_body"],
  ["[CM4] 16,000 levels", "put", nested(16_000), "invalid_body"],
  ["[CM2] what the world refuses", "no", encode(null), "no"],
];

describe.skipIf(withoutNats)("bad input in rooms", () => {
  let crew: CalmCrew;
  let owner = "";
  const heard: { readonly name: string; readonly body: unknown }[] = [];

  beforeAll(async () => {
    crew = await CalmCrew.start();
    await crew.cluster.createRoom(CLOSED_ROOM);
    await fetch(`${crew.cluster.control}/v1/rooms/demo/${CLOSED_ROOM}`, { method: "DELETE" });
    owner = (await crew.cluster.room(ROOM)).owner?.split(".")[0] ?? "";
    crew.sailor.room.on("signal", ({ name, body }) => heard.push({ name, body }));
  }, 60_000);
  afterAll(async () => crew?.close());

  const refusals = (code: string, by = 1): Count => [
    "roomcluster_gateway_refusals_total",
    `code="${code}"`,
    by,
  ];
  const limited = (kind: string, by: number): Count => [
    "roomcluster_gateway_rate_limited_total",
    `kind="${kind}"`,
    by,
  ];

  for (const [name, room, code, claims, over] of JOINS)
    it(`${name}: refused ${code}`, async () => {
      const raw = await crew.welcomed(claims);
      await crew.counted([refusals(code)], async () => {
        raw.join(room, { channel: 3, ...over });
        expect(await raw.take("refused")).toMatchObject({ channel: 3, code });
      });
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

  for (const [name, changed, code] of SESSIONS)
    it(`${name}: refused ${code}`, async () => {
      const sub = crew.newPerson();
      const raw = await crew.welcomed({ sub });
      const claims = {
        sid: "A".repeat(22),
        sub,
        room: `demo/${ROOM}`,
        tenant: "demo",
        role: "audience",
        name: "",
        began: Date.now(),
        ...changed,
      };
      const session = await crew.token(claims, undefined, { typ: "roomcluster-session+jwt" });
      await crew.counted([refusals(code)], async () => {
        raw.join(ROOM, { session, attach: 2 });
        expect((await raw.take("refused")).code).toBe(code);
      });
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

  for (const [name, command, body, status] of COMMANDS)
    it(`${name}: reply ${status}`, async () => {
      const raw = await crew.member();
      raw.send(commandOf(1, command, body));
      expect(await raw.take("reply")).toMatchObject({ seq: 1, status });
      raw.command(2, "put", { token: crew.newPerson() });
      expect(await raw.take("reply")).toMatchObject({ seq: 2, status: "ok", data: 1 });
      raw.terminate();
      await crew.undisturbed();
    });

  describe("sequences", () => {
    it.each([
      ["a gap", 2],
      ["far ahead", Number.MAX_SAFE_INTEGER],
      ["zero", 0],
    ])("[PR32] %s: expect 1", async (_, seq) => {
      const raw = await crew.member();
      raw.command(seq, "put", { token: "never" });
      expect(await raw.take("expect")).toMatchObject({ seq: 1 });
      raw.command(1, "put", { token: crew.newPerson() });
      expect((await raw.take("reply")).status).toBe("ok");
      expect(crew.tokens.never).toBeUndefined();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR31] the same bytes again: the same reply, applied once", async () => {
      const raw = await crew.member();
      const token = crew.newPerson();
      raw.command(1, "put", { token });
      const first = await raw.take("reply");
      const duplicates: Count = ["roomcluster_commands_total", 'outcome="duplicate"', 3, owner];
      await crew.counted([duplicates], async () => {
        for (let n = 0; n < 3; n++) {
          raw.command(1, "put", { token });
          expect(await raw.take("reply")).toEqual(first);
        }
      });
      await waitUntil("others see it", () => token in crew.tokens);
      expect(crew.tokens[token]).toBe(1);
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR31] the same number for another command: body_mismatch, not applied", async () => {
      const raw = await crew.member();
      raw.command(1, "put", { token: crew.newPerson() });
      await raw.take("reply");
      raw.command(1, "put", { token: "another" });
      expect((await raw.take("reply")).status).toBe("body_mismatch");
      expect(crew.tokens.another).toBeUndefined();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR30] resent, though it never was: runs once", async () => {
      const raw = await crew.member();
      const token = crew.newPerson();
      raw.command(1, "put", { token }, { resent: true, traceparent: "\u0000not a trace" });
      expect((await raw.take("reply")).status).toBe("ok");
      await waitUntil("the crew sees it", () => crew.tokens[token] === 1);
      raw.terminate();
      await crew.undisturbed();
    });
  });

  describe("channels", () => {
    const notJoined: Count = ["roomcluster_gateway_errors_total", 'code="not_joined"', 1];

    it.each([
      ["a command", encode([4, 7, 1, "put", hex("c0"), false, null])],
      ["a signal", encode([5, 7, "emote", null])],
      ["a profile", encode([7, 7, ["n", 1, "m"]])],
      ["a follow", encode([8, 7, [[1, 1]]])],
      ["a leave", encode([3, 7, null])],
    ])("[PR39] %s on a channel that was not joined: error not_joined", async (_, bytes) => {
      const raw = await crew.welcomed();
      await crew.counted([notJoined], async () => {
        raw.raw(bytes);
        expect(await raw.take("error")).toMatchObject({ channel: 7, code: "not_joined" });
      });
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR39] a command and a pose beside the join: not_joined and nothing", async () => {
      const raw = await crew.welcomed();
      await crew.counted([notJoined], async () => {
        raw.send(joinOf(ROOM), commandOf(1, "put", encode({ token: "early" })));
        raw.raw(encodePose(0, 1, Uint32Array.of(0, 5, 5, 0)));
        expect((await raw.take("error")).code).toBe("not_joined");
      });
      await raw.take("joined");
      expect(crew.tokens.early).toBeUndefined();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW8] a channel in use, and a ninth one: refused channel_taken", async () => {
      const raw = await crew.member();
      await crew.counted([refusals("channel_taken", 2)], async () => {
        raw.join("other");
        expect(await raw.take("refused")).toMatchObject({ channel: 0, code: "channel_taken" });
        for (let channel = 1; channel <= 8; channel++) raw.join(ROOM, { channel });
        expect(await raw.take("refused")).toMatchObject({ channel: 8, code: "channel_taken" });
        await raw.until("the others are in", () => raw.got("joined").length === 8);
      });
      raw.command(1, "put", { token: crew.newPerson() });
      expect((await raw.take("reply")).status).toBe("ok");
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW8] joins without end: refused rate_limited", async () => {
      const raw = await crew.welcomed();
      await crew.counted([limited("joins", 20), refusals("rate_limited", 20)], async () => {
        for (let n = 0; n < 30; n++) raw.join("no such room");
        await raw.until("all are answered", () => raw.got("refused").length === 30);
      });
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR13] the same attach from a second socket: superseded, the first goes on", async () => {
      const sub = crew.newPerson();
      const first = await crew.member({ sub });
      const session = (await first.take("joined")).token;
      for (const attach of [1, 0]) {
        const second = await crew.welcomed({ sub });
        await crew.counted([refusals("superseded"), closed("superseded")], async () => {
          second.join(ROOM, { session, attach });
          expect((await second.take("refused")).code).toBe("superseded");
          await crew.closes(second, "superseded");
        });
      }
      first.command(1, "put", { token: crew.newPerson() });
      expect((await first.take("reply")).status).toBe("ok");
      first.terminate();
      await crew.undisturbed();
    });
  });

  describe("signals, profiles and poses", () => {
    it.each([
      ["a name that the world does not know", "shout", { kind: "wave" }],
      ["a body that the schema refuses", "emote", { kind: 7 }],
    ])("[RG4] a signal with %s: nobody hears it", async (_, name, body) => {
      const raw = await crew.member();
      heard.length = 0;
      raw.send({ type: "signal", channel: 0, name, body });
      raw.send({ type: "signal", channel: 0, name: "emote", body: { kind: "after" } });
      await waitUntil("the next one is heard", () => heard.length > 0);
      expect(heard).toEqual([{ name: "emote", body: { kind: "after" } }]);
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW58] a follow of nobody, of itself and of the same one 64 times harms nobody", async () => {
      const raw = await crew.member();
      const { slot, generation } = await raw.take("joined");
      const nobody = Array.from({ length: 64 }, (_, at) => [65_535 - at, at]);
      for (const members of [nobody, [[slot, generation]], Array(64).fill([slot, generation]), []])
        raw.raw(encode([8, 0, members]));
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[PR6] a profile with control characters is told as it is, and always in UTF-8", async () => {
      const raw = await crew.member();
      const { slot } = await raw.take("joined");
      const name = "\u0000\u001b[2J\r\n\u202e";
      raw.send({ type: "profile", channel: 0, profile: { name, color: 2 ** 32 - 1, model: "" } });
      await waitUntil("the crew sees it", () => nameOf(slot) === name);
      // Half of a surrogate pair, which text in a browser may end with and UTF-8 has no bytes for.
      const lone = hex("93 07 00 93 a4 65 ed a0 80 01 a1 6d");
      raw.payloads.length = 0;
      raw.raw(lone);
      await waitUntil("the crew sees it", () => nameOf(slot)?.startsWith("e") === true);
      await raw.until("it hears of itself", () => raw.got("profile").length >= 2);
      const bytes = Buffer.concat(raw.payloads);
      expect(bytes.includes("a465eda080", 0, "hex")).toBe(false);
      expect(bytes.includes("a465efbfbd", 0, "hex")).toBe(true);
      raw.terminate();
      await crew.undisturbed();
    });
    const nameOf = (slot: number): string | undefined =>
      [...crew.sailor.room.members.values()].find((member) => member.slot === slot)?.profile?.name;

    it("[GW32] poses of garbage: never another's seat, the room's flag or a reserved bit", async () => {
      const raw = await crew.member();
      const { slot, generation } = await raw.take("joined");
      raw.rows.length = 0;
      for (let n = 1; n <= 40; n++) {
        const word = Math.imul(n, 0x9e3779b1) >>> 0;
        raw.raw(encodePose(0, n, Uint32Array.of(word, ~word, word ^ 0x5555_5555, ~word)));
      }
      const last = Uint32Array.of(0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff);
      raw.raw(encodePose(0, 41, last));
      const mine = (): Uint32Array[] =>
        raw.rows.filter((row) => ((row[0] as number) & 0xffff) === slot);
      await raw.until("its last row came back", () => mine().at(-1)?.[1] === 0xffff_ffff);
      for (const row of mine()) {
        expect(((row[0] as number) >>> 16) & 0xff).toBe(generation);
        expect((row[0] as number) >>> 31, "away").toBe(0);
        expect((row[3] as number) >>> 31, "reserved").toBe(0);
      }
      raw.raw(encodePose(200, 1, last));
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });
  });

  describe("floods", () => {
    const flooding = closed("flooding");

    it("[PR27] 30 poses a second: not one is dropped", async () => {
      const raw = await crew.member();
      await crew.counted([limited("poses", 0), closed("flooding", 0)], async () => {
        const began = performance.now();
        let sent = 0;
        const send = (): boolean => {
          while (sent < ((performance.now() - began) / 1000) * 30)
            raw.raw(encodePose(0, sent, Uint32Array.of(0, sent++, 0, 0)));
          return sent >= 60;
        };
        await raw.until("60 are sent", send);
        await raw.serves();
      });
      expect(raw.got("error")).toEqual([]);
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW8] 500 poses at once: dropped without a word; without end: flooding", async () => {
      const raw = await crew.member();
      const before = await crew.count(limited("poses", 0));
      for (let n = 0; n < 500; n++) raw.raw(encodePose(0, n, Uint32Array.of(0, n, 0, 0)));
      await raw.serves();
      expect(raw.got("error")).toEqual([]);
      expect((await crew.count(limited("poses", 0))) - before).toBeGreaterThan(400);
      await crew.counted([flooding], async () => {
        for (let n = 0; n < 1_500; n++) raw.raw(encodePose(0, n, Uint32Array.of(0, n, 0, 0)));
        await crew.closes(raw, "flooding");
      });
      await crew.undisturbed();
    });

    it("[GW8] 60 commands at once: what is over is told so, nothing runs twice", async () => {
      const raw = await crew.member();
      const token = crew.newPerson();
      const before = await crew.count(limited("commands", 0));
      for (let seq = 1; seq <= 60; seq++) raw.command(seq, "put", { token: `${token}-${seq}` });
      const answers = (): number =>
        raw.got("reply").length + raw.got("busy").length + raw.got("error").length;
      await raw.until("all are answered", () => answers() + raw.got("expect").length >= 60);
      const told = raw.got("error");
      expect(told.length).toBeGreaterThan(10);
      expect(new Set(told.map(({ code }) => code))).toEqual(new Set(["rate_limited"]));
      expect((await crew.count(limited("commands", 0))) - before).toBe(told.length);
      const done = raw.got("reply").filter(({ status }) => status === "ok");
      expect(done.length).toBeGreaterThanOrEqual(32);
      for (const { seq } of done)
        await waitUntil("it ran once", () => crew.tokens[`${token}-${seq}`] === 1);
      const ran = Object.keys(crew.tokens).filter((key) => key.startsWith(`${token}-`));
      expect(ran.length).toBe(done.length);
      await raw.serves();
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW8] 60 signals at once: the room hears the burst and no more", async () => {
      const raw = await crew.member();
      heard.length = 0;
      for (let n = 0; n < 60; n++)
        raw.send({ type: "signal", channel: 0, name: "emote", body: { kind: `${n}` } });
      await raw.until("the rest is told so", () => raw.got("error").length >= 38);
      await raw.serves();
      const passed = 60 - raw.got("error").length;
      await waitUntil("the crew heard them", () => heard.length === passed, { dump: () => heard });
      raw.terminate();
      await crew.undisturbed();
    });

    it("[GW8] messages without end: flooding", async () => {
      const raw = await crew.member();
      await crew.counted([flooding], async () => {
        for (let n = 0; n < 400; n++) raw.ping(n);
        await crew.closes(raw, "flooding");
      });
      expect(raw.got("error").every(({ code }) => code === "rate_limited")).toBe(true);
      await crew.undisturbed();
    });

    it("[GW8] bytes without end: flooding", async () => {
      const raw = await crew.member();
      const payload = encode([6, 1, [], new Uint8Array(32_000)]);
      await crew.counted([flooding], async () => {
        for (let n = 0; n < 120; n++) raw.raw(payload);
        await crew.closes(raw, "flooding");
      });
      await crew.undisturbed();
    });

    it("[GW8] WebSocket's pings without end: flooding", async () => {
      const raw = await crew.member();
      await crew.counted([flooding], async () => {
        for (let n = 0; n < 400; n++) raw.wsPing();
        await crew.closes(raw, "flooding");
      });
      await crew.undisturbed();
    });
  });

  it("[GW47] none of it made the gateway grow by more than 64 MiB", async () => {
    await crew.undisturbed();
    console.log(`the gateway grew by ${Math.round(crew.grownKiB / 1024)} MiB`);
    expect(crew.grownKiB).toBeLessThan(64 * 1024);
    await crew.crew.rest();
    const verdict = await crew.crew.verdict([ROOM]);
    expect([verdict.lost, verdict.doubled]).toEqual([[], []]);
  });

  it("[RG4] a signal with a name out of Object: nobody hears it", async () => {
    const raw = await crew.member();
    raw.send({ type: "signal", channel: 0, name: "constructor", body: null });
    await raw.serves();
    const crashes = (): Promise<number> =>
      crew.count(["roomcluster_room_crashes_total", "", 0, owner]);
    const told = (): boolean => heard.some(({ body }) => JSON.stringify(body)?.includes("later"));
    raw.send({ type: "signal", channel: 0, name: "emote", body: { kind: "later" } });
    await waitUntil("the next one is heard, or the room crashed", async () => {
      return told() || (await crashes()) > 0;
    });
    raw.terminate();
    expect(await crashes()).toBe(0);
  });
});
