import { z } from "zod";
import { parseRoomId, parseWorldName, type RoomId, type WorldName } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";

const room = z.custom<RoomId>((value) => parseRoomId(value) !== undefined, {
  error: "must be tenant/name, each of letters, digits, - and _",
});
const world = z.custom<WorldName>((value) => parseWorldName(value) !== undefined, {
  error: "must be 1 to 64 letters, digits, - and _",
});

export const createRoomBody = z.strictObject({ room, world });

export const ROOMS_PER_PAGE_MAX = 1000;
export const roomsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(ROOMS_PER_PAGE_MAX).default(100),
  /** The last room of the page before. */
  after: room.optional(),
});

/** The value, or a sentence that names the first field that is wrong. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): Result<T, string> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  if (issue === undefined) return err("invalid");
  const where = issue.path.join(".");
  return err(where === "" ? issue.message : `${where}: ${issue.message}`);
}
