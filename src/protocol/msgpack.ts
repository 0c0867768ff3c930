import { Decoder, Encoder } from "@msgpack/msgpack";
import { assert } from "../kernel/assert.ts";
import { err, ok, type Result } from "../kernel/result.ts";

export type DecodeError = "malformed" | "too_large";

/** Arrays and maps nest this deep, empty ones not counted; deeper ones are not even built. */
export const DEPTH_MAX = 24;

/**
 * There are no extension types on the wire. A Date, a Map or an instance of a class would be
 * written as something no decoder reads back, a journal record included: encoding one is a bug.
 */
const noExtensions = {
  tryToEncode(value: unknown): null {
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === null || prototype === Object.prototype;
    assert(
      plain || Array.isArray(value) || value instanceof Uint8Array,
      `not plain data: ${Object.prototype.toString.call(value)}`,
    );
    return null;
  },
  decode: (): never => {
    throw new TypeError("extension types are not used");
  },
};

const encoder = new Encoder({
  ignoreUndefined: true,
  extensionCodec: noExtensions,
  maxDepth: DEPTH_MAX + 1,
});
const decoder = new Decoder({
  extensionCodec: noExtensions,
  mapKeyConverter(key) {
    if (typeof key !== "string") throw new TypeError("map keys are strings");
    return key;
  },
});

/** One value in msgpack. The bytes are a copy: they may be kept or handed to an async sink. */
export const encode = (value: unknown): Uint8Array => encoder.encode(value);

/** Exactly one value. Never throws; allocates in proportion to the bytes that are really there. */
export function decode(data: Uint8Array): Result<unknown, DecodeError> {
  const end = scanValue(data, 0);
  if (end !== data.length) return err("malformed");
  return decodeScanned(data);
}

/** A run of values, one after the other, at most `valuesMax` of them. */
export function decodeRun(data: Uint8Array, valuesMax: number): Result<unknown[], DecodeError> {
  const values: unknown[] = [];
  for (let start = 0; start < data.length; ) {
    if (values.length === valuesMax) return err("too_large");
    const end = scanValue(data, start);
    if (end < 0) return err("malformed");
    const value = decodeScanned(data.subarray(start, end));
    if (!value.ok) return value;
    values.push(value.value);
    start = end;
  }
  return ok(values);
}

function decodeScanned(data: Uint8Array): Result<unknown, DecodeError> {
  try {
    const value = decoder.decode(data);
    return ok(mayHoldSurrogates(data) ? wellFormed(value) : value);
  } catch {
    // Left over for the decoder: map keys that are no strings, or `__proto__`.
    return err("malformed");
  }
}

/**
 * The library reads and writes half of a surrogate pair as three bytes that no strict decoder
 * takes: passed on, one client's text would end the sockets of all others. Those bytes start with
 * ED A0 to ED BF, which UTF-8 never has.
 */
function mayHoldSurrogates(data: Uint8Array): boolean {
  for (let at = data.indexOf(0xed); at >= 0; at = data.indexOf(0xed, at + 1))
    if (((data[at + 1] ?? 0) & 0xe0) === 0xa0) return true;
  return false;
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** The value, which is changed in place, with U+FFFD for each half of a pair. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.replace(LONE_SURROGATE, "\ufffd");
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const fields = value as Record<string, unknown>;
  for (const [key, field] of Object.entries(fields)) {
    const named = key.replace(LONE_SURROGATE, "\ufffd");
    if (named !== key) delete fields[key];
    fields[named] = wellFormed(field);
  }
  return value;
}

/**
 * The end of the value that starts at `start`, or -1. Every element claimed by an array or a map
 * must be covered by at least one byte that is there, over all open containers together, so a few
 * hostile bytes cannot make the decoder allocate more than the message is long.
 */
function scanValue(data: Uint8Array, start: number): number {
  /** Elements still to come, per open container; the value itself is the outermost. */
  const open = [1];
  let wanted = 1;
  let at = start;
  while (open.length > 0) {
    const top = open.length - 1;
    if (open[top] === 0) {
      open.pop();
      continue;
    }
    (open[top] as number)--;
    const head = at < data.length ? scanHead(data, at) : undefined;
    if (head === undefined) return -1;
    at += head.bytes;
    wanted += head.elements - 1;
    if (wanted > data.length - at) return -1;
    if (head.elements > 0 && open.push(head.elements) > DEPTH_MAX + 1) return -1;
  }
  return at;
}

interface Head {
  /** Bytes up to the next value, contents of strings and binaries included. */
  readonly bytes: number;
  /** Values that follow inside this one. */
  readonly elements: number;
}

const leaf = (bytes: number): Head => ({ bytes, elements: 0 });
const FIXED: Record<number, number> = {
  192: 1,
  194: 1,
  195: 1,
  202: 5,
  203: 9,
  204: 2,
  205: 3,
  206: 5,
  207: 9,
  208: 2,
  209: 3,
  210: 5,
  211: 9,
};

/** A head whose length stands in `width` bytes: of text or bytes (factor 0), or of elements. */
function sized(data: Uint8Array, at: number, width: number, factor: number): Head | undefined {
  if (at + width >= data.length) return undefined;
  let length = 0;
  for (let i = 1; i <= width; i++) length = length * 256 + (data[at + i] as number);
  return factor === 0 ? leaf(1 + width + length) : { bytes: 1 + width, elements: length * factor };
}

/** https://github.com/msgpack/msgpack/blob/master/spec.md; extension types are not used here. */
function scanHead(data: Uint8Array, at: number): Head | undefined {
  const byte = data[at] as number;
  if (byte <= 0x7f || byte >= 0xe0) return leaf(1);
  if (byte <= 0x8f) return { bytes: 1, elements: (byte & 15) * 2 };
  if (byte <= 0x9f) return { bytes: 1, elements: byte & 15 };
  if (byte <= 0xbf) return leaf(1 + (byte & 31));
  const fixed = FIXED[byte];
  if (fixed !== undefined) return leaf(fixed);
  switch (byte) {
    case 0xc4:
    case 0xd9:
      return sized(data, at, 1, 0);
    case 0xc5:
    case 0xda:
      return sized(data, at, 2, 0);
    case 0xc6:
    case 0xdb:
      return sized(data, at, 4, 0);
    case 0xdc:
      return sized(data, at, 2, 1);
    case 0xdd:
      return sized(data, at, 4, 1);
    case 0xde:
      return sized(data, at, 2, 2);
    case 0xdf:
      return sized(data, at, 4, 2);
    default:
      return undefined;
  }
}
