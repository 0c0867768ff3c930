import { z } from "zod";
import { parseRoomId, parseWorldName, type RoomId, type WorldName } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { shardOf } from "../protocol/event-names.ts";

const room = z.custom<RoomId>((value) => parseRoomId(value) !== undefined, {
  error: "must be tenant/name, each of letters, digits, - and _",
});
/** One that an operator may make. */
const madeRoom = room.refine((made) => shardOf(made) === undefined, {
  error: "must not end in -- and a number: such rooms are shards, which their event makes",
});
export const world = z.custom<WorldName>((value) => parseWorldName(value) !== undefined, {
  error: "must be 1 to 64 letters, digits, - and _",
});

const KEY_SHOWN_MAX = 40;

/** An object of these keys and no others; `form` is the sentence where it is no object. */
export const only = <S extends z.ZodRawShape>(shape: S, form: string) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return form;
      // It was sent by anybody: no more of it comes back than helps to find it.
      const key = JSON.stringify((issue.keys[0] ?? "").slice(0, KEY_SHOWN_MAX));
      return `unknown key ${key}, known are ${Object.keys(shape).join(" and ")}`;
    },
  });

export const createRoomBody = only(
  { room: madeRoom, world, immovable: z.boolean().default(false) },
  "must be an object of room, world and immovable",
);

export const markRoomBody = only(
  { immovable: z.boolean({ error: "must be true or false" }) },
  "must be an object of immovable",
);

const DEADLINE_MS_MAX = 3_600_000;
const DEADLINE_FORM = `must be a whole number of ms from 1 to ${DEADLINE_MS_MAX}`;
export const drainBody = only(
  {
    deadlineMs: z
      .int(DEADLINE_FORM)
      .min(1, DEADLINE_FORM)
      .max(DEADLINE_MS_MAX, DEADLINE_FORM)
      .optional(),
  },
  "must be an object of deadlineMs",
);

export const ROOMS_PER_PAGE_MAX = 1000;
const LIMIT_FORM = `must be a whole number from 1 to ${ROOMS_PER_PAGE_MAX}`;
const limit = z
  .string()
  .regex(/^[0-9]{1,4}$/, LIMIT_FORM)
  .transform(Number)
  .pipe(z.number().min(1, LIMIT_FORM).max(ROOMS_PER_PAGE_MAX, LIMIT_FORM));
/** `after`: the last room of the page before. */
const roomsQuery = only({ limit: limit.default(100), after: room.optional() }, "must be a query");

/** Of two values for one key neither is meant more than the other. */
export function parseRoomsQuery(
  query: URLSearchParams,
): Result<z.infer<typeof roomsQuery>, string> {
  const given = new Map(query);
  if (given.size < query.size) return err("every key stands once");
  return parseWith(roomsQuery, Object.fromEntries(given));
}

/** The value, or a sentence that names the first field that is wrong. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): Result<T, string> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  if (issue === undefined) return err("invalid");
  const where = issue.path.join(".");
  return err(where === "" ? issue.message : `${where}: ${issue.message}`);
}
