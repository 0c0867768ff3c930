import type { IndexEntry, IndexStore } from "../journal/index-store.ts";
import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { shardOf } from "../protocol/event-names.ts";
import type { Changed, ChangeError } from "./operator-changes.ts";

/** Shards that are closed at once. */
const AT_ONCE = 16;

/** `stage` undefined: it was forgotten already. `shards`: how many were closed by this. */
export interface ClosedEvent {
  readonly stage: IndexEntry | undefined;
  readonly shards: number;
}

/**
 * Closes an event's rooms: its shards, then its stage. Once that is closed nobody makes a shard any
 * more, so those made meanwhile are closed at the end. To be called again where it failed.
 */
export async function closeEvent(
  stage: RoomId,
  index: Pick<IndexStore, "list">,
  close: (room: RoomId) => Promise<Changed>,
): Promise<Result<ClosedEvent | undefined, ChangeError>> {
  const before = await closeShards(stage, index, close);
  if (!before.ok) return before;
  const closed = await close(stage);
  if (!closed.ok) return closed;
  const after = await closeShards(stage, index, close);
  if (!after.ok) return after;
  const shards = before.value.closed + after.value.closed;
  const known = closed.value !== undefined || after.value.known;
  return ok(known ? { stage: closed.value, shards } : undefined);
}

/** The index itself is read: a shard may have been made elsewhere a moment ago. */
async function closeShards(
  stage: RoomId,
  index: Pick<IndexStore, "list">,
  close: (room: RoomId) => Promise<Changed>,
): Promise<Result<{ readonly known: boolean; readonly closed: number }, ChangeError>> {
  const entries = await index.list();
  if (!entries.ok) return entries;
  const shards = entries.value.filter(({ room }) => shardOf(room)?.stage === stage);
  const open = shards.filter(({ status }) => status !== "closed");
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const turn = open.slice(at, at + AT_ONCE);
    const closed = await Promise.all(turn.map(({ room }) => close(room)));
    for (const one of closed) if (!one.ok) return err(one.error);
  }
  return ok({ known: shards.length > 0, closed: open.length });
}
