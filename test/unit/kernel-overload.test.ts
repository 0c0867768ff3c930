import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import {
  decideOverload,
  type LoopLoad,
  NO_OVERLOAD,
  OVERLOAD_DEFAULTS,
  type OverloadState,
  OverloadWatch,
  STRETCHES,
} from "../../src/kernel/overload.ts";
import { nextInPhase, Phases } from "../../src/kernel/phase.ts";

const LOOK_MS = 250;
const BEHIND: LoopLoad = { latenessMs: 0, utilisation: 1 };
const LATE: LoopLoad = { latenessMs: 150, utilisation: 0.5 };
const IDLE: LoopLoad = { latenessMs: 0, utilisation: 0.1 };

/** The stretch after each look, one every 250 ms; `load` may depend on the step there is. */
function looks(count: number, load: (step: number, at: number) => LoopLoad, from = NO_OVERLOAD) {
  let state: OverloadState = from;
  const stretches: number[] = [];
  for (let at = 0; at < count; at++) {
    state = decideOverload(state, load(state.step, at), at * LOOK_MS, OVERLOAD_DEFAULTS);
    stretches.push(STRETCHES[state.step] as number);
  }
  return { state, stretches };
}

/** How often neighbours differ. */
const changes = (stretches: readonly number[]): number =>
  stretches.filter((stretch, at) => at > 0 && stretch !== stretches[at - 1]).length;

describe("overload", () => {
  it("[RG9] takes a step a second while the loop is behind, to a bound", () => {
    const { stretches } = looks(40, () => BEHIND);
    expect(stretches.slice(0, 4)).toEqual([1, 1, 1, 1]);
    expect(stretches[4]).toBe(1.5);
    expect(stretches[8]).toBe(2);
    expect(stretches[12]).toBe(3);
    expect(stretches[16]).toBe(4);
    expect(Math.max(...stretches)).toBe(4);
  });

  it("[RG9] counts timers that run late as well as time that is all used", () => {
    expect(looks(5, () => LATE).stretches.at(-1)).toBe(1.5);
  });

  it("[RG9] takes no step for what passes by itself: a pause, or half a second of work", () => {
    const { stretches } = looks(400, (_, at) => {
      if (at === 20) return { latenessMs: 8_000, utilisation: 0.2 };
      return at % 20 < 3 ? BEHIND : IDLE;
    });
    expect(Math.max(...stretches)).toBe(1);
  });

  it("[RG9] waits 5 s when there is time again, then comes back a step every 2 s", () => {
    const { stretches } = looks(200, (_, at) => (at < 17 ? BEHIND : IDLE));
    expect(stretches[16]).toBe(4);
    const back = [3, 2, 1.5].map((stretch) => (stretches.lastIndexOf(stretch, 60) + 1) * LOOK_MS);
    const first = stretches.indexOf(3, 17) * LOOK_MS;
    expect(first - 17 * LOOK_MS).toBe(5_000);
    expect(back).toEqual([first + 2_000, first + 4_000, first + 6_000]);
    expect(stretches.at(-1)).toBe(1);
    expect(changes(stretches)).toBe(8);
  });

  it("[RG9] comes back so far as what is to do fits, though shares lag a second behind", () => {
    for (let demand = 0.3; demand < 3.4; demand += 0.05) {
      let smoothed = 0;
      const load = (step: number, at: number): LoopLoad => {
        const now = at < 40 ? 1 : Math.min(1, demand / (STRETCHES[step] as number));
        smoothed += (1 - Math.exp(-LOOK_MS / 1_000)) * (now - smoothed);
        return { latenessMs: 0, utilisation: smoothed };
      };
      const { stretches, state } = looks(400, load);
      const after = stretches.slice(40);
      const up = after.filter((stretch, at) => at > 0 && stretch > (after[at - 1] as number));
      expect(up, `demand ${demand}`).toEqual([]);
      const faster = STRETCHES[state.step - 1];
      if (faster !== undefined) expect(demand / faster).toBeGreaterThan(0.85);
    }
  });

  it("[RG9] does not swing where everything depends on ticks, however much there is to do", () => {
    for (let demand = 0.5; demand < 5; demand += 0.05) {
      const load = (step: number): LoopLoad => {
        const utilisation = Math.min(1, demand / (STRETCHES[step] as number));
        return { latenessMs: utilisation === 1 ? 200 : 0, utilisation };
      };
      const { stretches, state } = looks(4_000, load);
      expect(changes(stretches.slice(40)), `demand ${demand}`).toBe(0);
      expect(load(state.step).utilisation < 0.95 || state.step === STRETCHES.length - 1).toBe(true);
    }
  });

  it("[RG9] waits longer each time that a step back did not hold", () => {
    // Somebody else takes the processor: what it does itself tells nothing of it.
    const load = (step: number): LoopLoad => (step === 0 ? LATE : IDLE);
    const { stretches } = looks(2_000, load);
    const spells = stretches.join(" ").split(/(?<=1\.5) (?=1 )/);
    const stretched = spells.map((spell) => spell.split(" ").filter((one) => one === "1.5").length);
    expect(stretched.slice(0, 5)).toEqual([21, 41, 81, 161, 161]);
  });

  it("[RG9] counts a step back that did not hold once, however far it has to go after it", () => {
    // A crowd comes; another a second after all steps were taken back; then nobody.
    const first = looks(200, (_, at) => (at < 17 ? BEHIND : IDLE)).stretches;
    const whole = first.indexOf(1, 17);
    const again = (at: number): boolean => at >= whole + 4 && at < whole + 21;
    const { state, stretches } = looks(400, (_, at) => (at < 17 || again(at) ? BEHIND : IDLE));
    expect(stretches[whole + 20]).toBe(4);
    expect(state.patience).toBe(2);
    expect((stretches.indexOf(3, whole + 21) - (whole + 21)) * LOOK_MS).toBe(10_000);
    expect(stretches.at(-1)).toBe(1);
  });

  it("[RG9] looks at its own timer's lateness and tells each change", () => {
    const clock = new ManualClock();
    let utilisation = 1;
    const told: number[] = [];
    const watch = new OverloadWatch(
      clock,
      () => utilisation,
      (stretch) => void told.push(stretch),
      OVERLOAD_DEFAULTS,
    );
    clock.advance(2_600);
    expect([watch.stretch, told]).toEqual([2, [1.5, 2]]);
    utilisation = 0;
    clock.advance(30_000);
    expect([watch.stretch, told]).toEqual([1, [1.5, 2, 1.5, 1]]);
    watch.close();
    expect(clock.pending).toBe(0);
  });
});

