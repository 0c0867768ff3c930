import { assert } from "../kernel/assert.ts";
import { EPOCH_NONE, type Epoch, parseEpoch } from "../kernel/epoch.ts";
import {
  parsePersonId,
  parseProcessId,
  parseRoomId,
  parseSessionId,
  parseWorldName,
} from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type DecodeError, decodeRun, encode } from "./msgpack.ts";

/** What a field accepts, for whoever writes it back, generates it or checks SPEC.md by it. */
export type Shape =
  | { readonly kind: "uint" | "text" | "bytes"; readonly max: number }
  | { readonly kind: "oneOf"; readonly choices: readonly string[] }
  | { readonly kind: "list"; readonly item: Field<unknown>; readonly max: number }
  | { readonly kind: "nullable"; readonly item: Field<unknown> }
  | { readonly kind: "tuple"; readonly fields: Fields; readonly layout: Layout };
/** Reads one field from outside: the value, or undefined where it is not one. */
export interface Field<T> {
  (value: unknown): T | undefined;
  readonly shape?: Shape;
}
type Fields = Record<string, Field<unknown>>;
export type Read<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

const shaped = <T>(read: (value: unknown) => T | undefined, shape: Shape): Field<T> =>
  Object.assign(read, { shape });

export const uint = (max: number): Field<number> =>
  shaped(
    (value) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
        ? (value as number)
        : undefined,
    { kind: "uint", max },
  );
export const U8 = uint(0xff);
export const U16 = uint(0xffff);
export const U32 = uint(0xffff_ffff);
/** Up to 2^53 - 1: sequences, indexes, milliseconds since 1970. */
export const COUNT = uint(Number.MAX_SAFE_INTEGER);
export const NUMBER: Field<number> = (value) =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;
export const BOOLEAN: Field<boolean> = (value) => (typeof value === "boolean" ? value : undefined);
/** At most `max` UTF-16 units. */
export const text = (max: number): Field<string> =>
  shaped((value) => (typeof value === "string" && value.length <= max ? value : undefined), {
    kind: "text",
    max,
  });
/** A view of the decoded bytes, not a copy: whoever keeps it copies it. */
export const bytes = (max: number): Field<Uint8Array> =>
  shaped((value) => (value instanceof Uint8Array && value.length <= max ? value : undefined), {
    kind: "bytes",
    max,
  });
/** Anything msgpack can carry, null included. Wrapped, because undefined means "invalid" here. */
export const ANY: Field<unknown> = (value) => (value === undefined ? null : value);
export const nullable = <T>(field: Field<T>): Field<T | null> =>
  shaped((value) => (value === null || value === undefined ? null : field(value)), {
    kind: "nullable",
    item: field,
  });
export const list = <T>(field: Field<T>, max: number): Field<readonly T[]> =>
  shaped(
    (value) => {
      if (!Array.isArray(value) || value.length > max) return undefined;
      const items = value.map((item) => field(item));
      return items.includes(undefined) ? undefined : (items as T[]);
    },
    { kind: "list", item: field, max },
  );
export const oneOf = <const T extends string>(...choices: readonly T[]): Field<T> =>
  shaped((value) => (choices.includes(value as T) ? (value as T) : undefined), {
    kind: "oneOf",
    choices,
  });
/** A positional array with these fields in order. Further elements are ignored: minors add. */
export const tuple = <F extends Fields>(fields: F): Field<Read<F>> & { readonly fields: F } => {
  const layout = layoutOf(fields);
  const read = (value: unknown): Read<F> | undefined =>
    Array.isArray(value) ? (readFields(layout, value, 0, {}) as Read<F> | undefined) : undefined;
  return Object.assign(read, { fields, shape: { kind: "tuple", fields, layout } as const });
};

function readFields(
  layout: Layout,
  values: unknown[],
  first: number,
  into: Record<string, unknown>,
) {
  let at = first;
  for (const { field, name } of layout) {
    const value = field(values[at++]);
    if (value === undefined) return undefined;
    into[name] = value;
  }
  return into;
}

