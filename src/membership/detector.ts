import type { BusError } from "../bus/bus.ts";
import type { ProcessId } from "../kernel/ids.ts";
import { deviationsAt, Intervals } from "./phi.ts";

export interface DetectorConfig {
  /** A node beats this often. */
  readonly beatMs: number;
  /** No shorter silence makes a node suspect, however regular its beats were. */
  readonly silenceMsMin: number;
  /** No longer silence is forgiven, however irregular they were. */
  readonly silenceMsMax: number;
  readonly phiThreshold: number;
  readonly samplesMax: number;
  /** An age over the first is a stall; ages under the second end it. */
  readonly stalledAgeMs: number;
  readonly recoveredAgeMs: number;
  /** So long suspect is dead. */
  readonly deadAfterMs: number;
  /** So long suspect is forgotten, where too many are silent for anybody to be called dead. */
  readonly forgetAfterMs: number;
  /** Bus fault: nodes that fell silent within this time of each other did so at once. */
  readonly atOnceMs: number;
  readonly busFaultNodesMin: number;
  readonly busFaultShare: number;
  readonly busFaultHoldMs: number;
  /** An advisory is followed by so many probes that nobody answers in time, until it counts. */
  readonly probesMax: number;
  /** Incarnations known to be dead are remembered up to this number. */
  readonly deadMax: number;
}

export const detectorDefaults: DetectorConfig = {
  beatMs: 250,
  silenceMsMin: 1_250,
  silenceMsMax: 5_000,
  phiThreshold: 8,
  samplesMax: 100,
  stalledAgeMs: 3_000,
  recoveredAgeMs: 1_000,
  deadAfterMs: 60_000,
  forgetAfterMs: 600_000,
  atOnceMs: 1_000,
  busFaultNodesMin: 4,
  busFaultShare: 1 / 3,
  busFaultHoldMs: 3_000,
  probesMax: 5,
  deadMax: 10_000,
};

export type NodeState = "alive" | "suspect" | "stalled" | "dead";
export type TransitionReason =
  | "first_beat"
  | "beats_again"
  | "silent"
  | "loop_age"
  | "echo_age"
  | "recovered"
  | "disconnected"
  | "superseded"
  | "forgotten";

export interface Transition {
  readonly type: "transition";
  readonly process: ProcessId;
  /** Undefined for a node never heard of before. */
  readonly from: NodeState | undefined;
  /** One that was only forgotten goes as dead, but is alive again with its next beat. */
  readonly to: NodeState;
  readonly reason: TransitionReason;
}

/** Ask the process whether it is there, and report under the same `attempt`. */
export interface ProbeEffect {
  readonly type: "probe";
  readonly process: ProcessId;
  readonly attempt: number;
}
export type DetectorEffect = Transition | ProbeEffect;

export interface Ages {
  readonly loopAgeMs: number;
  readonly echoAgeMs: number;
}

interface Watched {
  readonly process: ProcessId;
  readonly intervals: Intervals;
  state: Exclude<NodeState, "dead">;
  heardAt: number;
  suspectAt: number;
  /** The open probe that an advisory asked for. */
  probe: number | undefined;
  /** Probes that this advisory has asked for, and since when. */
  probes: number;
  probedAt: number;
}

const NOT_PROBED = { probe: undefined, probes: 0, probedAt: 0 };

/** Judges nodes from what one observer hears of them. Pure: time comes in, effects go out. */
export class Detector {
  readonly #config: DetectorConfig;
  readonly #deviations: number;
  readonly #watched = new Map<ProcessId, Watched>();
  /** In the order of their deaths. */
  readonly #dead = new Set<ProcessId>();
  #attempts = 0;
  /** So many are silent that it is rather this observer that does not hear. */
  #cutOff = false;

  constructor(config: DetectorConfig = detectorDefaults) {
    this.#config = config;
    this.#deviations = deviationsAt(config.phiThreshold);
  }

  /** Undefined for a process never heard of. */
  state(process: ProcessId): NodeState | undefined {
    return this.#dead.has(process) ? "dead" : this.#watched.get(process)?.state;
  }

