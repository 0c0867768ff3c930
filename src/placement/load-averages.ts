import type { ProcessId } from "../kernel/ids.ts";
import type { NodeLine } from "../membership/view.ts";
import { expectedLoad, type ScoreConfig } from "./score.ts";

/** No more often than nodes beat. */
const OBSERVE_MS_MIN = 250;

/** What nodes carry, averaged: a beat tells of a moment, into which a pause of V8 may fall. */
export class LoadAverages {
  readonly #loads = new Map<ProcessId, number>();
  readonly #score: ScoreConfig;
  readonly #overMs: number;
  #observedAt = Number.NEGATIVE_INFINITY;

  constructor(score: ScoreConfig, overMs: number) {
    this.#score = score;
    this.#overMs = overMs;
  }

  /** A node heard of for the first time begins with what it says. */
  observe(nodes: Iterable<NodeLine>, now: number): void {
    const elapsedMs = now - this.#observedAt;
    if (elapsedMs < OBSERVE_MS_MIN) return;
    this.#observedAt = now;
    const weight = Math.min(1, elapsedMs / this.#overMs);
    const gone = new Set(this.#loads.keys());
    for (const node of nodes) {
      gone.delete(node.process);
      const load = expectedLoad(node, this.#score);
      const before = this.#loads.get(node.process) ?? load;
      this.#loads.set(node.process, before + (load - before) * weight);
    }
    for (const process of gone) this.#loads.delete(process);
  }

  /** In reference nodes. */
  of(process: ProcessId): number {
    return this.#loads.get(process) ?? 0;
  }

  forget(): void {
    this.#loads.clear();
  }
}
