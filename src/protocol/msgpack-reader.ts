import { readText } from "./msgpack-text.ts";

/** Arrays and maps nest this deep, empty ones not counted; deeper ones are not even built. */
export const DEPTH_MAX = 24;

/**
 * Reads msgpack values from bytes that anybody may have sent, in one pass and without a copy: byte
 * strings are views. https://github.com/msgpack/msgpack/blob/master/spec.md; extension types are
 * not used here.
 *
 * Every element claimed by an array or a map must be covered by at least one byte that is there,
 * over all open containers together, before room is made for any: so a few hostile bytes cannot
 * make it allocate more than the message is long.
 */
export class MsgpackReader {
  #at = 0;
  /** Values claimed and not yet read, over all open containers. */
  #claimed = 0;
  #depth = 0;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get done(): boolean {
    return this.#at >= this.#data.length;
  }

  /** The next value; undefined where the bytes are none. */
  next(): unknown {
    const data = this.#data;
    if (this.#at >= data.length) return undefined;
    const byte = data[this.#at++] as number;
    if (byte <= 0x7f) return byte;
    if (byte >= 0xe0) return byte - 0x100;
    if (byte <= 0x8f) return this.#map(byte & 15);
    if (byte <= 0x9f) return this.#array(byte & 15);
    if (byte <= 0xbf) return this.#text(byte & 31);
    return this.#sized(byte);
  }

  #sized(byte: number): unknown {
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#bytes(this.#uint(1));
      case 0xc5:
        return this.#bytes(this.#uint(2));
      case 0xc6:
        return this.#bytes(this.#uint(4));
      case 0xca:
        return this.#float(4);
      case 0xcb:
        return this.#float(8);
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return this.#wide(this.#uint(4));
      case 0xd0:
        return this.#int(1);
      case 0xd1:
        return this.#int(2);
      case 0xd2:
        return this.#int(4);
      case 0xd3:
        return this.#wide(this.#int(4));
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2));
      case 0xdd:
        return this.#array(this.#uint(4));
      case 0xde:
        return this.#map(this.#uint(2));
      case 0xdf:
        return this.#map(this.#uint(4));
      default:
        return undefined;
    }
  }

  #array(length: number | undefined): unknown[] | undefined {
    if (length === 0) return [];
    if (length === undefined || !this.#enter(length)) return undefined;
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) {
      this.#claimed--;
      const value = this.next();
      if (value === undefined) return undefined;
      array.push(value);
    }
    this.#depth--;
    return array;
  }

  #map(size: number | undefined): Record<string, unknown> | undefined {
    const map: Record<string, unknown> = {};
    if (size === 0) return map;
    if (size === undefined || !this.#enter(2 * size)) return undefined;
    for (let i = 0; i < size; i++) {
      this.#claimed -= 2;
      const key = this.next();
      if (typeof key !== "string" || key === "__proto__") return undefined;
      const value = this.next();
      if (value === undefined) return undefined;
      map[key] = value;
    }
    this.#depth--;
    return map;
  }

  /** Whether a container may claim so many values here. */
  #enter(values: number): boolean {
    this.#claimed += values;
    return ++this.#depth <= DEPTH_MAX && this.#claimed <= this.#data.length - this.#at;
  }

  #text(length: number | undefined): string | undefined {
    const start = this.#skip(length);
    return start === undefined ? undefined : readText(this.#data, start, this.#at);
  }

  #bytes(length: number | undefined): Uint8Array | undefined {
    const start = this.#skip(length);
    return start === undefined ? undefined : this.#data.subarray(start, this.#at);
  }

  /** Where the next so many bytes begin, if they are there. */
  #skip(length: number | undefined): number | undefined {
    const start = this.#at;
    if (length === undefined || length > this.#data.length - start) return undefined;
    this.#at = start + length;
    return start;
  }

  #uint(width: number): number | undefined {
    const data = this.#data;
    const end = this.#at + width;
    if (end > data.length) return undefined;
    let value = 0;
    while (this.#at < end) value = value * 0x100 + (data[this.#at++] as number);
    return value;
  }

  #int(width: number): number | undefined {
    const value = this.#uint(width);
    const bound = 2 ** (8 * width);
    return value === undefined || value < bound / 2 ? value : value - bound;
  }

  /** 64 bits. Beyond 2^53 a number is the nearest that there is. */
  #wide(high: number | undefined): number | undefined {
    const low = this.#uint(4);
    return high === undefined || low === undefined ? undefined : high * 2 ** 32 + low;
  }

  #float(width: number): number | undefined {
    const start = this.#skip(width);
    if (start === undefined) return undefined;
    for (let i = 0; i < width; i++) SCRATCH.setUint8(i, this.#data[start + i] as number);
    return width === 4 ? SCRATCH.getFloat32(0) : SCRATCH.getFloat64(0);
  }
}

const SCRATCH = new DataView(new ArrayBuffer(8));
