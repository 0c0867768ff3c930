import type { Bus } from "../bus/bus.ts";
import type { IndexStore } from "../journal/index-store.ts";
import type { Clock } from "../kernel/clock.ts";
import type { ProcessId } from "../kernel/ids.ts";
import type { ClusterView } from "../membership/view.ts";
import type { Observer } from "../observe/observer.ts";
import { control } from "../protocol/control-messages.ts";
import * as subjects from "../protocol/subjects.ts";
import { Drainer, type MigrateEffect } from "./drainer.ts";
import type { PlannerConfig } from "./planner-types.ts";
import { type RebalanceLimits, Rebalancer, type RoundEffect } from "./rebalancer.ts";
import type { RoomTable } from "./room-table.ts";

export interface PlannedMovesParts {
  readonly self: ProcessId;
  readonly control: Bus;
  readonly index: Pick<IndexStore, "changeRound">;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly view: ClusterView;
  readonly rooms: RoomTable;
}

/** Moves that nothing forces: runs what drainer and rebalancer decide. */
export class PlannedMoves {
  readonly #parts: PlannedMovesParts;
  readonly #drainer: Drainer;
  readonly #rebalancer: Rebalancer;
  #closed = false;

  constructor(parts: PlannedMovesParts, config: PlannerConfig, limits: RebalanceLimits) {
    this.#parts = parts;
    this.#drainer = new Drainer(parts, config);
    this.#rebalancer = new Rebalancer(parts, parts.clock.now(), config, limits);
  }

  /** `unsettled`: rooms on their way to an owner after a failure. */
  tick(now: number, unsettled: number): void {
    for (const effect of this.#drainer.tick(now)) this.#migrate(effect, "drain");
    for (const effect of this.#rebalancer.tick(now, unsettled))
      if (effect.type === "migrate") this.#migrate(effect, "balance");
      else void this.#round(effect);
  }

  paused(now: number): void {
    this.#rebalancer.paused(now);
  }

  report(): void {
    const imbalance = this.#rebalancer.imbalance ?? Number.NaN;
    this.#parts.observer.metrics.set("roomcluster_placement_imbalance", imbalance);
  }

  close(): void {
    this.#closed = true;
  }

  #migrate({ node, ...wish }: MigrateEffect, why: "drain" | "balance"): void {
    const { control: bus, observer, rooms } = this.#parts;
    const { room, target } = wish;
    if (rooms.get(room)?.immovable)
      observer.log.warn({ room, node, target }, "an immovable room moves, because its node drains");
    bus.publish(subjects.nodeControl(node), control.encode(wish));
    observer.metrics.add("roomcluster_placement_migrations_total", 1, { why });
  }

  async #round({ replaces, load }: RoundEffect): Promise<void> {
    const { self, index, clock, observer } = this.#parts;
    let written = false;
    const answer = await index.changeRound((stored) => {
      written = replaces !== undefined && (stored?.round ?? 0) === replaces;
      return written ? { round: (replaces ?? 0) + 1, by: self, load } : undefined;
    });
    if (this.#closed) return;
    const won = answer.ok && written;
    const stored = answer.ok ? (answer.value ?? "none") : undefined;
    this.#rebalancer.onRound({ stored, won }, clock.now());
    if (replaces === undefined) return;
    const outcome = won ? "won" : answer.ok ? "lost" : "unavailable";
    observer.metrics.add("roomcluster_placement_rounds_total", 1, { outcome });
    if (won) observer.log.info({ round: replaces + 1, load }, "rooms move to even out load");
  }
}
