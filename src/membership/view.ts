import { type ProcessId, processName } from "../kernel/ids.ts";
import type { GatewayBeat, NodeBeat, PlacementBeat } from "../protocol/control-messages.ts";
import type { NodeState } from "./detector.ts";

export interface ViewConfig {
  /** A node's and a gateway's beat period, for estimating when an incarnation was born. */
  readonly beatMs: number;
  readonly gatewaySilenceMsMax: number;
  readonly placementSilenceMsMax: number;
  /** Of each kind; a new process beyond it is refused. */
  readonly processesMax: number;
  /** So many nodes that are gone are remembered, the last ones. */
  readonly endedMax: number;
}

export const viewDefaults: ViewConfig = {
  beatMs: 250,
  gatewaySilenceMsMax: 5_000,
  placementSilenceMsMax: 2_000,
  processesMax: 4_096,
  endedMax: 256,
};

export interface NodeLine {
  readonly process: ProcessId;
  beat: NodeBeat;
  state: Exclude<NodeState, "dead">;
  heardAt: number;
  /** When this incarnation's first beat must have left it, on the observer's clock. */
  readonly bornAt: number;
}

export interface PeerLine<B> {
  beat: B;
  heardAt: number;
}

/**
 * `repeated`: that sequence or a later one was seen. `superseded`: a newer incarnation of the name
 * is known, so this one is dead. `full`: the view holds as many processes as it may.
 */
export type Observed =
  | { readonly kind: "accepted"; readonly older: ProcessId | undefined }
  | { readonly kind: "repeated" | "superseded" | "full" };

/**
 * Nodes, gateways and placements as their beats describe them. Pure; the detector's verdicts go in
 * by `setState`.
 */
export class ClusterView {
  readonly nodes = new Map<ProcessId, NodeLine>();
  readonly gateways = new Map<ProcessId, PeerLine<GatewayBeat>>();
  readonly placements = new Map<ProcessId, PeerLine<PlacementBeat>>();
  /** The last words of nodes that are gone: what they left. */
  readonly ended = new Map<ProcessId, NodeBeat>();
  readonly #nodeByName = new Map<string, ProcessId>();
  readonly #config: ViewConfig;

  constructor(config: ViewConfig = viewDefaults) {
    this.#config = config;
  }

  observeNode(beat: NodeBeat, now: number): Observed {
    const known = this.nodes.get(beat.process);
    if (known) {
      if (beat.sequence <= known.beat.sequence) return { kind: "repeated" };
      known.beat = beat;
      known.heardAt = now;
      return { kind: "accepted", older: undefined };
    }
    const name = processName(beat.process);
    const older = this.#nodeByName.get(name);
    const bornAt = now - beat.sequence * this.#config.beatMs;
    const rival = older === undefined ? undefined : this.nodes.get(older);
    if (rival && bornAt < rival.bornAt) return { kind: "superseded" };
    if (!rival && this.nodes.size >= this.#config.processesMax) return { kind: "full" };
    const process = beat.process;
    this.nodes.set(process, { process, beat, state: "alive", heardAt: now, bornAt });
    this.ended.delete(process);
    this.#nodeByName.set(name, process);
    return { kind: "accepted", older: rival?.process };
  }

  /** The detector's verdict. A dead node leaves the view. */
  setState(process: ProcessId, state: NodeState): void {
    const node = this.nodes.get(process);
    if (!node) return;
    if (state !== "dead") {
      node.state = state;
      return;
    }
    this.nodes.delete(process);
    this.ended.set(process, node.beat);
    const [first] = this.ended.keys();
    if (this.ended.size > this.#config.endedMax && first) this.ended.delete(first);
    const name = processName(process);
    if (this.#nodeByName.get(name) === process) this.#nodeByName.delete(name);
  }

  observeGateway(beat: GatewayBeat, now: number): "accepted" | "repeated" | "full" {
    return this.#observePeer(this.gateways, beat, now);
  }

  observePlacement(beat: PlacementBeat, now: number): "accepted" | "repeated" | "full" {
    return this.#observePeer(this.placements, beat, now);
  }

  /** Forgets gateways and placements that fell silent. */
  tick(now: number): void {
    const { gatewaySilenceMsMax, placementSilenceMsMax } = this.#config;
    forgetSilent(this.gateways, now - gatewaySilenceMsMax);
    forgetSilent(this.placements, now - placementSilenceMsMax);
  }

  /** The observer heard nothing for a while through no fault of theirs. */
  observerPaused(now: number): void {
    for (const line of this.gateways.values()) line.heardAt = now;
    for (const line of this.placements.values()) line.heardAt = now;
  }

  /** Position of `self` among the placements that are there, itself always included. */
  rank(self: ProcessId): number {
    let rank = 0;
    for (const process of this.placements.keys()) if (process < self) rank++;
    return rank;
  }

  #observePeer<B extends { readonly process: ProcessId; readonly sequence: number }>(
    lines: Map<ProcessId, PeerLine<B>>,
    beat: B,
    now: number,
  ): "accepted" | "repeated" | "full" {
    const known = lines.get(beat.process);
    if (known) {
      if (beat.sequence <= known.beat.sequence) return "repeated";
      known.beat = beat;
      known.heardAt = now;
      return "accepted";
    }
    if (lines.size >= this.#config.processesMax) return "full";
    lines.set(beat.process, { beat, heardAt: now });
    return "accepted";
  }
}

function forgetSilent<B>(lines: Map<ProcessId, PeerLine<B>>, since: number): void {
  for (const [process, line] of lines) if (line.heardAt < since) lines.delete(process);
}
