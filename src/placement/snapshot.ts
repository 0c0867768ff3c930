import type { RoomStatus } from "../journal/index-store.ts";
import type { Epoch } from "../kernel/epoch.ts";
import { type ProcessId, processName, type RoomId, type WorldName } from "../kernel/ids.ts";
import type { ClusterView, NodeLine } from "../membership/view.ts";
import type { GatewayBeat, NodeBeat, PlacementBeat } from "../protocol/control-messages.ts";
import type { RoomTable } from "./room-table.ts";

type Described<B> = Omit<B, "type" | "process"> & {
  readonly id: ProcessId;
  /** Without its incarnation. */
  readonly name: string;
};

/** What one replica believes, for the operator API and for tests. The dead are in `ended` only. */
export interface PlacementSnapshot {
  readonly nodes: readonly (Described<NodeBeat> & { readonly state: NodeLine["state"] })[];
  readonly gateways: readonly Described<GatewayBeat>[];
  readonly placements: readonly Described<PlacementBeat>[];
  /** Nodes that are gone, and how many rooms they had left. */
  readonly ended: readonly Pick<Described<NodeBeat>, "id" | "name" | "rooms">[];
  readonly rooms: readonly {
    readonly room: RoomId;
    readonly world: WorldName;
    readonly status: RoomStatus;
    readonly epoch: Epoch;
    readonly owner: ProcessId | undefined;
    readonly immovable: boolean;
  }[];
}

export function snapshotOf(view: ClusterView, rooms: RoomTable): PlacementSnapshot {
  return {
    nodes: [...view.nodes.values()].map(({ beat, state }) => ({ ...described(beat), state })),
    gateways: [...view.gateways.values()].map(({ beat }) => described(beat)),
    placements: [...view.placements.values()].map(({ beat }) => described(beat)),
    ended: [...view.ended.values()].map((beat) => {
      const { id, name, rooms: left } = described(beat);
      return { id, name, rooms: left };
    }),
    rooms: [...rooms.lines.values()].map(({ room, world, status, epoch, owner, immovable }) => ({
      room,
      world,
      status,
      epoch,
      owner,
      immovable,
    })),
  };
}

function described<B extends { readonly type: string; readonly process: ProcessId }>(
  beat: B,
): Described<B> {
  const { type: _, process, ...facts } = beat;
  return { id: process, name: processName(process), ...facts };
}
