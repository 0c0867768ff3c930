/** Whose frames are read, and what becomes of them. */
export interface FrameSink {
  /** The payload of one whole, small, binary message, unmasked. Valid during the call only. */
  message(payload: Uint8Array): void;
  /** Bytes of any other frame, in order, as they came. They may be kept. */
  other(bytes: Buffer): void;
}

/** Payloads up to this are read here: a pose has 20 bytes, most messages below 200. */
const SMALL_BYTES_MAX = 1024;
/** Final, and without an extension (RFC 6455, 5.2). */
const FINAL_BINARY = 0x82;
const FINAL_PING = 0x89;
const FINAL_PONG = 0x8a;
const MASKED = 0x80;

/** One for all connections: a payload is done with before the next is unmasked. */
const scratch = new Uint8Array(SMALL_BYTES_MAX);

/**
 * Reads what clients send nearly always, whole small binary messages, without an object for each.
 * Two kinds of frames are passed on to the library whole, after which it is here again: pings and
 * pongs, and larger messages. With any other frame (in fragments, text, a close, wrong in whatever
 * way) the rest of the connection is the library's: what follows a fault must not be heard, and the
 * library finds faults a turn later.
 */
export class FrameReader {
  readonly #payloadBytesMax: number;
  /** Of a frame that is passed on: bytes still to come. */
  #passing = 0;
  #givenUp = false;
  /** The beginning of a frame of which more is to come. */
  #held: Buffer | undefined;

  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  take(chunk: Buffer, length: number, sink: FrameSink): void {
    const held = this.#held;
    if (held) {
      this.#held = undefined;
      const joined = Buffer.allocUnsafe(held.length + length);
      joined.set(held);
      joined.set(chunk.subarray(0, length), held.length);
      this.#read(joined, joined.length, sink);
    } else this.#read(chunk, length, sink);
  }

  #read(chunk: Buffer, length: number, sink: FrameSink): void {
    let at = 0;
    while (at < length) {
      if (this.#givenUp || this.#passing > 0) {
        const end = this.#givenUp ? length : Math.min(length, at + this.#passing);
        this.#passing -= end - at;
        sink.other(Buffer.from(chunk.subarray(at, end)));
        at = end;
        continue;
      }
      const message = isMessage(chunk, at);
      if (length - at >= 2 && !message && !isControl(chunk, at)) {
        this.#givenUp = true;
        continue;
      }
      const size = frameBytes(chunk, at, length);
      const small = message && size !== undefined && size <= SMALL_BYTES_MAX;
      // A head that is not whole, or a small frame of which the rest will come soon.
      if (size === undefined || (small && length - at < size)) {
        this.#held = Buffer.from(chunk.subarray(at, length));
        return;
      }
      if (small) {
        sink.message(unmask(chunk, at, size));
        at += size;
      } else if (size <= this.#payloadBytesMax) this.#passing = size;
      else this.#givenUp = true;
    }
  }
}

const isMasked = (chunk: Buffer, at: number): boolean => ((chunk[at + 1] as number) & MASKED) !== 0;
const isMessage = (chunk: Buffer, at: number): boolean =>
  chunk[at] === FINAL_BINARY && isMasked(chunk, at);
const isControl = (chunk: Buffer, at: number): boolean =>
  (chunk[at] === FINAL_PING || chunk[at] === FINAL_PONG) &&
  isMasked(chunk, at) &&
  ((chunk[at + 1] as number) & 0x7f) < 126;

/**
 * Bytes of the whole frame at `at`, head included; undefined while its length is not all there. The
 * mask behind it may still be to come: what is too large is refused by its length alone.
 */
function frameBytes(chunk: Buffer, at: number, length: number): number | undefined {
  const rest = length - at;
  if (rest < 2) return undefined;
  const second = chunk[at + 1] as number;
  const mask = (second & MASKED) === 0 ? 0 : 4;
  const short = second & 0x7f;
  if (short < 126) return 2 + mask + short;
  if (short === 126) return rest < 4 ? undefined : 4 + mask + chunk.readUInt16BE(at + 2);
  if (rest < 10) return undefined;
  return 10 + mask + chunk.readUInt32BE(at + 2) * 2 ** 32 + chunk.readUInt32BE(at + 6);
}

function unmask(chunk: Buffer, at: number, size: number): Uint8Array {
  const short = (chunk[at + 1] as number) & 0x7f;
  const mask = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
  const from = mask + 4;
  const bytes = at + size - from;
  for (let i = 0; i < bytes; i++)
    scratch[i] = (chunk[from + i] as number) ^ (chunk[mask + (i & 3)] as number);
  return scratch.subarray(0, bytes);
}
