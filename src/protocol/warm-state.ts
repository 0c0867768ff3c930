import { COMMAND_BODY_BYTES_MAX, PROFILE } from "./client-messages.ts";
import { decode, encode } from "./msgpack.ts";
import { ROW_BYTES } from "./pose-row.ts";
import { MEMBERS_MAX, ROWS_PER_TICK_MAX } from "./room-messages.ts";
import { bytes, list, NUMBER, PROCESS, type Read, SESSION, tuple, U8, U16, U32 } from "./shape.ts";

/** Far below NATS's max_payload. */
export const WARM_BYTES_MAX = 512 * 1024;
export const LETTERS_MAX = 1024;
const WATCHERS_MAX = 1024;

/** A message of gateway `from` to the room, encoded. */
export const LETTER = tuple({ from: PROCESS, message: bytes(COMMAND_BODY_BYTES_MAX + 4096) });
export type EncodedLetter = Read<typeof LETTER.fields>;

/**
 * What a room is besides its journal, which goes with a hand-over: where people stand and how they
 * look, who has been away for how long, which gateways watch, and what they said that the last
 * owner did not decide any more.
 */
export const WARM_STATE = tuple({
  /** Room time, as it was told last. */
  at: NUMBER,
  rows: bytes(ROWS_PER_TICK_MAX * ROW_BYTES),
  profiles: list(tuple({ slot: U16, generation: U8, profile: PROFILE }), MEMBERS_MAX),
  away: list(tuple({ session: SESSION, forMs: U32 }), MEMBERS_MAX),
  watchers: list(PROCESS, WATCHERS_MAX),
  letters: list(LETTER, LETTERS_MAX),
});
export type WarmState = Read<typeof WARM_STATE.fields>;

/** Null where it does not fit: then people are attached again, and clients resend. */
export function encodeWarmState(state: WarmState): Uint8Array | null {
  const { at, rows, profiles, away, watchers, letters } = state;
  const data = encode([
    at,
    rows,
    profiles.map(({ slot, generation, profile }) => [slot, generation, Object.values(profile)]),
    away.map(({ session, forMs }) => [session, forMs]),
    watchers,
    letters.map(({ from, message }) => [from, message]),
  ]);
  return data.length > WARM_BYTES_MAX ? null : data;
}

export function decodeWarmState(data: Uint8Array): WarmState | undefined {
  const value = decode(data);
  return value.ok ? WARM_STATE(value.value) : undefined;
}
