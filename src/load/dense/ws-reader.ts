/** What a read brought: the same memory for every read of a process, so nobody may keep it. */
export interface Inflow {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Told of what a server sends, first to last. Bytes are valid during the call only. */
export interface WsSink {
  /** One whole binary message: `length` bytes from `at` on. */
  message(inflow: Inflow, at: number, length: number): void;
  pinged(payload: Uint8Array): void;
  /** The server closes; 1005 where it does not say why. */
  closed(code: number): void;
  /** What no server may send; nothing is read after it. */
  broken(why: string): void;
}

const FINAL_BINARY = 0x82;
const OPCODE = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** What clients take (PR3). */
const PAYLOAD_BYTES_MAX = 8 * 1024 * 1024;
const HEAD_BYTES_MAX = 10;
const CLOSE_WITHOUT_CODE = 1005;

export const inflowOf = (bytes: Uint8Array): Inflow => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
});

/**
 * The receiving half of a WebSocket client (RFC 6455), as cheap as JavaScript has it: a message
 * that a read brought whole is handed on where it lies. Only what TCP cut in two is copied.
 */
export class WsReader {
  readonly #sink: WsSink;
  /** A frame that is not whole yet. */
  #held: Uint8Array | undefined;
  #heldBytes = 0;
  #fragments: Uint8Array[] | undefined;
  #fragmentBytes = 0;
  #ended = false;

  constructor(sink: WsSink) {
    this.#sink = sink;
  }

  read(inflow: Inflow, from: number, end: number): void {
    if (this.#ended) return;
    let at = this.#held === undefined ? from : this.#fill(inflow.bytes, from, end);
    while (at < end && !this.#ended) {
      const { bytes } = inflow;
      const short = at + 1 < end ? (bytes[at + 1] as number) : 0xff;
      // Nearly all there is: a whole binary message, of less than 64 KiB.
      if (bytes[at] === FINAL_BINARY && short < 127 && this.#fragments === undefined) {
        const head = short < 126 ? 2 : 4;
        if (at + head <= end) {
          const length = short < 126 ? short : inflow.view.getUint16(at + 2);
          if (at + head + length <= end) {
            this.#sink.message(inflow, at + head, length);
            at += head + length;
            continue;
          }
        }
      }
      at = this.#slowly(inflow, at, end);
    }
  }

  /** A frame of any other kind or size, or the beginning of one. Answers where the next is. */
  #slowly(inflow: Inflow, at: number, end: number): number {
    const size = frameBytes(inflow, at, end);
    if (size !== undefined && at + size <= end) {
      this.#frame(inflow, at, size);
      return at + size;
    }
    if (size !== undefined && size > PAYLOAD_BYTES_MAX + HEAD_BYTES_MAX) {
      this.#break("a payload that is too large");
      return end;
    }
    this.#held = new Uint8Array(size ?? HEAD_BYTES_MAX);
    this.#held.set(inflow.bytes.subarray(at, end));
    this.#heldBytes = end - at;
    return end;
  }

  /** Goes on with a frame whose beginning is held. */
  #fill(bytes: Uint8Array, from: number, end: number): number {
    let held = this.#held as Uint8Array;
    let at = from;
    let size = frameBytes(inflowOf(held), 0, this.#heldBytes);
    while (size === undefined && at < end) {
      held[this.#heldBytes++] = bytes[at++] as number;
      size = frameBytes(inflowOf(held), 0, this.#heldBytes);
    }
    if (size === undefined) return end;
    if (size > PAYLOAD_BYTES_MAX + HEAD_BYTES_MAX) {
      this.#break("a payload that is too large");
      return end;
    }
    if (held.length !== size) {
      const whole = new Uint8Array(size);
      whole.set(held.subarray(0, this.#heldBytes));
      held = whole;
      this.#held = whole;
    }
    const more = Math.min(size - this.#heldBytes, end - at);
    held.set(bytes.subarray(at, at + more), this.#heldBytes);
    this.#heldBytes += more;
    if (this.#heldBytes < size) return end;
    this.#held = undefined;
    this.#frame(inflowOf(held), 0, size);
    return at + more;
  }

  #frame(inflow: Inflow, at: number, size: number): void {
    const { bytes } = inflow;
    const first = bytes[at] as number;
    const short = bytes[at + 1] as number;
    if (short & 0x80) return this.#break("a masked frame");
    if (first & 0x70) return this.#break("reserved bits");
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : HEAD_BYTES_MAX);
    const length = at + size - start;
    const final = (first & 0x80) !== 0;
    const opcode = first & 0x0f;
    if (opcode >= OPCODE.close) {
      if (!final || short > 125) return this.#break("a control frame in pieces");
      return this.#control(opcode, bytes.subarray(start, start + length));
    }
    const begun = this.#fragments !== undefined;
    if (opcode !== (begun ? OPCODE.continuation : OPCODE.binary))
      return this.#break(opcode === 1 ? "text" : "an opcode out of place");
    if (final && !begun) return this.#sink.message(inflow, start, length);
    this.#fragments ??= [];
    this.#fragments.push(bytes.slice(start, start + length));
    this.#fragmentBytes += length;
    if (this.#fragmentBytes > PAYLOAD_BYTES_MAX) return this.#break("a payload that is too large");
    if (final) this.#join(this.#fragments);
  }

  #join(fragments: readonly Uint8Array[]): void {
    const whole = new Uint8Array(this.#fragmentBytes);
    let at = 0;
    for (const fragment of fragments) {
      whole.set(fragment, at);
      at += fragment.length;
    }
    this.#fragments = undefined;
    this.#fragmentBytes = 0;
    this.#sink.message(inflowOf(whole), 0, whole.length);
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODE.ping) return this.#sink.pinged(payload);
    if (opcode === OPCODE.pong) return;
    if (opcode !== OPCODE.close) return this.#break("an opcode out of place");
    this.#ended = true;
    const [high, low] = payload;
    const told = high !== undefined && low !== undefined;
    this.#sink.closed(told ? high * 256 + low : CLOSE_WITHOUT_CODE);
  }

  #break(why: string): void {
    this.#ended = true;
    this.#sink.broken(why);
  }
}

/** Of the frame that begins at `at`, head included; undefined where its head is not whole. */
function frameBytes({ bytes, view }: Inflow, at: number, end: number): number | undefined {
  if (at + 2 > end) return undefined;
  const short = (bytes[at + 1] as number) & 0x7f;
  if (short < 126) return 2 + short;
  if (short === 126) return at + 4 > end ? undefined : 4 + view.getUint16(at + 2);
  if (at + HEAD_BYTES_MAX > end) return undefined;
  return HEAD_BYTES_MAX + view.getUint32(at + 2) * 2 ** 32 + view.getUint32(at + 6);
}
