import { EVENT_PUBLIC, type EventPublic } from "../src/protocol/event-public.ts";
import type { Patch } from "../src/protocol/patches.ts";
import type { RoomRecord } from "../src/protocol/room-messages.ts";

/** What was said of persons: gateways act on it, whoever watches the stage has no use for it. */
const CONFIDENTIAL: readonly (keyof EventPublic)[] = ["bans", "mutes", "kicks", "slows"];
const isConfidential = (key: unknown): boolean => (CONFIDENTIAL as unknown[]).includes(key);

/** The state of a room as clients may have it: of what is no event's stage, all of it. */
export function clientState(state: unknown): unknown {
  const event = EVENT_PUBLIC(state);
  return event ? { ...(state as object), event: without(event) } : state;
}

/** The record as clients may have it, of a room whose state is `state` after it. */
export function clientRecord(record: RoomRecord, state: unknown): RoomRecord {
  const isNamed = record.patches.some(([, path]) => path[0] === "event");
  if (!isNamed || !EVENT_PUBLIC(state)) return record;
  return { ...record, patches: record.patches.flatMap(clientPatch) };
}

function clientPatch(patch: Patch): readonly Patch[] {
  const [op, path, value] = patch;
  if (path[0] !== "event") return [patch];
  if (path.length > 1) return isConfidential(path[1]) ? [] : [patch];
  return [typeof value === "object" && value ? [op, path, without(value)] : patch];
}

const without = (event: object): object =>
  Object.fromEntries(Object.entries(event).filter(([key]) => !isConfidential(key)));
