import type { RoomId } from "../../src/kernel/ids.ts";
import type { Observer } from "../../src/observe/observer.ts";
import type { RoomEffect } from "./effects.ts";

/** Effects that only tell operators something. */
export type Told = Extract<RoomEffect, { type: "count" | "snapshotTooLarge" | "journalTooLong" }>;

export function tally({ metrics, log }: Observer, room: RoomId, told: Told): void {
  if (told.type === "snapshotTooLarge") {
    metrics.add("roomcluster_snapshots_too_large_total");
    log.error({ room, bytes: told.bytes }, "a room's snapshot is too large: it is not taken");
  } else if (told.type === "journalTooLong") {
    const { records } = told;
    log.error({ room, records }, "no snapshot counts for too long: the room takes no command");
  } else if (told.what === "stale_message")
    metrics.add("roomcluster_fenced_total", 1, { where: "room" });
  else metrics.add("roomcluster_commands_total", 1, { outcome: told.what });
}
