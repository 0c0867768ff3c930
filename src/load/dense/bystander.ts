/**
 * What a client that does not decode looks for in payloads without rows: only whether the first of
 * their messages is about its membership. Those come rarely, and by themselves.
 */

/** Tags of gateway to client messages (SPEC.md) that everybody has to act on. */
const ACTED_ON = new Set([1, 2, 3, 8, 11, 12, 16, 20]);
const FIX_ARRAY = 0x90;
const ARRAY_16 = 0xdc;

/** True where the message at `at` has to be decoded by everybody. */
export function concernsMembership(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] ?? 0;
  const tag = first === ARRAY_16 ? bytes[at + 3] : bytes[at + 1];
  return tag !== undefined && ACTED_ON.has(tag);
}

/** True where a payload begins like a run of messages (PR2). */
export const isRun = (first: number | undefined): boolean =>
  first !== undefined && ((first & 0xf0) === FIX_ARRAY || first === ARRAY_16);
