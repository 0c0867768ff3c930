import type { Random } from "../../kernel/random.ts";
import { POSE_BYTES, POSE_KIND } from "../../protocol/frame.ts";

const BINARY = 0x82;
const CLOSE = 0x88;
const PONG = 0x8a;
const MASK_BYTES = 4;
const POSE_HEAD_BYTES = 2 + MASK_BYTES;

/**
 * The sending half: whole frames, masked as clients must. One mask serves a process: it is there to
 * fool proxies of other people's pages, and a server has the same work with it.
 */
export class WsWriter {
  readonly #mask: Uint8Array;
  readonly #maskWord: number;

  constructor(random: Random) {
    // Servers may skip a mask of zeros, which no browser would spare them.
    this.#mask = random.bytes(MASK_BYTES).map((byte) => byte | 1);
    this.#maskWord = new DataView(this.#mask.buffer).getUint32(0, true);
  }

  message(payload: Uint8Array): Buffer {
    return this.#frame(BINARY, payload);
  }

  pong(payload: Uint8Array): Buffer {
    return this.#frame(PONG, payload);
  }

  close(code: number): Buffer {
    return this.#frame(CLOSE, Uint8Array.of(code >> 8, code & 0xff));
  }

  /** A pose (SPEC.md, Frames and poses), word by word: nothing else is sent so often. */
  pose(channel: number, counter: number, row: Uint32Array): Buffer {
    const frame = Buffer.allocUnsafe(POSE_HEAD_BYTES + POSE_BYTES);
    const mask = this.#maskWord;
    const head = POSE_KIND | (channel << 8) | ((counter & 0xffff) << 16);
    frame[0] = BINARY;
    frame[1] = 0x80 | POSE_BYTES;
    frame.writeUInt32LE(mask, 2);
    frame.writeUInt32LE((head ^ mask) >>> 0, 6);
    frame.writeUInt32LE(((row[0] as number) ^ mask) >>> 0, 10);
    frame.writeUInt32LE(((row[1] as number) ^ mask) >>> 0, 14);
    frame.writeUInt32LE(((row[2] as number) ^ mask) >>> 0, 18);
    frame.writeUInt32LE(((row[3] as number) ^ mask) >>> 0, 22);
    return frame;
  }

  #frame(first: number, payload: Uint8Array): Buffer {
    const { length } = payload;
    const long = length > 125;
    const start = (long ? 4 : 2) + MASK_BYTES;
    const frame = Buffer.allocUnsafe(start + length);
    frame[0] = first;
    frame[1] = 0x80 | (long ? 126 : length);
    // What a gateway takes is far below 64 KiB.
    if (long) frame.writeUInt16BE(length, 2);
    frame.set(this.#mask, start - MASK_BYTES);
    for (let i = 0; i < length; i++)
      frame[start + i] = (payload[i] as number) ^ (this.#mask[i & 3] as number);
    return frame;
  }
}