/** The smallest distance between any two, on a circle of one. */
function apart(phases: readonly number[]): number {
  const sorted = [...phases].sort((a, b) => a - b);
  return Math.min(
    ...sorted.map((phase, at) => (at === 0 ? 1 + phase : phase) - (sorted.at(at - 1) as number)),
  );
}

describe("phases", () => {
  it("[RG8] lie apart, however many there are", () => {
    const phases = new Phases(0.4);
    const taken: number[] = [];
    for (let count = 1; count <= 300; count++) {
      taken.push(phases.take());
      expect(apart(taken), `of ${count}`).toBeGreaterThan(0.38 / count);
    }
    expect(taken.every((phase) => phase >= 0 && phase < 1)).toBe(true);
  });

  it("[RG8] are kept through pauses and other periods", () => {
    for (const phase of [0, 0.25, 0.618, 0.999]) {
      let now = 1_234.5;
      const due: number[] = [];
      for (let tick = 0; tick < 30; tick++) {
        now = nextInPhase(now, 50, phase);
        due.push(now);
        // Timers are a little late, and once the loop stood still.
        now += tick === 15 ? 1_000 : 3;
      }
      const gaps = due.slice(1).map((at, n) => at - (due[n] as number));
      for (const gap of gaps) expect(Math.abs(gap / 50 - Math.round(gap / 50))).toBeLessThan(1e-6);
      expect(gaps.filter((gap) => Math.round(gap) === 50)).toHaveLength(28);
      const next = nextInPhase(now, 200, phase);
      expect(next - now).toBeGreaterThanOrEqual(100);
      expect(next - now).toBeLessThanOrEqual(300);
    }
  });
});
