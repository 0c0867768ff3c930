import { crashesUnder, type IndexEntry } from "../journal/index-store.ts";
import { EPOCH_NONE, type Epoch, epochCompare } from "../kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";

/**
 * What placement may write into the index. Owners and epochs are the nodes' business; verdicts on a
 * room name those that they were reached under.
 */
export type IndexChange =
  | {
      readonly kind: "create";
      readonly room: RoomId;
      readonly world: WorldName;
      /** Never moved for load. */
      readonly immovable: boolean;
    }
  | { readonly kind: "close"; readonly room: RoomId }
  /** A living room is from now on moved for load, or not. */
  | { readonly kind: "mark"; readonly room: RoomId; readonly immovable: boolean }
  | {
      readonly kind: "quarantine" | "forget_crashes";
      readonly room: RoomId;
      readonly epoch: Epoch;
      readonly owner: ProcessId | undefined;
    }
  /** It crashed this owner. */
  | {
      readonly kind: "crashed";
      readonly room: RoomId;
      readonly epoch: Epoch;
      readonly owner: ProcessId;
    };

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
  if (change.kind === "mark") {
    if (entry.status === "closed" || entry.immovable === change.immovable) return undefined;
    return { ...entry, immovable: change.immovable, changedAtMs };
  }
  if (epochCompare(entry.epoch, change.epoch) > 0 || entry.status !== "wanted") return undefined;
  // An owner writes itself into the index a while after its claim, or never if the room is its end.
  const { epoch, owner } = entry.epoch === change.epoch ? entry : change;
  const crashedOn = crashesUnder(epoch, entry);
  const changed = { ...entry, epoch, owner, crashedOn, changedAtMs };
  switch (change.kind) {
    case "quarantine":
      return { ...changed, status: "quarantined" };
    case "crashed":
      if (crashedOn.at(-1) === change.owner) return undefined;
      return { ...changed, crashedOn: [...crashedOn, change.owner] };
    case "forget_crashes":
      return entry.crashedOn.length === 0 ? undefined : { ...changed, crashedOn: [] };
  }
}

const newEntry = (
  { room, world, immovable }: Extract<IndexChange, { kind: "create" }>,
  wallNow: number,
): IndexEntry => ({
  room,
  world,
  status: "wanted",
  epoch: EPOCH_NONE,
  owner: undefined,
  crashedOn: [],
  immovable,
  changedAtMs: Math.floor(wallNow),
});
