import { describe, expect, it } from "vitest";
import { REGROUPING_LIMITS, Regrouping } from "../../actors/event/regrouping.ts";
import { Gala, type Visitor } from "../support/gala.ts";

const SIZE = 100;
const { calmMs, emptyMsMax, movesPerS } = REGROUPING_LIMITS;

/** One gateway, which has everybody, and an owner that hears of it every second. */
class Hall {
  readonly regrouping = new Regrouping({ ...REGROUPING_LIMITS, shardSize: SIZE }, 0);
  readonly seated: number[];
  now = 0;

  constructor(...seated: number[]) {
    this.seated = seated;
  }

  /** For so long; whoever is asked goes, unless `stubborn`. */
  run(ms: number, { growing = false, stubborn = false } = {}) {
    const asked: { from: number; to: number; seats: number; now: number }[] = [];
    for (const end = this.now + ms; this.now < end; this.now += 1_000) {
      const held = this.seated.map((seated, shard) => {
        return { shard, seated, held: 0, members: seated };
      });
      const elsewhere = (): number => this.seated.push(0) - 1;
      const known = { held, seated: [...this.seated], taken: [...this.seated] };
      if (growing) this.regrouping.grow(this.now);
      const moves = this.regrouping.moves({ ...known, elsewhere, now: this.now });
      for (const move of moves) {
        asked.push({ ...move, now: this.now });
        if (stubborn) continue;
        this.seated[move.from] = (this.seated[move.from] ?? 0) - move.seats;
        this.seated[move.to] = (this.seated[move.to] ?? 0) + move.seats;
      }
    }
    return asked;
  }
}

describe("regrouping", () => {
  it("[ST8] a crowd that has thinned moves together, one shard at a time, and not into the last seats", () => {
    const hall = new Hall(40, 50, 5, 30);
    expect(hall.run(calmMs), "somebody may still come").toEqual([]);
    const [first] = hall.run(2_000);
    expect(first).toMatchObject({ from: 2, to: 1, seats: 5 });
    hall.run(120_000);
    expect(hall.seated).toEqual([50, 75, 0, 0]);
    expect(hall.run(60_000), "the rest fits nowhere with seats to spare").toEqual([]);
  });

  it("[ST8] nobody is asked while people come, and no more than 20 a second", () => {
    const hall = new Hall(30, 40);
    expect(hall.run(120_000, { growing: true })).toEqual([]);
    const asked = hall.run(120_000);
    expect(asked.reduce((sum, { seats }) => sum + seats, 0)).toBe(30);
    for (const { seats } of asked) expect(seats).toBeLessThanOrEqual(movesPerS);
    expect(new Hall(60, 60).run(120_000), "more than half full").toEqual([]);
    expect(new Hall(9).run(120_000), "there is no other").toEqual([]);
  });

  it("[ST8] a shard whose people stay is given up, and tried again later", () => {
    const hall = new Hall(40, 5);
    const asked = hall.run(calmMs + emptyMsMax + 60_000, { stubborn: true });
    const times = asked.map(({ now }) => now);
    const pause = times.findIndex((at, n) => at - (times[n - 1] ?? at) > 5_000);
    expect(pause).toBeGreaterThan(0);
    expect((times[pause] ?? 0) - (times[pause - 1] ?? 0)).toBeGreaterThanOrEqual(calmMs);
  });

  it("[ST8] who was asked and has not gone yet is not asked for again, and no shard opened", () => {
    const asked = new Hall(130).run(3_000, { stubborn: true });
    expect(asked.reduce((sum, { seats }) => sum + seats, 0)).toBe(30);
    const slow = new Hall(130);
    const late = slow.run(6_000, { stubborn: true });
    expect(
      late.reduce((sum, { seats }) => sum + seats, 0),
      "again after 3 s",
    ).toBe(60);
    const idle = new Hall(130);
    idle.run(1_000);
    expect(idle.seated, "there was no allowance yet").toEqual([130]);
    const full = new Hall(70, 70, 10);
    full.run(calmMs);
    const into = full.run(3_000, { stubborn: true }).map(({ seats, to }) => [to, seats]);
    expect(into, "75 of 100 may be filled").toEqual([
      [0, 5],
      [1, 5],
    ]);
  });

  it("[ST8] those whom a shard has too many of go to others, whether people come or not", () => {
    const hall = new Hall(130, 20);
    hall.run(10_000, { growing: true });
    expect(hall.seated[0]).toBe(100);
    expect(hall.seated.reduce((sum, one) => sum + one, 0)).toBe(150);
  });
});

