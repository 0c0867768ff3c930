import { describe, expect, test } from "vitest";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { randomBelow, seededRandom } from "../../src/kernel/random.ts";
import {
  Detector,
  type DetectorEffect,
  detectorDefaults,
  type Transition,
} from "../../src/membership/detector.ts";

const node = (n: number): ProcessId => processId(`n${n}.${n.toString(16).padStart(16, "0")}`);
const FRESH = { loopAgeMs: 5, echoAgeMs: 5 };
const nodes = (count: number) => Array.from({ length: count }, (_, i) => node(i + 1));

const shown = (effects: readonly DetectorEffect[]): string[] =>
  effects.map((effect) =>
    effect.type === "probe"
      ? `probe ${effect.process}`
      : `${effect.process} ${effect.from ?? "-"}>${effect.to} ${effect.reason}`,
  );

/** Beats every 250 ms from `from` to `until`, ticking every 50 ms; returns all transitions. */
function run(
  detector: Detector,
  from: number,
  until: number,
  beating: readonly ProcessId[],
  jitter: (n: number) => number = () => 0,
): { at: number; transition: Transition }[] {
  const seen: { at: number; transition: Transition }[] = [];
  const note = (at: number, effects: DetectorEffect[]) => {
    for (const effect of effects)
      if (effect.type === "transition") seen.push({ at, transition: effect });
  };
  const due = beating.map((process, i) => ({ process, at: from + i * 17 }));
  for (let now = from; now <= until; now += 10) {
    for (const next of due)
      if (now >= next.at) {
        note(now, detector.beat(next.process, FRESH, now));
        next.at += 250 + jitter(now);
      }
    if (now % 50 === 0) note(now, detector.tick(now));
  }
  return seen;
}

test("[MS1] a node is alive from its first beat", () => {
  const detector = new Detector();
  expect(detector.state(node(1))).toBeUndefined();
  expect(shown(detector.beat(node(1), FRESH, 0))).toEqual([`${node(1)} ->alive first_beat`]);
  expect(detector.state(node(1))).toBe("alive");
});

describe("silence", () => {
  test("[MS2] a regular node is suspect after 1.25 s and not before", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, [node(1)]);
    const last = 10_000;
    expect(detector.tick(last + 1_250 - 10)).toEqual([]);
    expect(shown(detector.tick(last + 1_260))).toEqual([`${node(1)} alive>suspect silent`]);
  });

  test("[MS2] irregular beats earn patience, at most 5 s", () => {
    const detector = new Detector();
    const random = seededRandom(7);
    run(detector, 0, 60_000, [node(1)], () => randomBelow(random, 800));
    const patience = detector.silenceMsMax(node(1));
    expect(patience).toBeGreaterThan(1_400);
    for (let at = 61_000, i = 0; i < 100; i++, at += i % 2 ? 10 : 1_200)
      detector.beat(node(1), FRESH, at);
    expect(detector.silenceMsMax(node(1))).toBeGreaterThan(patience);
    expect(detector.silenceMsMax(node(1))).toBeLessThanOrEqual(5_000);
  });

  test("[MS2] beats with 100 ms of jitter never look silent", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const detector = new Detector();
      const random = seededRandom(seed);
      const seen = run(detector, 0, 60_000, nodes(3), () => randomBelow(random, 200) - 100);
      expect(
        seen.filter(({ transition }) => transition.to !== "alive"),
        `seed ${seed}`,
      ).toEqual([]);
    }
  });

  test("[MS3] a freeze does not make the next one harder to see", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, [node(1)]);
    const before = detector.silenceMsMax(node(1));
    detector.tick(20_000);
    expect(detector.state(node(1))).toBe("suspect");
    detector.beat(node(1), FRESH, 20_010);
    expect(detector.silenceMsMax(node(1))).toBe(before);
  });

  test("[MS7] a suspect that beats again is alive at once", () => {
    const detector = new Detector();
    detector.beat(node(1), FRESH, 0);
    detector.tick(1_300);
    expect(shown(detector.beat(node(1), FRESH, 1_400))).toEqual([
      `${node(1)} suspect>alive beats_again`,
    ]);
    expect(detector.tick(1_500)).toEqual([]);
  });

  test("[MS8] a suspect of 60 s is dead and [MS6] never returns", () => {
    const detector = new Detector();
    detector.beat(node(1), FRESH, 0);
    const others = [node(2), node(3)];
    expect(run(detector, 0, 61_000, others).at(-1)?.transition).toMatchObject({ to: "suspect" });
    const seen = run(detector, 61_010, 62_000, others);
    expect(shown(seen.map(({ transition }) => transition))).toEqual([
      `${node(1)} suspect>dead silent`,
    ]);
    expect(seen[0]?.at).toBe(61_300);
    expect(detector.beat(node(1), FRESH, 62_010)).toEqual([]);
    expect(detector.state(node(1))).toBe("dead");
  });
});

