import { describe, expect, it } from "vitest";
import { shardRoom } from "../../src/protocol/event-names.ts";
import { Gala, STAGE, type Visitor, worldsOf } from "../support/gala.ts";

describe("an event's door", () => {
  it("[GW53] seats whoever joins the event's address, shard after shard", async () => {
    const gala = new Gala(1);
    await gala.open();
    const visitors: Visitor[] = [];
    for (const name of ["ada", "bo", "cy", "di"]) visitors.push(await gala.come(name));
    await gala.harness.run(2_000);
    for (const visitor of visitors)
      expect(visitor.got("joined"), visitor.describe()).toMatchObject([
        { world: "concert--shard", replayed: false },
      ]);
    expect([gala.sitting(0), gala.sitting(1)]).toEqual([["ada", "bo", "cy"], ["di"]]);
  });

  it("[GW53] [GW54] who finds no seat waits in line, and has it when one is free", async () => {
    const gala = new Gala(2);
    await gala.open({ capacity: 3 });
    const first = await gala.come("ada");
    await gala.come("bo", 1);
    await gala.come("cy", 1);
    await gala.harness.run(2_000);
    expect(gala.sitting(0)).toEqual(["ada", "bo", "cy"]);
    const late = await gala.come("di", 1);
    await gala.harness.run(5_000);
    expect(late.got("waiting").at(-1)).toMatchObject({ ahead: 0, total: 1 });
    expect(late.got("refused")).toEqual([]);
    first.leave();
    await gala.harness.run(3_000);
    expect(late.got("joined")).toHaveLength(1);
    expect(gala.sitting(0)).toEqual(["bo", "cy", "di"]);
  });

  it("[GW54] nobody is seated before the doors open, and nobody waits when it is over", async () => {
    const gala = new Gala(1);
    await gala.harness.run(50);
    const early = await gala.come("ada");
    await gala.harness.run(5_000);
    expect([early.count("joined"), early.count("refused")]).toEqual([0, 0]);
    await gala.open();
    await gala.harness.run(1_000);
    expect(early.count("joined")).toBe(1);
    await gala.operate("event.phase", "closed");
    const late = await gala.come("bo");
    await gala.harness.run(1_000);
    expect(late.got("refused")).toMatchObject([{ code: "room_closed" }]);
  });

  it("[GW53] what is no event seats nobody", async () => {
    const gala = new Gala(1);
    for (const address of ["event/nothing", "stage/nothing"]) {
      const visitor = await gala.join("ada", address);
      await gala.harness.run(2_000);
      expect(visitor.got("refused")).toMatchObject([{ code: "room_unknown" }]);
    }
  });

  it("[GW54] a gateway whose person has gone from the line keeps no seat for them", async () => {
    const gala = new Gala(1);
    await gala.open({ capacity: 3 });
    const gone = [await gala.come("ada"), await gala.come("bo"), await gala.come("cy")];
    for (const visitor of gone) visitor.drop();
    await gala.harness.run(5_000);
    const stayed = await gala.come("di");
    await gala.harness.run(70_000);
    expect(stayed.count("joined"), stayed.describe()).toBe(1);
  });

  it("[GW54] whose seat was let go and is taken comes anew, to another shard (seed 184)", async () => {
    const gala = new Gala(1);
    await gala.open();
    const ada = await gala.come("ada");
    for (const name of ["bo", "cy"]) await gala.come(name);
    await gala.harness.run(1_000);
    ada.leave();
    await gala.harness.run(2_000);
    await gala.come("di");
    await gala.harness.run(1_000);
    expect(gala.sitting(0)).toEqual(["bo", "cy", "di"]);
    const again = await gala.resume("ada", "event/gala", ada);
    await gala.harness.run(500);
    expect(again.got("refused"), again.describe()).toMatchObject([{ code: "session_expired" }]);
    await gala.come("ada");
    await gala.harness.run(500);
    expect(gala.sitting(1)).toEqual(["ada"]);
  });

  it("[GW55] who is kicked or banned at the stage goes from every shard, and who is banned stays out", async () => {
    const gala = new Gala(1);
    await gala.open();
    const [ada, bo, cy] = [await gala.come("ada"), await gala.come("bo"), await gala.come("cy")];
    const eve = await gala.come("eve");
    await gala.harness.run(2_000);
    await gala.operate("event.kick", "bo");
    await gala.operate("event.ban", { person: "eve", until: null, why: "rude" });
    await gala.harness.run(1_000);
    for (const visitor of [bo, eve])
      expect(visitor.got("left"), visitor.describe()).toMatchObject([{ code: "kicked" }]);
    expect([ada.count("left"), cy.count("left")]).toEqual([0, 0]);
    const again = [await gala.come("eve"), await gala.come("bo")];
    await gala.harness.run(2_000);
    expect(again.map((visitor) => visitor.count("joined"))).toEqual([0, 1]);
    expect(again[0]?.got("refused")).toMatchObject([{ code: "kicked" }]);
  });

  it("[GW55] who is kicked while their session changes sockets is gone (seed 1532)", async () => {
    const gala = new Gala(1);
    await gala.open();
    const bo = await gala.come("bo");
    await gala.harness.run(2_000);
    await gala.operate("event.kick", "bo");
    await gala.harness.run(1_000);
    const [late, anew] = [await gala.resume("bo", "event/gala", bo), await gala.come("bo")];
    await gala.harness.run(2_000);
    expect(late.got("refused"), late.describe()).toMatchObject([{ code: "kicked" }]);
    expect(anew.count("joined"), anew.describe()).toBe(1);
    const again = await gala.resume("bo", "event/gala", anew);
    await gala.harness.run(500);
    expect(again.count("joined"), "what began after the kick goes on").toBe(1);
    await gala.harness.run(10_000);
    const old = await gala.resume("bo", "event/gala", bo);
    await gala.harness.run(500);
    expect(old.got("refused"), "however late it comes").toMatchObject([{ code: "kicked" }]);
  });

  it("[GW55] who is banned is not let in to resume either, not for a moment (seed 36)", async () => {
    const gala = new Gala(1);
    await gala.open();
    const [eve, fay] = [await gala.come("eve"), await gala.join("fay", "stage/gala")];
    await gala.harness.run(1_000);
    for (const person of ["eve", "fay"])
      await gala.operate("event.ban", { person, until: null, why: "rude" });
    await gala.harness.run(500);
    expect([eve.count("left"), fay.count("left"), gala.sitting(0)]).toEqual([1, 1, []]);
    const records = gala.harness.journal(shardRoom(STAGE, 0)).length;
    const again = [
      await gala.resume("eve", "event/gala", eve),
      await gala.resume("fay", "stage/gala", fay),
    ];
    await gala.harness.run(1_000);
    for (const visitor of again) {
      expect(visitor.got("refused"), visitor.describe()).toMatchObject([{ code: "kicked" }]);
      expect(visitor.count("joined")).toBe(0);
    }
    expect(gala.harness.journal(shardRoom(STAGE, 0))).toHaveLength(records);
  });

  it("[GW65] friends sit together", async () => {
    const gala = new Gala(2, 4);
    await gala.open({ capacity: 16, shardSize: 4 });
    for (let n = 0; n < 5; n++) await gala.come(`p${n}`, n % 2);
    await gala.harness.run(1_000);
    await gala.come("ada", 0, "us");
    await gala.harness.run(500);
    await gala.come("bo", 1, "us");
    await gala.come("x", 0);
    await gala.harness.run(2_000);
    const home = [0, 1, 2, 3].find((shard) => gala.sitting(shard).includes("ada"));
    expect(home).toBeDefined();
    expect(gala.sitting(home ?? 0)).toContain("bo");
  });

  it("[GW65] [ST7] a name is no way past those who came before", async () => {
    const gala = new Gala(1, 200);
    await gala.open({ capacity: 200, shardSize: 200, admitPerS: 2 });
    const all: Visitor[] = [];
    for (let n = 0; n < 8; n++) all.push(await gala.come(`p${n}`));
    const friends = [await gala.come("ada", 0, "us"), await gala.join("bo", "gala--0")];
    const last = await gala.come("late");
    const order: string[] = [];
    const everybody = [...all, ...friends, last];
    const names = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "ada", "bo", "late"];
    for (let passed = 0; passed < 8_000; passed += 100) {
      await gala.harness.run(100);
      for (const [n, one] of everybody.entries())
        if (one.count("joined") > 0 && !order.includes(names[n] ?? "")) order.push(names[n] ?? "");
      if (passed === 3_000)
        expect(friends[1]?.got("waiting").at(-1)?.ahead, "told where they stand").toBeGreaterThan(
          1,
        );
    }
    expect(order).toEqual(names);
  });

  it("[GW53] seats go on when the stage has another owner", async () => {
    const gala = new Gala(1);
    await gala.open();
    await gala.come("ada");
    await gala.harness.run(1_000);
    const next = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(next, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(500);
    const bo = await gala.come("bo");
    await gala.harness.run(5_000);
    expect(bo.count("joined"), bo.describe()).toBe(1);
    expect(gala.sitting(0)).toEqual(["ada", "bo"]);
  });

  it("[GW66] the audience watches the stage, and its owner never hears of them", async () => {
    const gala = new Gala(1);
    await gala.open();
    const records = gala.harness.journal(STAGE).length;
    const ada = await gala.join("ada", "stage/gala");
    await gala.harness.run(500);
    expect(ada.got("joined"), ada.describe()).toMatchObject([{ world: "concert", slot: 0xffff }]);
    expect(ada.got("snapshot")).toMatchObject([{ state: { event: { phase: "doors_open" } } }]);
    expect(gala.harness.journal(STAGE)).toHaveLength(records);
    await gala.operate("event.announce", "in five minutes");
    await gala.harness.run(200);
    const announced = ada.got("record").flatMap(({ record }) => record.patches);
    expect(JSON.stringify(announced)).toContain("in five minutes");
    ada.command(1, "event.announce", "hi");
    await gala.harness.run(200);
    expect(ada.got("reply")).toMatchObject([{ seq: 1, status: "forbidden" }]);
    await gala.operate("event.ban", { person: "ada", until: null, why: "rude" });
    await gala.harness.run(500);
    expect(ada.got("left")).toMatchObject([{ code: "kicked" }]);
    const again = await gala.join("ada", "stage/gala");
    await gala.harness.run(500);
    expect(again.got("refused")).toMatchObject([{ code: "kicked" }]);
  });

  it("[GW66] who watches goes on when the stage has another owner", async () => {
    const gala = new Gala(1);
    await gala.open();
    const ada = await gala.join("ada", "stage/gala");
    await gala.harness.run(500);
    const next = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(next, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(3_000);
    gala.node = next;
    await gala.operate("event.announce", "still here");
    await gala.harness.run(1_000);
    expect(ada.count("epoch"), ada.describe()).toBeGreaterThan(0);
    expect(JSON.stringify(ada.got("record"))).toContain("still here");
    expect(ada.count("left")).toBe(0);
  });

  it("[GW63] claps are counted where they are made, and all hear how many there were", async () => {
    const gala = new Gala(2);
    await gala.open();
    const [ada, bo] = [
      await gala.join("ada", "stage/gala"),
      await gala.join("bo", "stage/gala", 1),
    ];
    const cy = await gala.come("cy", 1);
    await gala.harness.run(1_500);
    for (const visitor of [ada, bo, cy])
      for (let n = 0; n < 4; n++)
        visitor.send({ type: "signal", channel: 0, name: "clap", body: null });
    ada.send({ type: "signal", channel: 0, name: "cough", body: null });
    await gala.harness.run(2_500);
    for (const visitor of [ada, bo])
      expect(visitor.got("crowd").at(-1), visitor.describe()).toMatchObject({
        ...{ reactions: [12], seated: 1, waiting: 0 },
      });
    expect(ada.got("crowd").at(-1)?.energy).toBeGreaterThan(0);
    expect(ada.count("signal")).toBe(0);
  });

  it("[GW55] who is muted at the stage is not heard in any shard until that is over", async () => {
    const gala = new Gala(1);
    await gala.open();
    const [ada, eve] = [await gala.come("ada"), await gala.come("eve")];
    await gala.harness.run(1_000);
    const until = gala.harness.clock.wallNow() + 4_000;
    await gala.operate("event.mute", { person: "eve", until, why: "loud" });
    await gala.harness.run(500);
    ada.command(1, "say", "hello");
    eve.command(1, "say", "HELLO");
    eve.send({ type: "signal", channel: 0, name: "wave", body: null });
    await gala.harness.run(500);
    expect(ada.got("reply")).toMatchObject([{ seq: 1, status: "ok" }]);
    expect(eve.got("reply")).toMatchObject([{ seq: 1, status: "muted" }]);
    expect(ada.count("signal")).toBe(0);
    await gala.harness.run(5_000);
    eve.command(2, "say", "hello");
    eve.send({ type: "signal", channel: 0, name: "wave", body: null });
    await gala.harness.run(500);
    expect(eve.got("reply").at(-1)).toMatchObject({ seq: 2, status: "ok" });
    expect(ada.count("signal")).toBe(1);
  });

  it("[GW55] who is muted is not heard right after they came, either (seed 12)", async () => {
    const gala = new Gala(1);
    await gala.open();
    await gala.come("ada");
    await gala.operate("event.mute", { person: "eve", until: null, why: "loud" });
    await gala.harness.run(500);
    const eve = await gala.come("eve");
    await gala.harness.run(20);
    expect(eve.count("joined")).toBe(1);
    eve.command(1, "say", "HELLO");
    await gala.harness.run(200);
    expect(eve.got("reply")).toMatchObject([{ seq: 1, status: "muted" }]);
  });

  it("[GW64] the stage rides the frames of a shard, in one write, until there are none", async () => {
    const gala = new Gala(1);
    await gala.open();
    const ada = await gala.come("ada");
    ada.join("stage/gala", null, 1);
    await gala.harness.run(1_500);
    ada.writes.length = 0;
    await gala.harness.run(2_000);
    const both = ada.writes.filter((frames) => frames.includes(0) && frames.includes(1));
    // The shard ticks 10 times a second, the stage 20 times.
    expect(both.length, JSON.stringify(ada.writes)).toBeGreaterThanOrEqual(17);
    expect(ada.writes.length).toBeLessThanOrEqual(23);
    expect(ada.ticks.filter((tick, at) => tick <= (ada.ticks[at - 1] ?? 0))).toEqual([]);
    await gala.operate("event.announce", "hello");
    await gala.harness.run(300);
    expect(JSON.stringify(ada.got("record"))).toContain("hello");
    // Without a frame of the shard the stage writes by itself.
    ada.send({ type: "leave", channel: 0, transfer: null });
    await gala.harness.run(500);
    ada.writes.length = 0;
    await gala.harness.run(1_000);
    expect(ada.writes.filter((frames) => frames.includes(1)).length).toBeGreaterThanOrEqual(17);
  });

  it("[GW64] the stage rides the frames of a shard that ticks once a second, and writes none", async () => {
    const gala = new Gala(1, 3, {}, 1);
    await gala.open();
    const ada = await gala.come("ada");
    // Most of a second before the shard's next frame, as is the other owner below.
    await gala.harness.run(2_200);
    ada.join("stage/gala", null, 1);
    await gala.harness.run(100);
    expect(ada.got("snapshot"), ada.describe()).toHaveLength(2);
    await gala.harness.run(2_900);
    expect(ada.ticks.length, "nor right after they came").toBeLessThanOrEqual(4);
    ada.writes.length = 0;
    for (let second = 0; second < 10; second += 2) {
      ada.send({ type: "ping", clientTime: second, echoes: [] });
      await gala.harness.run(2_000);
    }
    expect(ada.writes.length, JSON.stringify(ada.writes)).toBeLessThanOrEqual(11);
    expect(ada.writes.filter((frames) => frames.includes(1)).length).toBeGreaterThanOrEqual(9);
    const next = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(next, worldsOf(3)[0], gala.epoch, STAGE);
    ada.ticks.length = 0;
    await gala.harness.run(3_000);
    expect(ada.count("epoch"), "another owner").toBeGreaterThan(0);
    expect(ada.ticks.length, JSON.stringify(ada.ticks)).toBeGreaterThanOrEqual(3);
    expect(ada.ticks.length, JSON.stringify(ada.ticks)).toBeLessThanOrEqual(5);
  });

  it("[GW64] the stage writes nobody by itself who comes while their shard ticks rarely", async () => {
    const gala = new Gala(1, 20, {}, 0.1);
    await gala.open({ capacity: 20, shardSize: 20 });
    const visitors: Visitor[] = [];
    for (let n = 0; n < 20; n++) {
      const visitor = await gala.come(`visitor-${n}`);
      visitor.join("stage/gala", null, 1);
      visitors.push(visitor);
      await gala.harness.run(700);
      for (const here of visitors) here.send({ type: "ping", clientTime: n, echoes: [] });
    }
    const alone = visitors.map(({ ticks, writes }) => {
      const rode = writes.filter((frames) => frames.includes(0) && frames.includes(1)).length;
      return ticks.length - rode;
    });
    expect(Math.max(...alone), JSON.stringify(alone)).toBeLessThanOrEqual(3);
  });

  it("[GW64] whose shard is gone is shown the stage by itself as often as before", async () => {
    const gala = new Gala(1, 3, {}, 1);
    await gala.open();
    const ada = await gala.come("ada");
    ada.join("stage/gala", null, 1);
    await gala.harness.run(4_000);
    // The stage is at home elsewhere; the shard's node is gone, and nobody takes it over.
    const next = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(next, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(2_000);
    gala.node.end();
    await gala.harness.run(2_000);
    ada.ticks.length = 0;
    for (let n = 0; n < 10; n += 2) {
      ada.send({ type: "ping", clientTime: n, echoes: [] });
      await gala.harness.run(2_000);
    }
    expect(ada.ticks.length, JSON.stringify(ada.ticks)).toBeGreaterThanOrEqual(8);
    expect(ada.ticks.length, JSON.stringify(ada.ticks)).toBeLessThanOrEqual(12);
  });

  it("[GW64] whose shard goes on hears by its frames that the stage is silent, and who owns it next", async () => {
    const gala = new Gala(1, 3, {}, 1);
    await gala.open();
    const ada = await gala.come("ada");
    ada.join("stage/gala", null, 1);
    const first = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(first, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(4_000);
    ada.writes.length = 0;
    ada.apart.length = 0;
    ada.ticks.length = 0;
    first.end();
    await gala.harness.run(5_000);
    ada.send({ type: "ping", clientTime: 1, echoes: [] });
    expect(ada.count("suspended"), ada.describe()).toBeGreaterThanOrEqual(1);
    gala.harness.propose(gala.node, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(4_000);
    expect(ada.got("epoch").length, ada.describe()).toBeGreaterThanOrEqual(1);
    expect(ada.ticks.length, "of the next owner").toBeGreaterThanOrEqual(2);
    const alone = ada.writes.filter((frames) => frames.includes(1) && !frames.includes(0));
    expect(alone, JSON.stringify(ada.writes)).toEqual([]);
    const said = ada.apart.filter(({ type }) => type === "epoch" || type === "suspended");
    expect(said, "nothing was written for the stage alone").toEqual([]);
  });

  it("[GW64] who rides is not written to because the stage is late for a moment", async () => {
    const gala = new Gala(1, 3, {}, 1);
    await gala.open();
    const ada = await gala.come("ada");
    ada.join("stage/gala", null, 1);
    const next = gala.harness.node("node-b", worldsOf(3));
    gala.harness.propose(next, worldsOf(3)[0], gala.epoch, STAGE);
    await gala.harness.run(4_000);
    const link = gala.harness.data.faults.link("node-b", "gw");
    ada.apart.length = 0;
    // Once a second there is news of the crowd; somewhere in between it is late.
    for (let n = 0; n < 20; n++) {
      link.cut = true;
      await gala.harness.run(400);
      link.cut = false;
      await gala.harness.run(650);
      ada.send({ type: "ping", clientTime: n, echoes: [] });
    }
    expect(ada.count("crowd"), ada.describe()).toBeGreaterThan(10);
    expect(ada.apart.filter(({ type }) => type === "crowd")).toEqual([]);
  });

  it("[GW41] a shard that ticks rarely is not taken for silent", async () => {
    const gala = new Gala(1, 3, {}, 0.1);
    await gala.open();
    const ada = await gala.come("ada");
    for (let passed = 0; passed < 40_000; passed += 4_000) {
      ada.send({ type: "ping", clientTime: passed, echoes: [] });
      await gala.harness.run(4_000);
    }
    expect(ada.count("joined"), ada.describe()).toBe(1);
    expect([ada.count("suspended"), ada.count("epoch")]).toEqual([0, 0]);
    gala.node.end();
    for (let passed = 0; passed < 20_000; passed += 4_000) {
      ada.send({ type: "ping", clientTime: passed, echoes: [] });
      await gala.harness.run(4_000);
    }
    expect(ada.count("suspended"), ada.describe()).toBeGreaterThan(0);
  });

  it("[GW54] who has gone from the line takes up no place in it", async () => {
    const gala = new Gala(1, 3, { waitingMax: 3 });
    for (let n = 0; n < 3; n++) {
      const gone = await gala.come(`gone-${n}`);
      await gala.harness.run(5);
      if (n > 0) gone.drop();
    }
    const refused = await gala.come("ada");
    await gala.harness.run(100);
    expect(refused.got("refused")).toMatchObject([{ code: "no_capacity" }]);
    await gala.harness.run(3_000);
    const waits = await gala.come("bo");
    await gala.harness.run(3_000);
    expect(waits.count("refused")).toBe(0);
    // The first one has stayed.
    expect(waits.got("waiting").at(-1)).toMatchObject({ ahead: 1, total: 2 });
  });

  it("[GW25] [GW53] names of events that nobody has keep no room out", async () => {
    const gala = new Gala(1);
    await gala.open();
    for (let n = 0; n < 3; n++) await gala.join("ada", `event/nothing-${n}`);
    await gala.harness.run(500);
    // The stage that is there is held only while somebody is at its door.
    expect(gala.gateways[0]?.stats().rooms).toBe(0);
  });
});