describe("an event's door", () => {
  it("[GW71] [ST7] a shard by its name is a seat that the door gives, or none", async () => {
    const gala = new Gala(2);
    await gala.open({ capacity: 6 });
    for (const name of ["ada", "bo"]) await gala.come(name);
    await gala.operate("event.ban", { person: "eve", until: null, why: "rude" });
    await gala.harness.run(1_000);
    const cy = await gala.join("cy", "gala--0", 1);
    await gala.harness.run(1_500);
    expect(cy.got("joined"), cy.describe()).toMatchObject([{ room: "gala--0" }]);
    const late = await gala.join("di", "gala--0", 1);
    const eve = await gala.join("eve", "gala--0");
    const far = await gala.join("guy", "gala--7");
    await gala.harness.run(1_500);
    expect(late.got("refused")).toMatchObject([{ code: "room_full" }]);
    expect(eve.got("refused")).toMatchObject([{ code: "kicked" }]);
    expect(far.got("refused"), "there is no such shard").toMatchObject([{ code: "room_full" }]);
    expect(gala.sitting(0)).toEqual(["ada", "bo", "cy"]);
  });

  it("[GW65] asks for many friends at once", async () => {
    const gala = new Gala(1, 50);
    await gala.open({ capacity: 100, shardSize: 50 });
    const friends: Visitor[] = [];
    for (let n = 0; n < 20; n++) friends.push(await gala.come(`f${n}`, 0, "us"));
    await gala.harness.run(600);
    expect(friends.map((one) => one.count("joined"))).toEqual(friends.map(() => 1));
    expect(gala.sitting(0)).toHaveLength(20);
  });

  it("[GW73] [ST9] says which gateway serves the shard of somebody's friends, once", async () => {
    const gala = new Gala(2);
    await gala.open({ capacity: 9 });
    const ada = await gala.come("ada", 0, "us");
    await gala.harness.run(1_000);
    const bo = await gala.come("bo", 1, "us");
    await gala.harness.run(2_000);
    expect(ada.got("servedAt"), "it came by that one").toEqual([]);
    expect(bo.got("servedAt"), bo.describe()).toMatchObject([{ url: gala.urlOf(0) }]);
    expect(gala.sitting(0)).toEqual(["ada", "bo"]);
  });

  it("[GW72] [ST8] asks people over when the crowd has thinned", async () => {
    const gala = new Gala(1, 8);
    await gala.open({ capacity: 16, shardSize: 8 });
    const all: Visitor[] = [];
    for (let n = 0; n < 10; n++) all.push(await gala.come(`p${n}`));
    await gala.harness.run(2_000);
    expect([gala.sitting(0).length, gala.sitting(1).length]).toEqual([8, 2]);
    for (const visitor of all.slice(0, 5)) visitor.leave();
    for (let passed = 0; passed < 40_000; passed += 4_000) {
      for (const visitor of all) visitor.send({ type: "ping", clientTime: passed, echoes: [] });
      await gala.harness.run(4_000);
    }
    const asked = all.filter((visitor) => visitor.count("moveTo") > 0);
    expect(asked.map((visitor) => visitor.got("moveTo")[0]?.room)).toEqual(["gala--0", "gala--0"]);
  });
});
