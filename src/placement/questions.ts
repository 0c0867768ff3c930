import type { RoomId, WorldName } from "../kernel/ids.ts";
import type { ClusterView } from "../membership/view.ts";
import { worldOfShard } from "./events.ts";
import {
  type AskId,
  type Located,
  nowhere,
  type PlannerConfig,
  type PlannerEffect,
  type PlannerMessage,
} from "./planner-types.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";

type LookedUp = Extract<PlannerMessage, { type: "lookedUp" }>;

export interface QuestionsParts {
  readonly view: ClusterView;
  readonly rooms: RoomTable;
  readonly autoCreate: (room: RoomId) => WorldName | undefined;
  readonly config: PlannerConfig;
  /** What the planner believes and does of a room somebody asks for. */
  readonly planner: {
    readonly needsOwner: (line: RoomLine, now: number) => boolean;
    /** No node could take it. */
    readonly isStuck: (room: RoomId) => boolean;
    /** Whether one more new room has a place in the table. */
    readonly hasSpace: (now: number) => boolean;
    /** Somebody wants to go there, or somebody serves it: no rank waits. */
    readonly place: (room: RoomId, now: number) => void;
    readonly learn: (entry: NonNullable<LookedUp["entry"]>, now: number) => void;
  };
  readonly act: (effect: PlannerEffect) => void;
}

/** Answers where rooms are, and has those made that are there for the asking. Pure. */
export class Questions {
  readonly #parts: QuestionsParts;
  /** Questions about rooms that are being looked up. */
  readonly #lookUps = new Map<RoomId, AskId[]>();

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  locate(ask: AskId, room: RoomId, now: number): void {
    const { rooms, autoCreate, config, planner } = this.#parts;
    const line = rooms.get(room);
    if (line) {
      if (planner.needsOwner(line, now)) {
        line.asked++;
        planner.place(room, now);
      }
      return this.#answer(ask, this.#located(line, now));
    }
    const world = autoCreate(room);
    if (world && planner.hasSpace(now)) {
      this.lookUp(room, world);
      return this.#answer(ask, nowhere("placing", config.askAgainMs));
    }
    this.lookUp(room, undefined);
    const asks = this.#lookUps.get(room);
    if (asks && asks.length < config.asksPerRoomMax) asks.push(ask);
    else this.#answer(ask, nowhere("placing", config.askAgainMs));
  }

  lookedUp(message: LookedUp, now: number): void {
    const { rooms, planner } = this.#parts;
    const asks = this.#lookUps.get(message.room) ?? [];
    this.#lookUps.delete(message.room);
    if (message.entry) {
      planner.learn(message.entry, now);
      planner.place(message.room, now);
    }
    const line = rooms.get(message.room);
    if (!line && asks.length === 0) return;
    const located = line ? this.#located(line, now) : this.#locateAbsent(message, now);
    for (const ask of asks) this.#answer(ask, located);
  }

  lookUp(room: RoomId, create: WorldName | undefined): void {
    if (this.#lookUps.has(room) || this.#lookUps.size >= this.#parts.config.lookUpsMax) return;
    this.#lookUps.set(room, []);
    this.#parts.act({ type: "lookUp", room, create });
  }

  #answer(ask: AskId, located: Located): void {
    this.#parts.act({ type: "answer", ask, located });
  }

  /** Of a room that has no line, because there is no such room or no place for it. */
  #locateAbsent({ room, entry, stage, failed }: LookedUp, now: number): Located {
    const { autoCreate, config, planner, view } = this.#parts;
    const { askAgainMs } = config;
    if (failed) return nowhere("placing", askAgainMs);
    if (entry && entry.status !== "wanted")
      return { ...nowhere(entry.status, 0), epoch: entry.epoch };
    if (entry || autoCreate(room)) return nowhere("no_capacity", askAgainMs);
    const world = stage && worldOfShard(stage, view.nodes.values());
    if (!world) return nowhere("unknown", 0);
    if (!planner.hasSpace(now)) return nowhere("no_capacity", askAgainMs);
    this.lookUp(room, world);
    return nowhere("placing", askAgainMs);
  }

  #located(line: RoomLine, now: number): Located {
    const { config, planner, view } = this.#parts;
    const { askAgainMs, noCapacityRetryMs } = config;
    const { status, epoch, owner } = line;
    if (status !== "wanted") return { ...nowhere(status, 0), epoch };
    if (planner.isStuck(line.room)) return { ...nowhere("no_capacity", noCapacityRetryMs), epoch };
    const served = owner !== undefined && !planner.needsOwner(line, now) && view.nodes.has(owner);
    if (served) return { status: "placed", epoch, owner, retryAfterMs: 0 };
    return { ...nowhere("placing", askAgainMs), epoch };
  }
}
