import { EPOCH_NONE } from "../kernel/epoch.ts";
import type { ProcessId } from "../kernel/ids.ts";
import type { ClusterView } from "../membership/view.ts";
import type { Reason } from "./need.ts";
import type { PlannerConfig } from "./planner-types.ts";
import { Reservations } from "./reservations.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";
import { chooseNode } from "./score.ts";

/** Chooses nodes for rooms and remembers what was promised to them. */
export class Targets {
  readonly #reserved = new Reservations();
  readonly #view: ClusterView;
  readonly #rooms: RoomTable;
  readonly #config: PlannerConfig;

  constructor(view: ClusterView, rooms: RoomTable, config: PlannerConfig) {
    this.#view = view;
    this.#rooms = rooms;
    this.#config = config;
  }

  expire(now: number): void {
    this.#reserved.expire(now);
  }

  /** Chooses and reserves; undefined where no node may take the room now. */
  take(
    line: RoomLine,
    reason: Reason,
    tried: ReadonlySet<ProcessId>,
    now: number,
  ): ProcessId | undefined {
    const { room } = line;
    this.#reserved.release(room);
    this.#rooms.expect(room, undefined);
    const target = this.#target(line, reason, tried, now);
    if (target === undefined) return undefined;
    this.#reserved.reserve(room, target, this.#load(line), now + this.#config.reserveMs);
    this.#rooms.expect(room, target);
    return target;
  }

  /** Prefers nodes not tried for this epoch, and not crashed ones as long as there are others. */
  #target(
    line: RoomLine,
    reason: Reason,
    tried: ReadonlySet<ProcessId>,
    now: number,
  ): ProcessId | undefined {
    const { owner, crashedOn } = line;
    // It may serve the room and only not have been heard: then it tells its route again (SV6).
    const first = reason === "orphan" && tried.size === 0;
    if (first && owner !== undefined && !crashedOn.includes(owner)) return owner;
    const fresh =
      this.#choose(line, new Set([...crashedOn, ...tried])) ??
      this.#choose(line, new Set(crashedOn));
    if (fresh !== undefined || crashedOn.length === 0) return fresh;
    if (now - line.gaveUpAt < this.#config.crashBackoffMs) return undefined;
    return this.#choose(line, new Set(crashedOn.slice(-1))) ?? this.#choose(line, new Set());
  }

  #load(line: RoomLine): number {
    return line.load ?? this.#config.score.roomLoad;
  }

  #choose(line: RoomLine, excluded: ReadonlySet<ProcessId>): ProcessId | undefined {
    const { room, world, stateVersionMin } = line;
    const { score } = this.#config;
    const siblings = this.#rooms.siblings(room);
    const isNew = line.epoch === EPOCH_NONE;
    const load = this.#load(line);
    const request = { room, world, stateVersionMin, load, isNew, excluded, siblings };
    const reserved = (process: ProcessId): number => this.#reserved.on(process);
    const chosen = chooseNode(request, this.#view.nodes.values(), reserved, score);
    return chosen.ok ? chosen.value : undefined;
  }
}
