import { describe, expect, test } from "vitest";
import type { World } from "../../actors/room/define-room.ts";
import { type ConcertState, concert } from "../../actors/worlds/concert.ts";
import { personId } from "../../src/kernel/ids.ts";
import type { Role } from "../../src/protocol/client-messages.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import { ROOM_IMAGE, type RoomImage } from "../../src/protocol/room-messages.ts";
import { type Served, serve, takeOver } from "../support/counter-world.ts";
import { PROFILE, Speaker } from "../support/room-harness.ts";

const [stage, shard] = concert;

let sockets = 0;

/** Somebody who came in, and what they are told. */
async function comes({ gateway, harness }: Served, name: string, role: Role) {
  const connection = `${gateway.id}#${++sockets}`;
  const speaker = new Speaker(gateway, name, 1, connection);
  const { session } = speaker;
  const who = { person: personId(name), role, profile: PROFILE, resumed: false, row: null };
  gateway.send({ type: "attach", session, attach: 1, connection, ...who });
  await harness.run(60);
  let seq = 0;
  return async (command: string, body: unknown = null) => {
    speaker.command(++seq, command, body);
    await harness.run(60);
    const reply = speaker.replies().at(-1);
    return [reply?.status, reply?.data];
  };
}

/** What a gateway that begins to watch is sent. */
async function stateOf<S>({ gateway, harness }: Served): Promise<S> {
  gateway.received.length = 0;
  gateway.send({ type: "watch", index: 0 });
  await harness.run(200);
  const value = decode(gateway.of("snapshot")[0]?.data ?? new Uint8Array());
  const image = value.ok ? (ROOM_IMAGE(value.value) as RoomImage) : undefined;
  return image?.state as S;
}

describe("the demo's event", () => {
  test("runs by its cues, in show time, and who comes late finds what runs", async () => {
    const served = await serve(stage as World);
    const { gateway, harness } = served;
    const play = await comes(served, "ada", "performer");
    const watch = await comes(served, "fan", "audience");
    expect(await play("set", { name: "First" })).toEqual(["not_started", null]);
    expect(await watch("start")).toEqual(["not_on_stage", null]);
    expect((await play("start"))[0]).toBe("ok");
    expect(await play("start")).toEqual(["started", null]);
    expect(await watch("set", { name: "Mine" })).toEqual(["not_on_stage", null]);
    await harness.run(10_000);
    gateway.send({ type: "watch", index: 0 });
    await harness.run(60);
    gateway.received.length = 0;
    const [, cue] = await play("sound", { channel: "band", track: "intro", inMs: 500 });
    const at = (cue as { at: number }).at;
    expect(at).toBeGreaterThan(10_500);
    expect(at).toBeLessThan(12_000);
    await play("light", { light: "spot", color: 0xff0000, level: 0.5 });
    await play("set", { name: "Second" });
    const told = gateway.of("record").flatMap(({ record }) => record.events);
    expect(told.map(({ name, data }) => [name, (data as { kind: string }).kind])).toEqual([
      ...[["cue", "sound"] as const, ["cue", "light"] as const, ["cue", "set"] as const],
    ]);
    expect(told[0]?.data).toEqual({
      ...{ kind: "sound", n: 1, at, channel: "band", track: "intro", fromMs: 0 },
    });
    const before = await stateOf<ConcertState>(served);
    expect(before).toMatchObject({
      ...{ cues: 3, set: { n: 3, name: "Second" }, lights: { spot: { n: 2, level: 0.5 } } },
      sounds: { band: { n: 1, at, track: "intro", fromMs: 0 } },
    });
    await takeOver(served, stage as World);
    expect(await stateOf<ConcertState>(served)).toEqual(before);
  });

  test("has so many lights and sounds, and one that ends makes room", async () => {
    const served = await serve(stage as World);
    const play = await comes(served, "ada", "staff");
    await play("start");
    const sound = (channel: string, track: string | null) => play("sound", { channel, track });
    for (let i = 0; i < 8; i++) expect((await sound(`c${i}`, "hum"))[0]).toBe("ok");
    expect(await sound("more", "hum")).toEqual(["too_many", null]);
    expect((await sound("c3", "other"))[0]).toBe("ok");
    expect((await sound("c3", null))[0]).toBe("ok");
    expect((await sound("more", "hum"))[0]).toBe("ok");
    const { cues, sounds } = await stateOf<ConcertState>(served);
    expect([cues, Object.keys(sounds).length]).toEqual([11, 8]);
  });

  test("the audience talks where it sits", async () => {
    const served = await serve(shard as World);
    const talk = await comes(served, "fan", "audience");
    for (let n = 1; n <= 102; n++)
      expect(await talk("say", { text: ` line ${n} ` })).toEqual(["ok", { n }]);
    const { chat } = await stateOf<{ chat: Record<string, { text: string }> }>(served);
    expect(Object.keys(chat)).toHaveLength(100);
    expect([chat[2], chat[3]?.text]).toEqual([undefined, "line 3"]);
  });
});
