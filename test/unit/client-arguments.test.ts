import { expect, test } from "vitest";
import { type ConnectOptions, connect } from "../../src/client/client.ts";
import type { JoinOptions } from "../../src/client/room-options.ts";
import type { Profile } from "../../src/protocol/client-messages.ts";
import type { Pose } from "../../src/protocol/pose-row.ts";
import { at, connected, inRoom, PROFILE } from "../support/fake-gateway.ts";

const looks: readonly [string, Partial<Record<keyof Profile, unknown>>][] = [
  ["profile.name", { name: "n".repeat(49) }],
  ["profile.name", { name: undefined }],
  ["profile.model", { model: "m".repeat(33) }],
  ["profile.color", { color: -1 }],
  ["profile.color", { color: 2 ** 32 }],
  ["profile.color", { color: 0.5 }],
  ["profile.color", { color: "#fff" }],
];

const joins: readonly [string, unknown, unknown][] = [
  ["room", "r".repeat(65), { profile: PROFILE }],
  ["room", undefined, { profile: PROFILE }],
  ["options", "plaza", undefined],
  ["profile", "plaza", {}],
  ["profile", "plaza", { profile: null }],
  ["beside", "plaza", { profile: PROFILE, beside: "b".repeat(65) }],
  ["poseHz", "plaza", { profile: PROFILE, poseHz: 0 }],
  ["poseHz", "plaza", { profile: PROFILE, poseHz: Number.NaN }],
  ["resume.token", "plaza", { profile: PROFILE, resume: {} }],
  ["resume", "plaza", { profile: PROFILE, resume: { token: "t" } }],
  ...looks.map(([what, wrong]): [string, unknown, unknown] => [
    what,
    "plaza",
    { profile: { ...PROFILE, ...wrong } },
  ]),
];

test.each(
  joins,
)("[CL54] a join with a wrong %s is refused, and sent by nobody", async (what, room, options) => {
  const { client, gateways } = await connected();
  const joining = client.join(room as string, options as JoinOptions);
  await expect(joining).rejects.toThrow(TypeError);
  await expect(joining).rejects.toThrow(what);
  expect(gateways.last.all("join")).toEqual([]);
  expect(client.state).toBe("open");
});

test("[CL54] what is wrong in a room throws where it is said, and the room goes on", async () => {
  const { room, client, gateways } = await inRoom();
  for (const [what, wrong] of looks)
    expect(() => room.setProfile({ ...PROFILE, ...wrong } as Profile), what).toThrow(what);
  expect(() => room.signal("s".repeat(33))).toThrow("signal");
  await expect(room.command("c".repeat(65))).rejects.toThrow("command");
  await expect(room.travel("r".repeat(65), { profile: PROFILE })).rejects.toThrow("room");
  for (const wrong of [{ x: Number.NaN }, { yaw: Infinity }, { reach: [0, 0] }, { animation: 0.5 }])
    expect(() => room.setPose({ ...at(1), ...wrong } as Pose), JSON.stringify(wrong)).toThrow(
      "pose",
    );
  expect(() => room.setPose({ x: 1 } as Pose)).toThrow("pose");
  room.setPose(at(1));
  for (const type of ["profile", "signal", "command"] as const)
    expect(gateways.last.all(type)).toEqual([]);
  expect(client.state).toBe("open");
});

test.each([
  ["urls", { urls: [] }],
  ["urls", { urls: "ws://a" }],
  ["http://a", { urls: ["ws://a", "http://a"] }],
  ["no address", { urls: ["no address"] }],
  ["token", { token: undefined }],
  ["token", { token: "t".repeat(8_193) }],
  ["agent", { agent: undefined }],
  ["agent", { agent: "a".repeat(129) }],
])("[CL54] connect with a wrong %s is refused at once", async (what, wrong) => {
  const options = { urls: ["ws://a"], token: "t", agent: "test", ...wrong };
  const connecting = connect(options as ConnectOptions);
  await expect(connecting).rejects.toThrow(TypeError);
  await expect(connecting).rejects.toThrow(what);
});
