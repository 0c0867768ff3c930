import { describe, expect, it } from "vitest";
import { Easing } from "../../actors/event/easing.ts";
import { addSlow } from "../../actors/event/event-state.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { FramePace } from "../../gateway/frame-pace.ts";
import { Interest } from "../../gateway/interest.ts";
import { Replica } from "../../gateway/replica.ts";
import { processId } from "../../src/kernel/ids.ts";
import { easeAt, LADDER, type Step } from "../../src/protocol/event-ladder.ts";
import { Gala, type Visitor } from "../support/gala.ts";

const GATEWAYS = Array.from({ length: 8 }, (_, n) => processId(`gw-${n}.0123456789abcdef`));

/** Seconds at each of which every gateway reports; how many of the eight are behind. */
class Show {
  readonly easing = new Easing();
  step: Step = "whole";
  #now = 0;

  run(seconds: number, behind: number): this {
    for (let second = 0; second < seconds; second++) {
      this.#now += 1_000;
      for (const [at, gateway] of GATEWAYS.entries())
        this.easing.hear(gateway, at < behind ? 1.5 : 1);
      const next = this.easing.due(this.step, this.#now);
      if (next === undefined) continue;
      this.easing.took(LADDER.indexOf(next) > LADDER.indexOf(this.step), this.#now);
      this.step = next;
    }
    return this;
  }
}

const says = async (gala: Gala, who: Visitor, seq: number): Promise<unknown> => {
  who.command(seq, "say", "hello");
  await gala.harness.run(300);
  return who.got("reply").at(-1);
};

describe("an event's ladder", () => {
  it("[EV8] has steps that hold with all before them", () => {
    expect(LADDER.map(easeAt)).toEqual([
      { crowdMs: 900, frameStretch: 1, frameShare: 1, ghosts: false, slowMs: 0 },
      { crowdMs: 4_900, frameStretch: 1, frameShare: 1, ghosts: false, slowMs: 0 },
      { crowdMs: 4_900, frameStretch: 4, frameShare: 1, ghosts: false, slowMs: 0 },
      { crowdMs: 4_900, frameStretch: 4, frameShare: 0.5, ghosts: false, slowMs: 0 },
      { crowdMs: 4_900, frameStretch: 4, frameShare: 0.5, ghosts: true, slowMs: 0 },
      { crowdMs: 4_900, frameStretch: 4, frameShare: 0.5, ghosts: true, slowMs: 10_000 },
    ]);
  });

  it("[EV8] goes up while a quarter of the gateways are behind, down when none is, step by step", () => {
    const show = new Show();
    expect(show.run(60, 1).step).toBe("whole");
    expect(show.run(4, 2).step).toBe("whole");
    expect(show.run(3, 2).step).toBe("crowd_rate");
    expect(show.run(9, 2).step).toBe("crowd_rate");
    expect(show.run(3, 2).step).toBe("pose_rate");
    expect(show.run(70, 2).step).toBe("slow_mode");
    expect(show.run(120, 1).step).toBe("slow_mode");
    expect(show.run(32, 0).step).toBe("ghost_seats");
    expect(show.run(400, 0).step).toBe("whole");
  });

  it("[EV8] a step down that is taken back makes it wait longer for the next", () => {
    const show = new Show().run(7, 8);
    expect(show.step).toBe("crowd_rate");
    expect(show.run(32, 0).step).toBe("whole");
    expect(show.run(7, 8).step).toBe("crowd_rate");
    expect(show.run(50, 0).step).toBe("crowd_rate");
    expect(show.run(15, 0).step).toBe("whole");
  });

  it("[EV8] a gateway that reports no more counts no more", () => {
    const easing = new Easing();
    for (const gateway of GATEWAYS) easing.hear(gateway, 4);
    expect(easing.due("whole", 0)).toBeUndefined();
    for (const gateway of GATEWAYS) easing.forget(gateway);
    expect(easing.due("whole", 10_000)).toBeUndefined();
  });

  it("[GW69] frames of a shard are further apart, and a second at most", () => {
    const made = (tickMs: number): number => {
      const pace = new FramePace(0, 500);
      pace.eased = easeAt("pose_rate").frameStretch;
      let frames = 0;
      for (let n = 0; n < 100; n++)
        if (pace.tick([], 1_000_000 + n * tickMs, { tickMs, stretch: 1 })) frames++;
      return frames;
    };
    expect([made(100), made(500), made(2_000)]).toEqual([25, 50, 100]);
  });

  it("[GW69] frames have half as many bytes", () => {
    const replica = new Replica();
    const interest = new Interest(replica, GATEWAY_DEFAULTS);
    interest.begin([], []);
    const whole = interest.rowsMax;
    interest.frameShare = easeAt("visible_avatars").frameShare;
    interest.begin([], []);
    expect(interest.rowsMax / whole).toBeCloseTo(0.5, 1);
  });

  it("[EV8] [GW69] is an operator's word, at every gateway within a sweep, and lasts", async () => {
    const gala = new Gala(1);
    await gala.open();
    const ada = await gala.come("ada");
    await gala.harness.run(2_000);
    const stay = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 2) {
        ada.send({ type: "ping", clientTime: second, echoes: [] });
        await gala.harness.run(2_000);
      }
    };
    const framesIn = async (ms: number): Promise<number> => {
      ada.writes.length = 0;
      await gala.harness.run(ms);
      return ada.writes.filter((frames) => frames.includes(0)).length;
    };
    expect(await framesIn(2_000)).toBeGreaterThanOrEqual(18);
    await gala.operate("event.ease", "pose_rate");
    expect(await framesIn(2_000)).toBeLessThanOrEqual(6);
    await stay(60);
    const eased = await framesIn(2_000);
    expect([eased > 2, eased <= 6], `${eased} frames`).toEqual([true, true]);
    // Given back, it comes down by itself.
    await gala.operate("event.ease", null);
    await stay(80);
    expect(await framesIn(2_000)).toBeGreaterThanOrEqual(18);
  });

  it("[GW70] a ghost sees its shard and is not seen, in a seat that counts", async () => {
    const gala = new Gala(1);
    await gala.open({ capacity: 3 });
    const ada = await gala.come("ada");
    await gala.harness.run(1_000);
    await gala.operate("event.ease", "ghost_seats");
    const ghosts = [await gala.come("bo"), await gala.come("cy")];
    await gala.harness.run(3_000);
    for (const ghost of ghosts)
      expect(ghost.got("joined"), ghost.describe()).toMatchObject([
        { world: "concert--shard", slot: 0xffff },
      ]);
    expect(gala.sitting(0)).toEqual(["ada"]);
    expect(ada.count("profile")).toBeLessThanOrEqual(1);
    expect(ghosts[0]?.writes.filter((frames) => frames.includes(0)).length).toBeGreaterThan(2);
    expect(await says(gala, ghosts[0] as Visitor, 1)).toMatchObject({ status: "forbidden" });
    const late = await gala.come("di");
    await gala.harness.run(3_000);
    expect(late.count("joined")).toBe(0);
    ghosts[0]?.leave();
    await gala.operate("event.ease", "whole");
    await gala.harness.run(3_000);
    expect(gala.sitting(0)).toEqual(["ada", "di"]);
  });
});

