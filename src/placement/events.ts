import type { IndexEntry } from "../journal/index-store.ts";
import { parseWorldName, type RoomId, type WorldName } from "../kernel/ids.ts";
import type { ClusterView, NodeLine } from "../membership/view.ts";
import { SHARDS_MAX, shardOf, shardRoom, shardWorld } from "../protocol/event-names.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";
import { hostedVersion } from "./score.ts";

/** A stage and its shards, as one replica knows them. */
export interface EventRooms {
  readonly stage: RoomLine;
  readonly shards: readonly RoomLine[];
}

/** The stage that has to be there for a shard to be made, if it is one that there may be. */
export function stageOf(room: RoomId): RoomId | undefined {
  const of = shardOf(room);
  return of && of.shard < SHARDS_MAX ? of.stage : undefined;
}

/** The world that a shard of this stage gets: none where there is no event, or not any more. */
export const worldOfShard = (
  { status, world }: Pick<IndexEntry, "status" | "world">,
  nodes: Iterable<NodeLine>,
): WorldName | undefined => (status === "closed" ? undefined : hostedShards(world, nodes));

/** The world of shards whose stages are of `world`, where some node hosts it. */
function hostedShards(world: WorldName, nodes: Iterable<NodeLine>): WorldName | undefined {
  const shards = parseWorldName(shardWorld(world));
  if (shards === undefined) return undefined;
  for (const node of nodes) if (hostedVersion(node, shards) !== undefined) return shards;
  return undefined;
}

/** Which of the rooms that this replica knows are events. */
export class Events {
  readonly #rooms: RoomTable;
  readonly #view: Pick<ClusterView, "nodes">;

  constructor(rooms: RoomTable, view: Pick<ClusterView, "nodes">) {
    this.#rooms = rooms;
    this.#view = view;
  }

  /** Whether rooms of this world are stages: some node hosts the world of their shards. */
  hosts(world: WorldName): boolean {
    return hostedShards(world, this.#view.nodes.values()) !== undefined;
  }

  /** Rooms that have shards, or are of a world that does: just now nobody may host that. */
  list(): EventRooms[] {
    const shards = new Map<RoomId, RoomLine[]>();
    const stages: RoomLine[] = [];
    for (const line of this.#rooms.lines.values()) {
      const stage = stageOf(line.room);
      const known = stage && shards.get(stage);
      if (known) known.push(line);
      else if (stage) shards.set(stage, [line]);
      else stages.push(line);
    }
    const worlds = new Set(stages.map(({ world }) => world));
    const hosted = new Set([...worlds].filter((world) => this.hosts(world)));
    return stages
      .filter(({ room, world }) => shards.has(room) || hosted.has(world))
      .map((stage) => ({ stage, shards: shards.get(stage.room) ?? [] }));
  }

  /** The shards of one event, by their number. */
  shards(stage: RoomId): RoomLine[] {
    const shards: RoomLine[] = [];
    for (let shard = 0; shard < SHARDS_MAX; shard++) {
      const line = this.#rooms.get(shardRoom(stage, shard));
      if (line) shards.push(line);
    }
    return shards;
  }
}
