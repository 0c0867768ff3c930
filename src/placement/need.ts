import { EPOCH_NONE } from "../kernel/epoch.ts";
import { type ProcessId, processName } from "../kernel/ids.ts";
import type { NodeState } from "../membership/detector.ts";
import type { Proposal } from "../protocol/control-messages.ts";
import type { PlannerConfig } from "./planner-types.ts";
import type { RoomLine } from "./room-table.ts";

export type Reason = Proposal["reason"];

/** Why a room needs an owner; undefined where it does not, or not yet. */
export function needOf(
  line: RoomLine,
  now: number,
  listeningSince: number,
  stateOf: (process: ProcessId) => NodeState | undefined,
  { absentMs, unannouncedMs }: Pick<PlannerConfig, "absentMs" | "unannouncedMs">,
): Reason | undefined {
  if (line.status === "quarantined") return undefined;
  const blamed = line.crashedOn.at(-1) === line.owner;
  // Somebody has to write the end into its journal. An owner that did so is named no more; one that
  // it crashed on its way there need not be followed by others.
  if (line.status === "closed" && (line.owner === undefined || blamed)) return undefined;
  if (line.owner === undefined) {
    if (line.crashedOn.length > 0) return "crashes";
    return line.epoch === EPOCH_NONE ? "new" : "orphan";
  }
  const since = Math.max(listeningSince, line.ownerSince);
  switch (stateOf(line.owner)) {
    case undefined:
      return now - since >= absentMs ? "owner_down" : undefined;
    case "dead":
    case "suspect":
      return blamed ? "crashes" : "owner_down";
    case "stalled":
      return blamed ? "crashes" : "owner_stalled";
    case "alive":
      return now - Math.max(since, line.announcedAt) >= unannouncedMs ? "orphan" : undefined;
  }
}

/**
 * True where another node would only be the next one it crashes. `hosting`: nodes that host its
 * world; where there are too few to tell nodes apart, the number of times counts.
 */
export function crashedTooOften(
  { crashedOn, giveUps }: Pick<RoomLine, "crashedOn" | "giveUps">,
  hosting: number,
  { crashNodesMax }: Pick<PlannerConfig, "crashNodesMax">,
): boolean {
  if (new Set(crashedOn.map(processName)).size >= crashNodesMax) return true;
  return hosting < crashNodesMax && Math.max(giveUps, crashedOn.length) >= crashNodesMax;
}
