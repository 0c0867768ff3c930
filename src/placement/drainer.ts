import type { Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId } from "../kernel/ids.ts";
import type { ClusterView } from "../membership/view.ts";
import type { ControlOf } from "../protocol/control-messages.ts";
import { type PlannerConfig, plannerDefaults } from "./planner-types.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";
import { Targets } from "./targets.ts";

export interface DrainLimits {
  /**
   * Rooms of one node that are on their way at once. They get into each other's way: of four, a
   * command waits 77 ms, of two 35, of one 21 (medians, everything on two cores).
   */
  readonly movesMax: number;
  /** A move that shows no effect by then is tried again, with another target if there is one. */
  readonly moveMsMax: number;
}

export const DRAIN_LIMITS: DrainLimits = { movesMax: 2, moveMsMax: 3_000 };

/** Asks a room's owner to hand it over. */
export type MigrateEffect = Omit<ControlOf<"migrate">, "type"> & {
  readonly type: "migrate";
  readonly node: ProcessId;
};

interface Move {
  readonly from: ProcessId;
  readonly epoch: Epoch;
  readonly tried: ReadonlySet<ProcessId>;
  /** False where no node could take the room: it waits, and takes up no place. */
  readonly asked: boolean;
  readonly until: number;
}

/**
 * Empties nodes that say in their beats that they drain: a few rooms at a time, the busiest last,
 * so that most people have moved before anything can go wrong with a large one. Immovable rooms go
 * after all others; they can not stay, because the node ends. Pure. The first replica alone asks;
 * two that both believe to be first do no harm, because an owner obeys one wish at a time.
 */
export class Drainer {
  readonly #moves = new Map<RoomId, Move>();
  readonly #self: ProcessId;
  readonly #view: ClusterView;
  readonly #rooms: RoomTable;
  readonly #targets: Targets;
  readonly #limits: DrainLimits;

  constructor(
    parts: { readonly self: ProcessId; readonly view: ClusterView; readonly rooms: RoomTable },
    config: PlannerConfig = plannerDefaults,
    limits: DrainLimits = DRAIN_LIMITS,
  ) {
    this.#self = parts.self;
    this.#view = parts.view;
    this.#rooms = parts.rooms;
    this.#targets = new Targets(parts.view, parts.rooms, config);
    this.#limits = limits;
  }

  tick(now: number): MigrateEffect[] {
    this.#targets.expire(now);
    this.#settle();
    if (this.#view.rank(this.#self) > 0) return [];
    const effects: MigrateEffect[] = [];
    for (const { process, beat, state } of this.#view.nodes.values())
      if (beat.draining && state === "alive") effects.push(...this.#empty(process, now));
    return effects;
  }

  /** What has moved, or lost its owner, is no move any more. */
  #settle(): void {
    for (const [room, { from, epoch }] of this.#moves) {
      const line = this.#rooms.get(room);
      if (line?.owner === from && line.epoch === epoch) continue;
      this.#moves.delete(room);
      this.#rooms.expect(room, undefined);
    }
  }

  #empty(node: ProcessId, now: number): MigrateEffect[] {
    const effects: MigrateEffect[] = [];
    let underWay = 0;
    for (const { from, asked, until } of this.#moves.values())
      if (from === node && asked && until > now) underWay++;
    const lines = this.#rooms.ownedBy(node).flatMap((room) => this.#rooms.get(room) ?? []);
    lines.sort(
      (a, b) =>
        Number(a.immovable) - Number(b.immovable) ||
        (a.load ?? 0) - (b.load ?? 0) ||
        (a.room < b.room ? -1 : 1),
    );
    for (const line of lines) {
      if (underWay >= this.#limits.movesMax) break;
      const effect = this.#move(line, node, now);
      if (!effect) continue;
      effects.push(effect);
      underWay++;
    }
    return effects;
  }

  #move(line: RoomLine, node: ProcessId, now: number): MigrateEffect | undefined {
    const { room, epoch, status } = line;
    const before = this.#moves.get(room);
    if (status !== "wanted" || (before && before.until > now)) return undefined;
    const tried = before?.tried ?? new Set([node]);
    const target = this.#targets.take(line, "operator", tried, now);
    const until = now + this.#limits.moveMsMax;
    // Nobody can take it now: it is looked at again, and meanwhile others may find a place.
    if (target === undefined || target === node) {
      this.#moves.set(room, { from: node, epoch, tried: new Set([node]), asked: false, until });
      return undefined;
    }
    const asked = { tried: new Set(tried).add(target), asked: true, until };
    this.#moves.set(room, { from: node, epoch, ...asked });
    return { type: "migrate", node, room, epoch, target };
  }
}
