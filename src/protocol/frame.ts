import { type Epoch, parseEpoch } from "../kernel/epoch.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
} from "./client-messages.ts";
import type { DecodeError } from "./msgpack.ts";
import { ROW_BYTES, ROW_WORDS, rowsFromBytes } from "./pose-row.ts";

/** First bytes of the two binary payloads; anything from 0x90 on is a run of msgpack messages. */
export const POSE_KIND = 0x02;
export const FRAME_KIND = 0x03;
export const FRAME_HEADER_BYTES = 32;
export const POSE_BYTES = 4 + ROW_BYTES;

/**
 * One tick of one room as a group of clients sees it: rows, then the same messages that also travel
 * on their own (shared news first, a private tail last); between the two perhaps rows of whom one
 * client follows. Layout in SPEC.md, section Frames.
 */
export interface FrameHead {
  readonly channel: number;
  readonly tick: number;
  /** Room time of the tick in ms; it goes on across owners. */
  readonly at: number;
  readonly epoch: Epoch;
  /** Index of the last record that this frame, or something before it, has told. */
  readonly index: number;
}

export interface Frame extends FrameHead {
  /** `ROW_WORDS` words for each row. */
  readonly rows: Uint32Array;
  readonly messages: readonly GatewayMessage[];
}

/** Head and rows; messages are appended by the caller as their encoded bytes. */
export function encodeFrame(
  head: FrameHead,
  rows: Uint32Array,
  rowCount: number,
  messages: readonly Uint8Array[],
): Uint8Array {
  let length = FRAME_HEADER_BYTES + rowCount * ROW_BYTES;
  for (const message of messages) length += message.length;
  const data = new Uint8Array(length);
  const view = new DataView(data.buffer);
  data[0] = FRAME_KIND;
  data[1] = head.channel;
  view.setUint16(2, rowCount, true);
  view.setUint32(4, head.tick, true);
  view.setFloat64(8, head.at, true);
  view.setFloat64(16, head.epoch, true);
  view.setFloat64(24, head.index, true);
  data.set(new Uint8Array(rows.buffer, rows.byteOffset, rowCount * ROW_BYTES), FRAME_HEADER_BYTES);
  let at = FRAME_HEADER_BYTES + rowCount * ROW_BYTES;
  for (const message of messages) {
    data.set(message, at);
    at += message.length;
  }
  return data;
}

/** Of most frames. */
const NO_ROWS = new Uint32Array(0);
const NO_MESSAGES = ok<GatewayMessage[]>([]);

function rowsIn(data: Uint8Array, end: number): Uint32Array {
  const rows = new Uint32Array((end - FRAME_HEADER_BYTES) / 4);
  new Uint8Array(rows.buffer).set(data.subarray(FRAME_HEADER_BYTES, end));
  return rows;
}

export function decodeFrame(data: Uint8Array): Result<Frame, DecodeError> {
  if (data.length < FRAME_HEADER_BYTES || data[0] !== FRAME_KIND) return err("malformed");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const rowCount = view.getUint16(2, true);
  const rowsEnd = FRAME_HEADER_BYTES + rowCount * ROW_BYTES;
  const epoch = parseEpoch(view.getFloat64(16, true));
  const index = view.getFloat64(24, true);
  const at = view.getFloat64(8, true);
  if (rowsEnd > data.length || epoch === undefined) return err("malformed");
  if (!Number.isSafeInteger(index) || index < 0 || !Number.isFinite(at)) return err("malformed");
  const messages =
    rowsEnd === data.length
      ? NO_MESSAGES
      : gatewayToClient.decode(data.subarray(rowsEnd), MESSAGES_PER_PAYLOAD_MAX);
  if (!messages.ok) return messages;
  const channel = data[1] as number;
  const tick = view.getUint32(4, true);
  const rows = rowCount === 0 ? NO_ROWS : rowsIn(data, rowsEnd);
  const frame = { channel, tick, at, epoch, index, rows, messages: messages.value };
  return messages.value.some(isTail) ? joinTail(frame) : ok(frame);
}

type Tail = Extract<GatewayMessage, { type: "rows" }>;
const isTail = (message: GatewayMessage): message is Tail => message.type === "rows";

/** Rows that ride a frame are its own: whoever reads it need not know that some came apart. */
function joinTail(frame: Frame): Result<Frame, DecodeError> {
  const rows = [...frame.rows];
  for (const tail of frame.messages.filter(isTail)) {
    const words = rowsFromBytes(tail.rows);
    if (!words) return err("malformed");
    rows.push(...words);
  }
  const messages = frame.messages.filter((message) => !isTail(message));
  return ok({ ...frame, rows: Uint32Array.from(rows), messages });
}

/**
 * A pose from a client: kind, channel, a counter that wraps, then a row whose slot and generation
 * the gateway fills in.
 */
export function encodePose(channel: number, counter: number, row: Uint32Array): Uint8Array {
  const data = new Uint8Array(POSE_BYTES);
  data[0] = POSE_KIND;
  data[1] = channel;
  new DataView(data.buffer).setUint16(2, counter & 0xffff, true);
  data.set(new Uint8Array(row.buffer, row.byteOffset, ROW_BYTES), 4);
  return data;
}

/** The channel of a pose; undefined where it is none. */
export const poseChannel = (data: Uint8Array): number | undefined =>
  data.length === POSE_BYTES && data[0] === POSE_KIND ? data[1] : undefined;

/** Copies the row of a pose, which is one. */
export function poseRow(data: Uint8Array, row: Uint32Array): void {
  for (let word = 0, at = 4; word < ROW_WORDS; word++, at += 4)
    row[word] =
      (data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24);
}

export function decodePose(
  data: Uint8Array,
): { readonly channel: number; readonly counter: number; readonly row: Uint32Array } | undefined {
  const channel = poseChannel(data);
  if (channel === undefined) return undefined;
  const row = new Uint32Array(ROW_WORDS);
  poseRow(data, row);
  const counter = (data[2] as number) | ((data[3] as number) << 8);
  return { channel, counter, row };
}
