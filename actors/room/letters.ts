import type { Epoch } from "../../src/kernel/epoch.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { gatewayToRoom, type ToRoom } from "../../src/protocol/room-messages.ts";
import { type EncodedLetter, LETTERS_MAX } from "../../src/protocol/warm-state.ts";
import type { PlacedRecord } from "./recovery.ts";
import { LANES } from "./room-host.ts";

/** A gateway's message as it waits for its turn. */
export interface Letter {
  readonly from: ProcessId;
  readonly message: ToRoom;
}

const LETTERS_BYTES_MAX = 256 * 1024;

/** What is worth to be passed on to the next owner: poses and questions are repeated anyway. */
export const isForwarded = ({ type }: ToRoom): boolean => LANES[type] === "durable";

/** The first of them, as many as a hand-over carries. Order counts, so what is cut is the rest. */
export function encodeLetters(letters: readonly Letter[]): EncodedLetter[] {
  const encoded: EncodedLetter[] = [];
  let bytes = 0;
  for (const { from, message } of letters.slice(0, LETTERS_MAX)) {
    const data = gatewayToRoom.encode(message);
    bytes += data.length;
    if (bytes > LETTERS_BYTES_MAX) break;
    encoded.push({ from, message: data });
  }
  return encoded;
}

/** Whether a room that does not serve yet may keep them all. */
export const fits = (letters: readonly EncodedLetter[]): boolean =>
  letters.length <= LETTERS_MAX &&
  letters.reduce((bytes, { message }) => bytes + message.length, 0) <= LETTERS_BYTES_MAX;

/**
 * Letters to the last owner, addressed anew to the one that it named. Only from exactly that epoch:
 * its owner came to rest, so it ran none of them, and what it decided this one has read.
 */
export function readdressed(
  letters: readonly EncodedLetter[],
  { record }: PlacedRecord,
  epoch: Epoch,
): Letter[] {
  return letters.flatMap(({ from, message: data }) => {
    const messages = gatewayToRoom.decode(data, 1);
    const message = messages.ok ? messages.value[0] : undefined;
    if (!message || message.epoch !== record.epoch || !isForwarded(message)) return [];
    return [{ from, message: { ...message, epoch } }];
  });
}