describe("ages", () => {
  test.each([
    ["loop_age", { loopAgeMs: 3_001, echoAgeMs: 0 }],
    ["echo_age", { loopAgeMs: 0, echoAgeMs: 3_001 }],
  ])("[MS4] %s over 3 s is a stall", (reason, ages) => {
    const detector = new Detector();
    detector.beat(node(1), { loopAgeMs: 3_000, echoAgeMs: 3_000 }, 0);
    expect(detector.state(node(1))).toBe("alive");
    expect(shown(detector.beat(node(1), ages, 250))).toEqual([
      `${node(1)} alive>stalled ${reason}`,
    ]);
    expect(detector.beat(node(1), { loopAgeMs: 1_001, echoAgeMs: 0 }, 500)).toEqual([]);
    expect(shown(detector.beat(node(1), FRESH, 750))).toEqual([
      `${node(1)} stalled>alive recovered`,
    ]);
  });

  test("[MS4] a stalled node that falls silent is suspect, and stalled still when it beats", () => {
    const detector = new Detector();
    const stuck = { loopAgeMs: 4_000, echoAgeMs: 0 };
    detector.beat(node(1), stuck, 0);
    expect(shown(detector.tick(1_300))).toEqual([`${node(1)} stalled>suspect silent`]);
    expect(shown(detector.beat(node(1), stuck, 1_400))).toEqual([
      `${node(1)} suspect>alive beats_again`,
      `${node(1)} alive>stalled loop_age`,
    ]);
  });
});

describe("disconnect advisories", () => {
  function probed() {
    const detector = new Detector();
    detector.beat(node(1), FRESH, 0);
    const [probe] = detector.disconnected(node(1), 0);
    if (probe?.type !== "probe") throw new Error("no probe was asked for");
    return { detector, attempt: probe.attempt };
  }

  test("[MS5] an advisory asks for one probe only", () => {
    const { detector } = probed();
    expect(detector.disconnected(node(1), 0)).toEqual([]);
    expect(detector.disconnected(node(9), 0)).toEqual([]);
    expect(detector.state(node(1))).toBe("alive");
  });

  test("[MS5] nobody to hear the probe is death at once", () => {
    const { detector, attempt } = probed();
    expect(shown(detector.probeResult(node(1), attempt, "no_responders"))).toEqual([
      `${node(1)} alive>dead disconnected`,
    ]);
    expect(detector.beat(node(1), FRESH, 100)).toEqual([]);
  });

  test("[MS5] five probes in a row without an answer are death", () => {
    let { detector, attempt } = probed();
    for (let probes = 1; probes < 5; probes++) {
      const [next] = detector.probeResult(node(1), attempt, "timeout");
      if (next?.type !== "probe") throw new Error(`no probe after ${probes}`);
      attempt = next.attempt;
    }
    expect(shown(detector.probeResult(node(1), attempt, "timeout"))).toEqual([
      `${node(1)} alive>dead disconnected`,
    ]);
  });

  test("[MS5] a beat since the advisory outweighs a probe without an answer", () => {
    const { detector, attempt } = probed();
    detector.beat(node(1), FRESH, 50);
    expect(detector.probeResult(node(1), attempt, "timeout")).toEqual([]);
    expect(detector.state(node(1))).toBe("alive");
  });

  test.each([
    "alive",
    "disconnected",
  ] as const)("[MS5] a probe that ends %s kills nobody", (outcome) => {
    const { detector, attempt } = probed();
    expect(detector.probeResult(node(1), attempt, outcome)).toEqual([]);
    expect(detector.probeResult(node(1), attempt, "no_responders")).toEqual([]);
    expect(detector.state(node(1))).toBe("alive");
    expect(shown(detector.disconnected(node(1), 0))).toEqual([`probe ${node(1)}`]);
  });
});