export const ROOM = parseRoomId;
export const PROCESS = parseProcessId;
export const SESSION = parseSessionId;
export const PERSON = parsePersonId;
export const WORLD = parseWorldName;
export const EPOCH: Field<Epoch> = (value) => (value === 0 ? EPOCH_NONE : parseEpoch(value));

type Definitions = Record<string, readonly [tag: number, fields: Fields]>;
/** The union of a family's messages, told apart by `type`. */
export type MessageOf<D extends Definitions> = {
  [K in keyof D]: { readonly type: K } & Read<D[K][1]>;
}[keyof D];

/** All messages of one direction: `[tag, field, field, …]` in msgpack, one after the other. */
export interface Family<D extends Definitions> {
  readonly definitions: D;
  encode(message: MessageOf<D>): Uint8Array;
  /** The positional array, for embedding in something larger. */
  toArray(message: MessageOf<D>): unknown[];
  fromArray(value: unknown): MessageOf<D> | undefined;
  /** A run of messages. A tag this version does not know is skipped, a bad field is malformed. */
  decode(data: Uint8Array, messagesMax: number): Result<MessageOf<D>[], DecodeError>;
}

export function family<const D extends Definitions>(definitions: D): Family<D> {
  const byTag = new Map<number, { type: string; read: (values: unknown[]) => unknown }>();
  const layouts = new Map<PropertyKey, { readonly tag: number; readonly layout: Layout }>();
  for (const [type, [tag, fields]] of Object.entries(definitions)) {
    assert(!byTag.has(tag), `tag ${tag} is taken`);
    const layout = layoutOf(fields);
    byTag.set(tag, { type, read: (value) => readFields(layout, value, 1, { type }) });
    layouts.set(type, { tag, layout });
  }
  const toArray = (message: MessageOf<D>): unknown[] => {
    const known = layouts.get(message.type);
    assert(known, () => `no such message: ${String(message.type)}`);
    return positionsOf(known.layout, message, [known.tag]);
  };
  const fromArray = (value: unknown): MessageOf<D> | undefined => {
    if (!Array.isArray(value)) return undefined;
    return byTag.get(value[0] as number)?.read(value) as MessageOf<D> | undefined;
  };
  return {
    definitions,
    toArray,
    fromArray,
    encode: (message) => encode(toArray(message)),
    decode(data, messagesMax) {
      const values = decodeRun(data, messagesMax);
      if (!values.ok) return values;
      const messages: MessageOf<D>[] = [];
      for (const value of values.value) {
        const known = Array.isArray(value) && Number.isInteger(value[0]);
        if (!known) return err("malformed");
        if (!byTag.has(value[0] as number)) continue;
        const message = fromArray(value);
        if (message === undefined) return err("malformed");
        messages.push(message);
      }
      return ok(messages);
    },
  };
}

/** The fields of a tuple in order. Snapshots have thousands, so what can be is found out once. */
type Layout = readonly {
  readonly name: string;
  readonly field: Field<unknown>;
  /** Undefined where the value is carried as it is. */
  readonly positions: ((value: unknown) => unknown) | undefined;
}[];

function layoutOf(fields: Fields): Layout {
  return Object.entries(fields).map(([name, field]) => {
    return { name, field, positions: positionsBy(field) };
  });
}

/** Appends the fields of an object that `readFields` read. */
function positionsOf(
  layout: Layout,
  values: Readonly<Record<string, unknown>>,
  array: unknown[],
): unknown[] {
  for (const { name, positions } of layout) {
    const value = values[name] ?? null;
    array.push(positions === undefined || value === null ? value : positions(value));
  }
  return array;
}

/** Objects made by `tuple` go back to positions; everything else is as msgpack carries it. */
function positionsBy({ shape }: Field<unknown>): Layout[number]["positions"] {
  if (shape?.kind === "tuple")
    return (value) => positionsOf(shape.layout, value as Record<string, unknown>, []);
  if (shape?.kind !== "nullable" && shape?.kind !== "list") return undefined;
  const positions = positionsBy(shape.item);
  if (positions === undefined || shape.kind === "nullable") return positions;
  return (value) =>
    (value as readonly unknown[]).map((item) => (item === null ? null : positions(item)));
}
