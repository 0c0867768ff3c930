import { describe, expect, it } from "vitest";
import { News } from "../../gateway/news.ts";
import { joinBytes } from "../../gateway/preframe.ts";
import { joinRecords, Profiles } from "../../gateway/replay.ts";
import { Replica } from "../../gateway/replica.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { worldName } from "../../src/kernel/ids.ts";
import { member, record, rowAt } from "../support/fake-room.ts";
import { type FakeClient, GATEWAY, GatewayRig, messagesOf } from "../support/gateway-rig.ts";

const tokenOf = (client: FakeClient): string => client.got("joined")[0]?.token as string;
const indexes = (client: FakeClient): number[] =>
  client.got("record").map(({ record }) => record.index);

/** A gateway that ann was on, records she missed, and how she comes back. */
async function resume(
  rig: GatewayRig,
  cursor: { epochShift?: number; index: number } | null,
): Promise<FakeClient> {
  const keeper = await rig.joined("keeper");
  const ann = await rig.joined("ann");
  const token = tokenOf(ann);
  ann.drop();
  for (let n = 0; n < 4; n++)
    rig.room.write(GATEWAY, {
      patches: [[0, ["n"], n]],
      events: [{ name: `e${n}`, data: n, audience: null }],
    });
  await rig.run(300);
  expect(keeper.open).toBe(true);
  const back = await rig.welcomed("ann");
  const epoch = (rig.room.epoch + (cursor?.epochShift ?? 0)) as typeof rig.room.epoch;
  back.join({ session: token, attach: 2, cursor: cursor && { epoch, index: cursor.index } });
  await rig.run(50);
  return back;
}