  /**
   * True where a beat of this process shows that an observer that was cut off hears again: it is to
   * be told `observerPaused` first, or it would take those whose next beat is still to come for
   * lost.
   */
  endsCutOff(process: ProcessId, now: number): boolean {
    if (!this.#cutOff) return false;
    const node = this.#watched.get(process);
    if (!node) return this.#watched.size === 0;
    return node.state === "suspect" || this.#isQuiet(node, now);
  }

  beat(process: ProcessId, ages: Ages, now: number): DetectorEffect[] {
    if (this.#dead.has(process)) return [];
    const node = this.#watched.get(process);
    if (!node) {
      const intervals = new Intervals(this.#config.samplesMax);
      const state = "alive";
      const first = { process, intervals, state, heardAt: now, suspectAt: 0, ...NOT_PROBED };
      this.#watched.set(process, first as Watched);
      const born = transition(process, undefined, "alive", "first_beat");
      return [born, ...this.#judgeAges(first as Watched, ages)];
    }
    // One freeze must not teach patience: the silence that made it suspect is no sample.
    if (node.state !== "suspect") node.intervals.add(now - node.heardAt);
    node.heardAt = now;
    if (node.state !== "suspect") return this.#judgeAges(node, ages);
    node.state = "alive";
    const back = transition(process, "suspect", "alive", "beats_again");
    return [back, ...this.#judgeAges(node, ages)];
  }

  /** The server says that the process's liveness connection ended. */
  disconnected(process: ProcessId, now: number): DetectorEffect[] {
    const node = this.#watched.get(process);
    if (!node || node.probe !== undefined) return [];
    return [this.#firstProbe(node, now)];
  }

  /**
   * `no_responders`: nobody listens under that name any more. `timeout`: somebody may, who had no
   * time to answer; a node that has changed its connection is such a one. `disconnected`: this
   * observer could not ask, so nothing is known.
   */
  probeResult(process: ProcessId, attempt: number, outcome: "alive" | BusError): DetectorEffect[] {
    const node = this.#watched.get(process);
    if (!node || node.probe !== attempt) return [];
    node.probe = undefined;
    if (outcome === "no_responders") return [this.#bury(node, "disconnected")];
    // It has beaten since, so the connection that ended was not its last one.
    if (outcome !== "timeout" || node.heardAt > node.probedAt) return [];
    if (node.probes < this.#config.probesMax) return [this.#probe(node)];
    return [this.#bury(node, "disconnected")];
  }

  /** A newer incarnation of the same name is there. */
  superseded(process: ProcessId): DetectorEffect[] {
    const node = this.#watched.get(process);
    if (node) return [this.#bury(node, "superseded")];
    this.#remember(process);
    return [];
  }

  tick(now: number): DetectorEffect[] {
    // Who has forgotten everybody is cut off still.
    if (this.#watched.size === 0) return [];
    const effects: DetectorEffect[] = [];
    this.#cutOff = this.#hearsFew(now);
    for (const node of this.#watched.values()) {
      if (node.state === "suspect") {
        if (now - node.suspectAt < this.#config.deadAfterMs) continue;
        if (!this.#cutOff) effects.push(this.#bury(node, "silent"));
        continue;
      }
      const over = now - node.heardAt - this.silenceMsMax(node.process);
      if (over <= 0) continue;
      if (over <= this.#config.busFaultHoldMs && this.#isBusFault(node, now)) continue;
      effects.push(transition(node.process, node.state, "suspect", "silent"));
      node.state = "suspect";
      node.suspectAt = now;
    }
    return this.#cutOff ? [...effects, ...this.#forget(now)] : effects;
  }

  /** This observer did not run, or did not hear, for a while: what it believes means nothing. */
  observerPaused(now: number): DetectorEffect[] {
    const effects: DetectorEffect[] = [];
    // Who was cut off measured well as long as it heard, and its silences are no samples.
    const measuredWell = this.#cutOff;
    this.#cutOff = false;
    for (const node of this.#watched.values()) {
      if (!measuredWell) node.intervals.clear();
      node.heardAt = now;
      if (node.state === "suspect") node.suspectAt = now;
      if (node.probe !== undefined) effects.push(this.#firstProbe(node, now));
    }
    return effects;
  }

  /** How long this node may be silent without becoming suspect. */
  silenceMsMax(process: ProcessId): number {
    const { silenceMsMin, silenceMsMax } = this.#config;
    const intervals = this.#watched.get(process)?.intervals;
    if (!intervals) return silenceMsMin;
    const accrued = intervals.meanMs + this.#deviations * intervals.deviationMs;
    return Math.min(silenceMsMax, Math.max(silenceMsMin, accrued));
  }

  /** True where so many fell silent together with this node that it must be the bus. */
  #isBusFault(node: Watched, now: number): boolean {
    const { busFaultNodesMin, busFaultShare, atOnceMs } = this.#config;
    if (this.#watched.size < busFaultNodesMin) return false;
    let together = 0;
    for (const other of this.#watched.values()) {
      if (!this.#isQuiet(other, now) || Math.abs(other.heardAt - node.heardAt) > atOnceMs) continue;
      if (other.probe !== undefined) return false;
      together++;
    }
    return together > this.#watched.size * busFaultShare;
  }

  /**
   * True where so many are silent that it is rather the observer that is cut off. However few there
   * are: a wrong word of death ends a node that serves, and a missing one only leaves a suspect.
   */
  #hearsFew(now: number): boolean {
    let silent = 0;
    for (const node of this.#watched.values()) if (this.#isQuiet(node, now)) silent++;
    return silent > this.#watched.size * this.#config.busFaultShare;
  }

  /**
   * The first to cross its limit has company that is up to a beat behind: three missed beats
   * already make a node quiet, or a count of the silent would come too late for the first few.
   */
  #isQuiet(node: Watched, now: number): boolean {
    return now - node.heardAt > 3 * this.#config.beatMs;
  }

  /** All at once: were it one by one, those left would soon be too small a share to be spared. */
  #forget(now: number): DetectorEffect[] {
    const { deadAfterMs, forgetAfterMs } = this.#config;
    const suspectFor = (node: Watched): number =>
      node.state === "suspect" ? now - node.suspectAt : 0;
    const watched = [...this.#watched.values()];
    if (!watched.some((node) => suspectFor(node) >= forgetAfterMs)) return [];
    return watched
      .filter((node) => suspectFor(node) >= deadAfterMs)
      .map((node) => {
        this.#watched.delete(node.process);
        return transition(node.process, node.state, "dead", "forgotten");
      });
  }

  #judgeAges(node: Watched, { loopAgeMs, echoAgeMs }: Ages): DetectorEffect[] {
    const { stalledAgeMs, recoveredAgeMs } = this.#config;
    const stalled = Math.max(loopAgeMs, echoAgeMs);
    if (node.state === "alive" && stalled > stalledAgeMs) {
      node.state = "stalled";
      const reason = loopAgeMs > stalledAgeMs ? "loop_age" : "echo_age";
      return [transition(node.process, "alive", "stalled", reason)];
    }
    if (node.state === "stalled" && stalled < recoveredAgeMs) {
      node.state = "alive";
      return [transition(node.process, "stalled", "alive", "recovered")];
    }
    return [];
  }

  #firstProbe(node: Watched, now: number): ProbeEffect {
    node.probes = 0;
    node.probedAt = now;
    return this.#probe(node);
  }

  #probe(node: Watched): ProbeEffect {
    node.probes++;
    node.probe = ++this.#attempts;
    return { type: "probe", process: node.process, attempt: node.probe };
  }

  #bury(node: Watched, reason: TransitionReason): Transition {
    this.#watched.delete(node.process);
    this.#remember(node.process);
    return transition(node.process, node.state, "dead", reason);
  }

  #remember(dead: ProcessId): void {
    this.#dead.add(dead);
    const [oldest] = this.#dead;
    if (this.#dead.size > this.#config.deadMax && oldest) this.#dead.delete(oldest);
  }
}

const transition = (
  process: ProcessId,
  from: NodeState | undefined,
  to: NodeState,
  reason: TransitionReason,
): Transition => ({ type: "transition", process, from, to, reason });
