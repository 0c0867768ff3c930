import type { IndexEntry } from "../journal/index-store.ts";
import type { StoreError } from "../journal/journal.ts";
import type { RoomId, WorldName } from "../kernel/ids.ts";
import type { Result } from "../kernel/result.ts";
import type { DrainRequest } from "../placement/drain-requests.ts";
import type { ClosedEvent } from "../placement/event-closing.ts";
import type { Events } from "../placement/events.ts";
import type { OrderError, Ordered } from "../placement/orders.ts";

/** A node as its last heartbeat describes it. */
export interface NodeView {
  readonly id: string;
  readonly name: string;
  /** What this placement replica believes about it. */
  readonly state: "alive" | "suspect" | "stalled" | "dead";
  readonly rooms: number;
  readonly sessions: number;
  /** Share of the main loop's time spent running, 0 to 1. */
  readonly load: number;
  readonly capacity: number;
  readonly arch: string;
  readonly zone: string;
  readonly version: string;
  /** In whatever currency; 0: nobody named it. */
  readonly pricePerHour: number;
  readonly pid: number;
  readonly host: string;
  readonly draining: boolean;
  /** How much longer than asked for its rooms' ticks are apart, because it is behind; 1: not. */
  readonly stretch: number | null;
}

export interface GatewayView {
  readonly id: string;
  readonly name: string;
  /** Where clients connect. */
  readonly url: string;
  readonly sessions: number;
  readonly sessionsMax: number;
  readonly draining: boolean;
  readonly zone: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** How much longer than ticks its frames are apart, because it is behind; 1: not at all. */
  readonly stretch: number | null;
}

export interface PlacementView {
  readonly id: string;
  readonly name: string;
  /** Of its operator API. */
  readonly url: string;
  readonly host: string;
  readonly pid: number;
}

export interface ClusterView {
  readonly nodes: readonly NodeView[];
  readonly gateways: readonly GatewayView[];
  readonly placements: readonly PlacementView[];
  /** Nodes that are gone, and how many rooms they had left. */
  readonly ended: readonly Pick<NodeView, "id" | "name" | "rooms">[];
}

export type StoreFailure = StoreError | "contended";

/** A room as this replica knows it. */
export type RoomView = Pick<
  IndexEntry,
  "room" | "world" | "status" | "epoch" | "owner" | "immovable"
>;

/** What the operator API needs to know and to do: given by the placement role. */
export interface ControlPort {
  /** Milliseconds since 1970, for moments that operators name. */
  wallNow(): number;
  view(): ClusterView;
  /** From memory: what the index said a few seconds ago, and what was heard since. */
  rooms(): readonly RoomView[];
  /** Whether some node that this replica knows hosts rooms of this world. */
  hosts(world: WorldName): boolean;
  /** From the index. */
  room(room: RoomId): Promise<Result<IndexEntry | undefined, StoreFailure>>;
  /** Answers the room that is there, which an earlier call may have made otherwise. */
  createRoom(
    room: RoomId,
    world: WorldName,
    immovable: boolean,
  ): Promise<Result<{ readonly created: boolean; readonly entry: IndexEntry }, StoreFailure>>;
  /** Whether it may be moved for load. Answers undefined where the room was never created. */
  markRoom(room: RoomId, immovable: boolean): Promise<Result<IndexEntry | undefined, StoreFailure>>;
  /** Answers which immovable rooms will move; undefined where that incarnation is not there. */
  drain(request: DrainRequest): readonly RoomId[] | undefined;
  /** Answers undefined where the room was never created. */
  closeRoom(room: RoomId): Promise<Result<IndexEntry | undefined, StoreFailure>>;
  /** From memory, as `rooms`. */
  readonly events: Pick<Events, "hosts" | "list" | "shards">;
  /** An operator's command, to the room's owner; answered when it is durable. */
  operate(room: RoomId, name: string, body: unknown): Promise<Result<Ordered, OrderError>>;
  /** Closes an event's shards and its stage. Answers undefined where there is neither. */
  closeEvent(stage: RoomId): Promise<Result<ClosedEvent | undefined, StoreFailure>>;
}