describe("bus fault", () => {
  const suspectsAt = (detector: Detector, from: number, until: number) => {
    const seen: string[] = [];
    for (let now = from; now <= until; now += 50)
      for (const effect of detector.tick(now))
        if (effect.type === "transition") seen.push(`${now} ${effect.process.slice(0, 2)}`);
    return seen;
  };

  test("[MS9] all nodes silent at once are held for 3 s and then suspect", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    expect(suspectsAt(detector, 10_050, 14_000)).toEqual([]);
    expect(suspectsAt(detector, 14_050, 14_600)).toHaveLength(6);
  });

  test("[MS9] the hold ends without harm when the bus is back in time", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    expect(suspectsAt(detector, 10_050, 12_500)).toEqual([]);
    const seen = run(detector, 12_500, 20_000, nodes(6));
    expect(seen).toEqual([]);
  });

  test("[MS9] a third of the nodes or fewer are suspect without a hold", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    const seen = run(detector, 10_010, 12_000, nodes(4));
    expect(seen.map(({ transition }) => transition.process).sort()).toEqual([node(5), node(6)]);
    expect(seen.every(({ at }) => at <= 11_400)).toBe(true);
  });

  test("[MS9] fewer than four nodes are never held", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(3));
    expect(suspectsAt(detector, 10_050, 11_450)).toHaveLength(3);
  });

  test("[MS9] one reported disconnected among them: it is not the bus", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    detector.disconnected(node(6), 0);
    expect(suspectsAt(detector, 10_050, 11_500)).toHaveLength(6);
  });

  test("[MS9] nodes that fell silent at other times do not hold the next one", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    run(detector, 10_010, 15_000, nodes(5));
    run(detector, 15_010, 20_000, nodes(4));
    expect(detector.state(node(6))).toBe("suspect");
    expect(detector.state(node(5))).toBe("suspect");
    const seen = run(detector, 20_010, 22_000, nodes(3));
    expect(seen.map(({ transition }) => transition.process)).toEqual([node(4)]);
    expect(seen[0]?.at).toBeLessThanOrEqual(21_400);
  });
});

describe("an observer that is cut off", () => {
  const statesOf = (detector: Detector, count: number) =>
    nodes(count).map((process) => detector.state(process));
  /** Nothing is heard from `from` to `until`. */
  const silence = (detector: Detector, from: number, until: number) => {
    const effects: DetectorEffect[] = [];
    for (let now = from; now <= until; now += 50) effects.push(...detector.tick(now));
    return effects.map((effect) => (effect.type === "transition" ? effect.to : effect.type));
  };

  test.each([1, 2, 3, 6])("[MS12] calls none of %i silent nodes dead", (count) => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(count));
    expect(new Set(silence(detector, 10_050, 300_000))).toEqual(new Set(["suspect"]));
    expect(statesOf(detector, count)).toEqual(nodes(count).map(() => "suspect"));
    expect(nodes(count).every((process) => detector.endsCutOff(process, 300_000))).toBe(true);
  });

  test.each([
    [2, 3],
    [3, 6],
  ])("[MS12] nor %i of %i, while it hears the others", (silent, count) => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(count));
    run(detector, 10_010, 300_000, nodes(count - silent));
    expect(statesOf(detector, count)).toEqual(
      nodes(count).map((_, i) => (i < count - silent ? "alive" : "suspect")),
    );
    const heardOf = "node 1 was heard all the time";
    expect(detector.endsCutOff(node(1), 300_000), heardOf).toBe(false);
    expect(detector.endsCutOff(node(count), 300_000)).toBe(true);
  });

  test("[MS12] suspects nobody where it hears again just in time (simulation, seed 188)", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(4));
    expect(silence(detector, 10_050, 11_200)).toEqual([]);
    expect(detector.endsCutOff(node(1), 11_240)).toBe(true);
    detector.observerPaused(11_240);
    detector.beat(node(1), FRESH, 11_240);
    // The beats of the others are on their way still.
    expect(detector.tick(11_300)).toEqual([]);
  });

  test("[MS12] nor a node that was silent for long before", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    run(detector, 10_010, 70_000, nodes(5));
    silence(detector, 70_050, 100_000);
    expect(statesOf(detector, 6)).toEqual(nodes(6).map(() => "suspect"));
  });

  test("[MS12] what it hears again counts as after a pause, but it keeps its samples", () => {
    const detector = new Detector();
    const random = seededRandom(7);
    run(detector, 0, 10_000, nodes(6), () => randomBelow(random, 700));
    const patience = detector.silenceMsMax(node(1));
    expect(patience).toBeGreaterThan(1_300);
    silence(detector, 10_050, 90_000);
    detector.observerPaused(90_060);
    expect(nodes(6).some((process) => detector.endsCutOff(process, 90_060))).toBe(false);
    expect(shown(detector.beat(node(1), FRESH, 90_060))).toEqual([
      `${node(1)} suspect>alive beats_again`,
    ]);
    expect(detector.silenceMsMax(node(1))).toBe(patience);
    run(detector, 90_070, 92_000, nodes(6));
    expect(statesOf(detector, 6)).toEqual(nodes(6).map(() => "alive"));
  });

  test("[MS12] one that stays silent then is dead 60 s later", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(6));
    silence(detector, 10_050, 90_000);
    detector.observerPaused(90_050);
    expect(run(detector, 90_060, 150_000, nodes(5)).map(({ transition }) => transition.to)).toEqual(
      nodes(5).map(() => "alive"),
    );
    const seen = run(detector, 150_010, 151_000, nodes(5));
    expect(shown(seen.map(({ transition }) => transition))).toEqual([
      `${node(6)} suspect>dead silent`,
    ]);
  });

  test("[MS13] after 10 min it forgets them all at once, and calls none dead", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(12));
    const seen = run(detector, 10_010, 700_000, nodes(7));
    const forgotten = seen.filter(({ transition }) => transition.to === "dead");
    expect(forgotten.map(({ transition }) => transition.reason)).toEqual(
      Array.from({ length: 5 }, () => "forgotten"),
    );
    const [first] = forgotten;
    expect(first?.at).toBeGreaterThan(610_000);
    expect(new Set(forgotten.map(({ at }) => at)).size).toBe(1);
    expect(detector.state(node(12))).toBeUndefined();
    expect(shown(detector.beat(node(12), FRESH, 700_010))).toEqual([
      `${node(12)} ->alive first_beat`,
    ]);
  });

  test("[MS13] who has forgotten everybody is cut off still", () => {
    const detector = new Detector();
    run(detector, 0, 10_000, nodes(4));
    silence(detector, 10_050, 700_000);
    expect(statesOf(detector, 4)).toEqual(nodes(4).map(() => undefined));
    expect(detector.endsCutOff(node(1), 700_050)).toBe(true);
    detector.observerPaused(700_050);
    detector.beat(node(1), FRESH, 700_050);
    expect(detector.endsCutOff(node(2), 700_060)).toBe(false);
  });
});

