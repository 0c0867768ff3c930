import type { Bus } from "../bus/bus.ts";
import type { ProcessId, RoomId } from "../kernel/ids.ts";
import type { ClusterView } from "../membership/view.ts";
import { control } from "../protocol/control-messages.ts";
import { gatewayControl, nodeControl, placementControl } from "../protocol/subjects.ts";
import type { RoomTable } from "./room-table.ts";

/** Exactly this incarnation is to hand over what it holds within `deadlineMs`, and to end. */
export interface DrainRequest {
  readonly kind: "node" | "gateway" | "placement";
  readonly process: ProcessId;
  readonly deadlineMs: number;
}

/** Answers which immovable rooms will move; undefined where that incarnation is not there. */
export function requestDrain(
  { kind, process, deadlineMs }: DrainRequest,
  parts: { readonly view: ClusterView; readonly rooms: RoomTable; readonly control: Bus },
): readonly RoomId[] | undefined {
  const { view, rooms } = parts;
  const [there, subject] = {
    node: [view.nodes, nodeControl(process)] as const,
    gateway: [view.gateways, gatewayControl(process)] as const,
    placement: [view.placements, placementControl(process)] as const,
  }[kind];
  if (!there.has(process)) return undefined;
  parts.control.publish(subject, control.encode({ type: "drain", deadlineMs }));
  return rooms.ownedBy(process).filter((room) => rooms.get(room)?.immovable);
}