describe("slow mode", () => {
  it("[EV7] [GW68] lets everybody say something once in a while", async () => {
    const gala = new Gala(1);
    await gala.open();
    const [ada, bo] = [await gala.come("ada"), await gala.come("bo")];
    await gala.harness.run(1_000);
    await gala.operate("event.slow", { person: null, everyMs: 5_000 });
    await gala.harness.run(300);
    expect(await says(gala, ada, 1)).toMatchObject({ seq: 1, status: "ok" });
    expect(await says(gala, ada, 2)).toMatchObject({ seq: 2, status: "slow_mode" });
    ada.send({ type: "signal", channel: 0, name: "wave", body: null });
    await gala.harness.run(300);
    expect(bo.count("signal")).toBe(0);
    expect(await says(gala, bo, 1)).toMatchObject({ seq: 1, status: "ok" });
    await gala.harness.run(5_000);
    expect(await says(gala, ada, 3)).toMatchObject({ seq: 3, status: "ok" });
    await gala.operate("event.slow", { person: null, everyMs: 0 });
    await gala.harness.run(300);
    expect(await says(gala, ada, 4)).toMatchObject({ seq: 4, status: "ok" });
  });

  it("[GW68] what is sent again is the same thing said, and answered as it was", async () => {
    const gala = new Gala(1);
    await gala.open();
    const ada = await gala.come("ada");
    await gala.harness.run(1_000);
    await gala.operate("event.slow", { person: "ada", everyMs: 60_000 });
    await gala.harness.run(300);
    expect(await says(gala, ada, 1)).toMatchObject({ seq: 1, status: "ok" });
    expect(await says(gala, ada, 1)).toMatchObject({ seq: 1, status: "ok" });
    expect(await says(gala, ada, 2)).toMatchObject({ seq: 2, status: "slow_mode" });
    await gala.operate("event.slow", { person: "ada", everyMs: 0 });
    await gala.harness.run(300);
    // The outcome is in the journal, whatever holds now.
    expect(await says(gala, ada, 2)).toMatchObject({ seq: 2, status: "slow_mode" });
    await gala.operate("event.mute", { person: "ada", until: null, why: "" });
    await gala.harness.run(300);
    expect(await says(gala, ada, 1)).toMatchObject({ seq: 1, status: "ok" });
    expect(await says(gala, ada, 3)).toMatchObject({ seq: 3, status: "muted" });
  });

  it("[EV7] slows 2,048 persons by name at most", () => {
    const slows: Record<string, number> = {};
    for (let n = 0; n < 2_048; n++) expect(addSlow(slows, `p${n}`, 1)).toBe(true);
    expect(addSlow(slows, "one-more", 1)).toBe(false);
    expect(addSlow(slows, "p0", 5)).toBe(true);
    expect(addSlow(slows, "p1", 0)).toBe(true);
    expect(addSlow(slows, "one-more", 1)).toBe(true);
  });
});
