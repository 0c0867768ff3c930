import type { Bus } from "../bus/bus.ts";
import type { ProcessId } from "../kernel/ids.ts";
import { Detector, type DetectorEffect, type ProbeEffect } from "../membership/detector.ts";
import type { ClusterView } from "../membership/view.ts";
import type { Observer } from "../observe/observer.ts";
import { control, type NodeBeat } from "../protocol/control-messages.ts";
import * as subjects from "../protocol/subjects.ts";
import { DeathNotices } from "./death-notices.ts";
import type { PlannerMessage } from "./planner-types.ts";

export interface NodeWatchParts {
  readonly self: ProcessId;
  readonly control: Bus;
  readonly observer: Observer;
  readonly view: ClusterView;
  readonly probeMs: number;
  /** Before a probe's answer counts: this process may not have run while it was on its way. */
  readonly noticePause: () => void;
  /** A whole part of the cluster is heard again, last at this moment. */
  readonly cutOff: (since: number | undefined) => void;
  readonly tell: (message: PlannerMessage) => void;
}

/** Who of the nodes is alive: beats, probes and verdicts, and the word to those held dead. */
export class NodeWatch {
  readonly #parts: NodeWatchParts;
  readonly #detector = new Detector();
  readonly #notices = new DeathNotices();
  #closed = false;

  constructor(parts: NodeWatchParts) {
    this.#parts = parts;
  }

  state = (process: ProcessId): ReturnType<Detector["state"]> => this.#detector.state(process);

  /** False where there is no place for one more node. */
  beat(beat: NodeBeat, now: number): boolean {
    const { view, cutOff } = this.#parts;
    const { process } = beat;
    if (this.#detector.state(process) === "dead") {
      this.#tellDead(process, now);
      return true;
    }
    if (this.#detector.endsCutOff(process, now)) cutOff(view.nodes.get(process)?.heardAt);
    const observed = view.observeNode(beat, now);
    if (observed.kind === "superseded") this.#run(this.#detector.superseded(process));
    if (observed.kind !== "accepted") return observed.kind !== "full";
    if (observed.older !== undefined) this.#run(this.#detector.superseded(observed.older));
    this.#run(this.#detector.beat(process, beat, now));
    return true;
  }

  disconnected(process: ProcessId, now: number): void {
    this.#run(this.#detector.disconnected(process, now));
  }

  tick(now: number): void {
    this.#run(this.#detector.tick(now));
  }

  observerPaused(now: number): void {
    this.#run(this.#detector.observerPaused(now));
  }

  close(): void {
    this.#closed = true;
  }

  #tellDead(process: ProcessId, now: number): void {
    if (!this.#notices.due(process, now)) return;
    const { control: bus, observer } = this.#parts;
    bus.publish(subjects.nodeControl(process), control.encode({ type: "declaredDead", process }));
    observer.metrics.add("roomcluster_placement_declared_dead_total");
    observer.log.warn({ node: process }, "a node that is held dead still beats: told so");
  }

  /** Nothing is awaited from a verdict to the proposals that follow from it. */
  #run(effects: readonly DetectorEffect[]): void {
    const { observer, tell, view } = this.#parts;
    for (const effect of effects) {
      if (effect.type === "probe") {
        void this.#probe(effect);
        continue;
      }
      const { process, from, to, reason } = effect;
      view.setState(process, to);
      tell(effect);
      observer.metrics.add("roomcluster_node_transitions_total", 1, { to, reason });
      const level = to === "alive" ? "info" : "warn";
      observer.log[level]({ node: process, from, to, reason }, "node verdict");
    }
  }

  async #probe({ process, attempt }: ProbeEffect): Promise<void> {
    const { self: from, control: bus, probeMs, noticePause } = this.#parts;
    const probe = control.encode({ type: "probe", from });
    const answer = await bus.request(subjects.nodePing(process), probe, probeMs);
    if (this.#closed) return;
    noticePause();
    const outcome = answer.ok ? "alive" : answer.error;
    this.#run(this.#detector.probeResult(process, attempt, outcome));
  }
}
