import { describe, expect, it } from "vitest";
import { Gala } from "../support/gala.ts";

describe("what somebody asks for at an event's door", () => {
  it("[EV1] [GW71] a shard is no event, so nobody takes its people over by a name", async () => {
    const gala = new Gala(1);
    await gala.open();
    const eve = await gala.come("eve");
    await gala.operate("event.mute", { person: "eve", until: null, why: "loud" });
    await gala.harness.run(1_000);
    expect(gala.sitting(0)).toEqual(["eve"]);
    for (const [person, room] of [
      ["mallory", "gala--0--0"],
      ["mallory performer", "gala--0--0"],
      ["mallory", "event/gala--0"],
      ["mallory", "stage/gala--0"],
      ["mallory staff", "stage/gala--0"],
    ] as const) {
      const visitor = await gala.join(person, room);
      await gala.harness.run(1_000);
      expect(visitor.got("refused"), `${person}: ${room}`).toMatchObject([
        { code: "room_unknown" },
      ]);
    }
    eve.command(1, "say", "HELLO");
    await gala.harness.run(500);
    expect(eve.got("reply")).toMatchObject([{ seq: 1, status: "muted" }]);
  });

  it("[GW71] a token that opens the event opens its shards, to staff as well", async () => {
    const gala = new Gala(1);
    await gala.open();
    await gala.come("ada");
    await gala.harness.run(1_000);
    const staff = await gala.join("sam staff event/gala", "gala--0");
    const seat = await gala.join("bo audience event/gala", "gala--0");
    const other = await gala.join("cy staff event/other", "gala--0");
    await gala.harness.run(1_000);
    for (const one of [staff, seat])
      expect(one.got("joined"), one.describe()).toMatchObject([{ room: "gala--0" }]);
    expect(other.got("refused")).toMatchObject([{ code: "wrong_room" }]);
  });

  it("[GW53] nobody sits in a shard at a gateway that has no place for the event's door", async () => {
    const gala = new Gala(1, 3, { roomsMax: 2 });
    await gala.open();
    const ada = await gala.come("ada");
    await gala.harness.run(1_000);
    expect(ada.count("joined")).toBe(1);
    const small = new Gala(1, 3, { roomsMax: 1 });
    await small.open();
    const again = await small.resume("ada", "event/gala", ada);
    await small.harness.run(500);
    expect(again.got("refused"), again.describe()).toMatchObject([{ code: "no_capacity" }]);
  });
});
