import type { IndexEntry } from "../journal/index-store.ts";
import { EPOCH_NONE, type Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";

/** What placement may write into the index. Owners and epochs are the nodes' business. */
export type IndexChange =
  | { readonly kind: "create"; readonly room: RoomId; readonly world: WorldName }
  | { readonly kind: "close"; readonly room: RoomId }
  | { readonly kind: "quarantine"; readonly room: RoomId; readonly epoch: Epoch }
  | {
      readonly kind: "crashed";
      readonly room: RoomId;
      readonly epoch: Epoch;
      readonly on: ProcessId;
    }
  | { readonly kind: "forget_crashes"; readonly room: RoomId; readonly epoch: Epoch };

/** The entry after the change; undefined leaves it as it is. Pure, for IndexStore.change. */
export function changeEntry(
  change: IndexChange,
  entry: IndexEntry | undefined,
  wallNow: number,
): IndexEntry | undefined {
  if (change.kind === "create") return entry ? undefined : newEntry(change, wallNow);
  if (!entry) return undefined;
  // Clocks of writers differ: hints are ordered by this stamp, so it must rise.
  const changedAtMs = Math.max(Math.floor(wallNow), entry.changedAtMs + 1);
  if (change.kind === "close")
    return entry.status === "closed" ? undefined : { ...entry, status: "closed", changedAtMs };
  // Decided for another ownership than the one that is there now.
  if (entry.epoch !== change.epoch || entry.status !== "wanted") return undefined;
  switch (change.kind) {
    case "quarantine":
      return { ...entry, status: "quarantined", changedAtMs };
    case "crashed":
      if (entry.crashedOn.at(-1) === change.on) return undefined;
      return { ...entry, crashedOn: [...entry.crashedOn, change.on], changedAtMs };
    case "forget_crashes":
      if (entry.crashedOn.length === 0) return undefined;
      return { ...entry, crashedOn: [], changedAtMs };
  }
}

const newEntry = (
  { room, world }: { readonly room: RoomId; readonly world: WorldName },
  wallNow: number,
): IndexEntry => ({
  room,
  world,
  status: "wanted",
  epoch: EPOCH_NONE,
  owner: undefined,
  crashedOn: [],
  immovable: false,
  changedAtMs: Math.floor(wallNow),
});
