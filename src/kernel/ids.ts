import { assert } from "./assert.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `tenant/name`: the unit of sync. Both halves are NATS subject tokens. */
export type RoomId = Branded<"RoomId">;
/** The name of a room type, as given to `defineRoom`. */
export type WorldName = Branded<"WorldName">;
/** One start of one process: `name.incarnation`. It never returns: a restart has another. */
export type ProcessId = Branded<"ProcessId">;
/** One person's membership in one room; it outlives a socket. */
export type SessionId = Branded<"SessionId">;
/** The subject of a person's token, as the operator's identity provider names them. */
export type PersonId = Branded<"PersonId">;

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;
const ROOM = /^[A-Za-z0-9_-]{1,48}\/[A-Za-z0-9_-]{1,64}$/;
const PROCESS = /^[A-Za-z0-9_-]{1,48}\.[a-f0-9]{16}$/;
const PERSON = /^\P{Cc}{1,128}$/u;
const SESSION = /^[A-Za-z0-9_-]{22}$/;

const matching =
  <T extends string>(pattern: RegExp) =>
  (text: unknown): T | undefined =>
    typeof text === "string" && pattern.test(text) ? (text as T) : undefined;

/** Each parser returns undefined for what is not such an id; none checks that it exists. */
export const parseRoomId = matching<RoomId>(ROOM);
export const parseWorldName = matching<WorldName>(TOKEN);
export const parseProcessId = matching<ProcessId>(PROCESS);
export const parseSessionId = matching<SessionId>(SESSION);
export const parsePersonId = matching<PersonId>(PERSON);

/** For ids written in code or read back from where only valid ones were put. */
function must<T>(parse: (text: unknown) => T | undefined, kind: string): (text: string) => T {
  return (text) => {
    const id = parse(text);
    assert(id !== undefined, `not a ${kind}: ${JSON.stringify(text)}`);
    return id;
  };
}
export const roomId = must(parseRoomId, "room id");
export const worldName = must(parseWorldName, "world name");
export const processId = must(parseProcessId, "process id");
export const sessionId = must(parseSessionId, "session id");
export const personId = must(parsePersonId, "person id");

/** The room's tenant and its name within the tenant. */
export function roomParts(room: RoomId): { readonly tenant: string; readonly name: string } {
  const slash = room.indexOf("/");
  return { tenant: room.slice(0, slash), name: room.slice(slash + 1) };
}

/** The operator's name of a process, without its incarnation. */
export const processName = (process: ProcessId): string => process.slice(0, process.indexOf("."));