describe("resuming", () => {
  it("[GW42] replays what was missed from the news, once and in order, then profiles", async () => {
    const rig = new GatewayRig();
    const back = await resume(rig, { index: 4 });
    expect(back.got("joined")).toMatchObject([{ replayed: true, slot: 1, attach: 2 }]);
    expect(indexes(back)).toEqual([5, 6, 7]);
    expect(rig.room.heard("fetch")).toEqual([]);
    expect(back.got("snapshot")).toEqual([]);
    expect(back.got("profile").map(({ slot }) => slot)).toEqual([0, 1]);
    expect(back.story.slice(1, 5)).toEqual(["joined", "record", "record", "record"]);
    rig.room.write(GATEWAY, {});
    await rig.run(300);
    expect(indexes(back)).toEqual([5, 6, 7, 8]);
  });

  it("[GW42] asks the owner for records that are not kept here, as one new gateway must", async () => {
    const rig = new GatewayRig({ newsMax: 1 });
    rig.room.answersFetch = false;
    const back = await resume(rig, { index: 4 });
    expect(rig.room.heard("fetch")).toMatchObject([{ after: 4 }]);
    expect(back.got("joined")).toEqual([]);
    // More comes while the answer is on its way.
    rig.room.write(GATEWAY, {});
    await rig.run(20);
    rig.room.answersFetch = true;
    await rig.run(400);
    rig.room.write(GATEWAY, {});
    await rig.run(300);
    expect(back.got("joined")).toMatchObject([{ replayed: true }]);
    expect(indexes(back)).toEqual([5, 6, 7, 8, 9]);
  });

  it("[GW42] tells every private event in the replay to its audience only", async () => {
    const rig = new GatewayRig({ newsMax: 1 });
    const keeper = await rig.joined("keeper");
    const ann = await rig.joined("ann", "staff");
    const session = ann.got("joined")[0]?.session as string;
    const token = tokenOf(ann);
    ann.drop();
    const event = (name: string, kind: "role" | "sessions", value: string) => ({
      name,
      data: null,
      audience: { kind, values: [value] },
    });
    rig.room.write(GATEWAY, {
      events: [event("staff", "role", "staff"), event("hers", "sessions", session)],
    });
    rig.room.write(GATEWAY, { events: [event("not hers", "role", "performer")] });
    await rig.run(200);
    const back = await rig.welcomed("ann", "staff");
    back.join({ session: token, attach: 2, cursor: { epoch: rig.room.epoch, index: 3 } });
    await rig.run(50);
    const names = back.got("record").map(({ record }) => record.events.map(({ name }) => name));
    expect(names).toEqual([["staff", "hers"], []]);
    expect(keeper.got("record").flatMap(({ record }) => record.events)).toEqual([]);
  });

  it.each([
    ["absent", null],
    ["ahead", { index: 99 }],
    ["of another generation", { index: 4, epochShift: 2 ** 40 }],
  ])("[GW42] a cursor that is %s gets a snapshot", async (_what, cursor) => {
    const rig = new GatewayRig();
    const back = await resume(rig, cursor);
    expect(rig.room.heard("fetch")).toEqual([]);
    expect(back.got("joined")).toMatchObject([{ replayed: false }]);
    expect(back.got("snapshot").map(({ index }) => index)).toEqual([7]);
    expect(indexes(back)).toEqual([]);
  });

  it("[GW42] puts the owner's answer and what came meanwhile together, or not at all", () => {
    const news = new News({ itemsMax: 8, bytesMax: 10_000 });
    const epoch = epochAt(1, 1);
    for (const index of [6, 7, 8]) news.addRecord(record(index), epoch, {});
    const numbers = (fetched: number[], after: number, until: number) =>
      joinRecords(
        fetched.map((index) => record(index)),
        after,
        until,
        news,
      )?.map(({ index }) => index);
    expect(numbers([3, 4, 5, 6], 2, 8)).toEqual([3, 4, 5, 6, 7, 8]);
    expect(numbers([2, 3, 4, 5, 6, 7, 8, 9], 2, 7)).toEqual([3, 4, 5, 6, 7]);
    expect(numbers([3, 4], 2, 8)).toBeUndefined();
    expect(numbers([4, 5], 2, 8)).toBeUndefined();
    expect(numbers([], 8, 8)).toEqual([]);
  });

  it("[GW42] encodes the profiles once for all who resume, and anew when somebody changes", () => {
    const replica = new Replica();
    const members = [member(0), member(1), { ...member(2), profile: null }];
    const image = {
      world: worldName("hall"),
      tickHz: 10,
      at: 0,
      state: {},
      members,
      rows: new Uint8Array(),
    };
    replica.reset(1, image);
    const profiles = new Profiles(replica);
    const first = profiles.for(0);
    expect(first).toHaveLength(2);
    replica.applyRows(rowAt(0, 1, 1));
    replica.applyRecord(record(2));
    expect(profiles.for(0)).toBe(first);
    expect(profiles.for(1)).not.toBe(first);
    const slots = (): unknown =>
      messagesOf(joinBytes(profiles.for(0))).map((told) => "slot" in told && told.slot);
    replica.applyRecord(record(3, { left: [{ slot: 0, generation: 1 }] }));
    expect(slots()).toEqual([1]);
    replica.applyRecord(record(4, { joined: [member(7)] }));
    expect(slots()).toEqual([1, 7]);
    replica.applyProfile({ slot: 2, generation: 1 }, { name: "Zoe", color: 1, model: "m" });
    expect(slots()).toEqual([1, 2, 7]);
  });

  it("[GW42] a replay that is too large, profiles counted, gives way to a snapshot", async () => {
    const rig = new GatewayRig({ replayBytesMax: 20 });
    const back = await resume(rig, { index: 7 });
    expect(back.got("joined")).toMatchObject([{ replayed: false }]);
    expect(back.got("snapshot")).toHaveLength(1);
  });

  it("[GW42] a trimmed cursor gets a snapshot", async () => {
    const rig = new GatewayRig({ newsMax: 1 });
    rig.room.answersFetch = false;
    const back = await resume(rig, { index: 4 });
    const request = rig.room.heard("fetch")[0]?.request as number;
    rig.room.say(GATEWAY, { type: "records", request, records: null });
    await rig.run(50);
    expect(back.got("joined")).toMatchObject([{ replayed: false }]);
    expect(back.got("snapshot")).toHaveLength(1);
  });

  it("[GW42] a fetch that is never answered ends in a snapshot", async () => {
    const rig = new GatewayRig({ newsMax: 1, fetchTriesMax: 3 });
    rig.room.answersFetch = false;
    const back = await resume(rig, { index: 4 });
    await rig.run(1_500);
    expect(rig.room.heard("fetch").length).toBe(3);
    expect(back.got("joined")).toMatchObject([{ replayed: false }]);
  });

  it("[GW13] refuses a session of another room or person, and one that has expired", async () => {
    const rig = new GatewayRig();
    const ann = await rig.joined("ann");
    const token = tokenOf(ann);
    const bob = await rig.welcomed("bob");
    bob.join({ session: token, attach: 2 });
    bob.join({ channel: 1, room: "lobby", session: token, attach: 2 });
    bob.join({ channel: 2, session: "expired", attach: 2 });
    await rig.run(120);
    const codes = bob.got("refused").map(({ channel, code }) => [channel, code]);
    expect(codes.sort()).toEqual([
      [0, "wrong_room"],
      [1, "wrong_room"],
      [2, "session_expired"],
    ]);
    expect(rig.room.heard("attach")).toHaveLength(1);
  });

  it("[GW13] gives a resumed session the role that its person has now", async () => {
    const rig = new GatewayRig();
    const staff = await rig.joined("ann", "staff");
    const back = await rig.welcomed("ann", "audience");
    back.join({ session: tokenOf(staff), attach: 2 });
    await rig.run(50);
    expect(rig.room.heard("attach").map(({ role }) => role)).toEqual(["staff", "audience"]);
    const event = { name: "hush", data: 1, audience: { kind: "role", values: ["staff"] } } as const;
    rig.room.write(GATEWAY, { events: [event] });
    await rig.run(300);
    expect(back.got("record").map(({ record }) => record.events)).toEqual([[]]);
  });

  it("[GW12] opens only the rooms that a person's token lists", async () => {
    const rig = new GatewayRig();
    const client = rig.connect();
    client.hello("ann/audience/lobby,bar");
    await rig.settle();
    client.join();
    await rig.run(120);
    expect(client.got("refused")).toMatchObject([{ code: "wrong_room" }]);
    expect(rig.locates).toBe(0);
  });
});
