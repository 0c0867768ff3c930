import { type RoomId, roomParts, type WorldName, worldName } from "../kernel/ids.ts";
import { shardOf } from "../protocol/event-names.ts";

/**
 * Which world a room gets that nobody made. Patterns are room names, a `*` at the end stands for
 * anything: `{"plaza": "plaza", "plaza-*": "plaza"}`. The longest match wins. Events' shards get
 * theirs from the event.
 */
export function autoCreateBy(
  patterns: Readonly<Record<string, string>>,
): (room: RoomId) => WorldName | undefined {
  const rules = Object.entries(patterns)
    .map(([pattern, world]) => ({ pattern, world: worldName(world) }))
    .sort((a, b) => b.pattern.length - a.pattern.length);
  return (room) => {
    if (shardOf(room)) return undefined;
    const { name } = roomParts(room);
    return rules.find(({ pattern }) => matches(pattern, name))?.world;
  };
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