describe("the observer's own pause", () => {
  test("[MS10] after it every silence starts anew", () => {
    const detector = new Detector();
    run(detector, 0, 5_000, nodes(2));
    detector.observerPaused(9_000);
    expect(detector.tick(9_050)).toEqual([]);
    expect(detector.tick(10_200)).toEqual([]);
    expect(detector.tick(10_300)).toHaveLength(2);
  });

  test("[MS10] a pause does not bury a suspect, which may have beaten meanwhile", () => {
    const detector = new Detector();
    detector.beat(node(1), FRESH, 0);
    detector.tick(1_300);
    detector.observerPaused(90_000);
    expect(detector.tick(90_050)).toEqual([]);
    expect(detector.state(node(1))).toBe("suspect");
  });

  test("[MS10] open probes are asked again and the old answer counts for nothing", () => {
    const detector = new Detector();
    detector.beat(node(1), FRESH, 0);
    const [first] = detector.disconnected(node(1), 0);
    const [second] = detector.observerPaused(800);
    if (first?.type !== "probe" || second?.type !== "probe") throw new Error("no probe");
    expect(second.attempt).not.toBe(first.attempt);
    expect(detector.probeResult(node(1), first.attempt, "no_responders")).toEqual([]);
    expect(detector.state(node(1))).toBe("alive");
    expect(shown(detector.probeResult(node(1), second.attempt, "no_responders"))).toHaveLength(1);
  });
});

test("[MS8] the older incarnation is dead, also when this observer never heard it", () => {
  const detector = new Detector();
  detector.beat(node(1), FRESH, 0);
  expect(shown(detector.superseded(node(1)))).toEqual([`${node(1)} alive>dead superseded`]);
  expect(detector.superseded(node(2))).toEqual([]);
  expect(detector.beat(node(2), FRESH, 10)).toEqual([]);
});

test("[MS11] the memory of the dead is bounded", () => {
  const detector = new Detector({ ...detectorDefaults, deadMax: 10 });
  for (let i = 1; i <= 30; i++) detector.superseded(node(i));
  expect(nodes(30).filter((process) => detector.state(process) === "dead")).toEqual(
    nodes(30).slice(20),
  );
});
