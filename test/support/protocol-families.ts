import fc from "fast-check";
import { EPOCH_NONE, epochAt } from "../../src/kernel/epoch.ts";
import type { Result } from "../../src/kernel/result.ts";
import {
  CLIENT_EVENT,
  CLIENT_RECORD,
  CURSOR,
  clientToGateway,
  gatewayToClient,
  MEMBER,
  PROFILE,
  ROLE,
  SEAT,
} from "../../src/protocol/client-messages.ts";
import { MEMBERSHIP_CODES } from "../../src/protocol/close-codes.ts";
import { control, HOSTED_WORLD, PROPOSAL, ROUTE } from "../../src/protocol/control-messages.ts";
import { journalEntry, journalRecord } from "../../src/protocol/journal-record.ts";
import { PATCH, PATCHES } from "../../src/protocol/patches.ts";
import {
  BATCH_HEAD,
  gatewayToRoom,
  ROOM_EVENT,
  ROOM_IMAGE,
  ROOM_RECORD,
  roomToGateway,
} from "../../src/protocol/room-messages.ts";
import {
  ANY,
  BOOLEAN,
  COUNT,
  EPOCH,
  type Field,
  NUMBER,
  PERSON,
  PROCESS,
  ROOM,
  SESSION,
  type Shape,
  U8,
  U16,
  U32,
  WORLD,
} from "../../src/protocol/shape.ts";
import { LETTER, WARM_STATE } from "../../src/protocol/warm-state.ts";

type Fields = Record<string, Field<unknown>>;
type Tagged = { readonly type: string };

/** A family as the tests treat it: all of them alike. */
export interface AnyFamily {
  readonly definitions: Record<string, readonly [tag: number, fields: Fields]>;
  encode(message: Tagged): Uint8Array;
  fromArray(value: unknown): Tagged | undefined;
  decode(data: Uint8Array, messagesMax: number): Result<Tagged[], string>;
}

export const FAMILIES = {
  clientToGateway,
  gatewayToClient,
  gatewayToRoom,
  roomToGateway,
  control,
  journalEntry,
  journalRecord,
} as unknown as Record<string, AnyFamily>;

const NAMES = new Map<Field<unknown>, string>([
  [U8, "u8"],
  [U16, "u16"],
  [U32, "u32"],
  [COUNT, "count"],
  [NUMBER, "number"],
  [BOOLEAN, "bool"],
  [ANY, "any"],
  [EPOCH, "epoch"],
  [ROOM, "room"],
  [PROCESS, "process"],
  [SESSION, "session"],
  [PERSON, "person"],
  [WORLD, "world"],
  [PATCH, "patch"],
  [PATCHES, "[patch]≤4096"],
  [ROLE, "role"],
  [PROFILE, "profile"],
  [CURSOR, "cursor"],
  [MEMBER, "member"],
  [SEAT, "seat"],
  [CLIENT_EVENT, "event"],
  [CLIENT_RECORD, "record"],
  [ROOM_EVENT, "room event"],
  [ROOM_RECORD, "room record"],
  [HOSTED_WORLD, "hosted world"],
  [PROPOSAL, "proposal"],
  [ROUTE, "route"],
  [LETTER, "letter"],
]);

/** Structures that SPEC.md lists by name. */
export const STRUCTURES = {
  profile: PROFILE,
  cursor: CURSOR,
  member: MEMBER,
  seat: SEAT,
  event: CLIENT_EVENT,
  record: CLIENT_RECORD,
  "room event": ROOM_EVENT,
  "room record": ROOM_RECORD,
  "room image": ROOM_IMAGE,
  "batch head": BATCH_HEAD,
  "hosted world": HOSTED_WORLD,
  proposal: PROPOSAL,
  route: ROUTE,
  letter: LETTER,
  "warm state": WARM_STATE,
} as const;

/** How SPEC.md writes a field's type. */
export function notation(field: Field<unknown>, expand = false): string {
  const name = NAMES.get(field);
  if (name !== undefined && !expand) return name;
  const { shape } = field;
  switch (shape?.kind) {
    case undefined:
      return "entry";
    case "uint":
      return `uint≤${shape.max}`;
    case "text":
    case "bytes":
      return `${shape.kind}≤${shape.max}`;
    case "oneOf":
      return shape.choices.join() === MEMBERSHIP_CODES.join()
        ? "membership code"
        : shape.choices.join("/");
    case "list":
      return `[${notation(shape.item)}]≤${shape.max}`;
    case "nullable":
      return `${notation(shape.item)}?`;
    case "tuple":
      return `(${fieldsNotation(shape.fields)})`;
  }
}

