import { Encoder } from "@msgpack/msgpack";
import { assert } from "../kernel/assert.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { DEPTH_MAX, MsgpackReader } from "./msgpack-reader.ts";

export type DecodeError = "malformed" | "too_large";

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
      () => `not plain data: ${Object.prototype.toString.call(value)}`,
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

/** One value in msgpack. The bytes are a copy: they may be kept or handed to an async sink. */
export const encode = (value: unknown): Uint8Array => encoder.encode(value);

/** Exactly one value. Never throws; allocates in proportion to the bytes that are really there. */
export function decode(data: Uint8Array): Result<unknown, DecodeError> {
  const reader = new MsgpackReader(data);
  const value = reader.next();
  return value === undefined || !reader.done ? err("malformed") : ok(value);
}

/** A run of values, one after the other, at most `valuesMax` of them. */
export function decodeRun(data: Uint8Array, valuesMax: number): Result<unknown[], DecodeError> {
  const reader = new MsgpackReader(data);
  const values: unknown[] = [];
  while (!reader.done) {
    if (values.length === valuesMax) return err("too_large");
    const value = reader.next();
    if (value === undefined) return err("malformed");
    values.push(value);
  }
  return ok(values);
}