export const fieldsNotation = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, field]) => `${name} ${notation(field)}`)
    .join(", ");

export interface Bounds {
  /** Lists, texts and byte strings stay this short even where more is allowed. */
  readonly lengthMax: number;
}

const TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const characters = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const process = fc
  .tuple(characters(TOKEN_CHARACTERS, 1, 48), characters("0123456789abcdef", 16, 16))
  .map((parts) => parts.join("."));
const room = fc
  .tuple(characters(TOKEN_CHARACTERS, 1, 48), characters(TOKEN_CHARACTERS, 1, 64))
  .map((parts) => parts.join("/"));

/** What msgpack carries and gives back unchanged. */
export const plainValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1, 0.5, 2 ** 40, "", "text", "ünï"),
    fc.integer(),
    fc.double({ noNaN: true }).map((number) => number + 0),
    fc.uint8Array({ maxLength: 8 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("a", "b", "length", "0", "key"), tie("value"), { maxKeys: 4 }),
  ),
})).value;

const key = fc.oneof(fc.constantFrom("a", "b", "length", "0"), fc.nat({ max: 5 }));
const patch = fc.tuple(
  fc.constantFrom(0, 1, 2),
  fc.array(key, { minLength: 1, maxLength: 16 }),
  plainValue,
);

const KNOWN = new Map<Field<unknown>, fc.Arbitrary<unknown>>([
  [COUNT, fc.maxSafeNat()],
  [NUMBER, fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0)],
  [BOOLEAN, fc.boolean()],
  [ANY, plainValue],
  [
    EPOCH,
    fc.oneof(
      fc.constant(EPOCH_NONE),
      fc
        .tuple(fc.nat({ max: 8191 }), fc.integer({ min: 1, max: 2 ** 40 - 1 }))
        .map(([generation, sequence]) => epochAt(generation, sequence)),
    ),
  ],
  [ROOM, room],
  [PROCESS, process],
  [SESSION, characters(TOKEN_CHARACTERS, 22, 22)],
  [PERSON, characters("abcü漢😀 -", 1, 128)],
  [WORLD, characters(TOKEN_CHARACTERS, 1, 64)],
  [PATCH, patch],
]);

/** Values of a field, read from what the field itself says it accepts. */
export function arbitraryOf(field: Field<unknown>, bounds: Bounds): fc.Arbitrary<unknown> {
  const known = KNOWN.get(field);
  if (known) return known;
  const { shape } = field;
  if (shape === undefined) return fc.oneof(...messagesOf(FAMILIES.journalEntry, bounds));
  return ofShape(shape, bounds);
}

function ofShape(shape: Shape, bounds: Bounds): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "uint":
      return fc.oneof(fc.constantFrom(0, shape.max), fc.integer({ min: 0, max: shape.max }));
    case "text":
      return fc
        .string({ unit: "grapheme", maxLength: Math.min(shape.max, bounds.lengthMax) })
        .filter((text) => text.length <= shape.max);
    case "bytes":
      return fc.uint8Array({ maxLength: Math.min(shape.max, bounds.lengthMax) });
    case "oneOf":
      return fc.constantFrom(...shape.choices);
    case "list":
      return fc.array(arbitraryOf(shape.item, bounds), {
        maxLength: Math.min(shape.max, bounds.lengthMax, 4),
      });
    case "nullable":
      return fc.option(arbitraryOf(shape.item, bounds), { nil: null });
    case "tuple":
      return ofFields(shape.fields, bounds);
  }
}

const ofFields = (fields: Fields, bounds: Bounds): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, arbitraryOf(field, bounds)]),
    ),
    { noNullPrototype: true },
  );

/** One arbitrary for each message of a family. */
export function messagesOf(family: AnyFamily | undefined, bounds: Bounds): fc.Arbitrary<Tagged>[] {
  return Object.entries(family?.definitions ?? {}).map(([type, [, fields]]) =>
    ofFields(fields, bounds).map((values) => ({ type, ...values })),
  );
}

export const isNullable = (field: Field<unknown>): boolean => field.shape?.kind === "nullable";
