import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InLinks } from "../../src/bus/link.ts";
import { EPOCH_NONE, type Epoch } from "../../src/kernel/epoch.ts";
import { gatewayToClient } from "../../src/protocol/client-messages.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { decodeFrame, decodePose, encodeFrame, encodePose } from "../../src/protocol/frame.ts";
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from "../../src/protocol/journal-record.ts";
import { decode, decodeRun, encode } from "../../src/protocol/msgpack.ts";
import { applyPatches, PATCHES } from "../../src/protocol/patches.ts";
import { packRow, rowsFromBytes, unpackRow } from "../../src/protocol/pose-row.ts";
import { BATCH_HEAD, ROOM_IMAGE } from "../../src/protocol/room-messages.ts";
import { arbitraryOf, FAMILIES, messagesOf, plainValue } from "../support/protocol-families.ts";
import { hex, readVectors, vectorFiles } from "../support/vectors.ts";

/** Everything that reads bytes from outside. None may throw, whatever they are. */
const DECODERS: Record<string, (data: Uint8Array) => unknown> = {
  decode,
  decodeRun: (data) => decodeRun(data, 64),
  decodeFrame,
  decodePose,
  decodeRecord,
  decodeControl,
  rowsFromBytes,
  batch: (data) => new InLinks().receive(data),
  ...Object.fromEntries(
    Object.entries(FAMILIES).map(([name, family]) => [
      name,
      (data: Uint8Array) => family.decode(data, 64),
    ]),
  ),
};

function feedAll(data: Uint8Array): void {
  for (const [name, read] of Object.entries(DECODERS)) {
    try {
      read(data);
    } catch (error) {
      throw new Error(`${name} threw on ${hex(data)}`, { cause: error });
    }
  }
}

const bounds = { lengthMax: 24 };
const golden = vectorFiles().flatMap((file) => readVectors(file).map(({ bytes }) => bytes));

describe("decoders never throw", () => {
  it("[PR8] on random bytes, of every first byte", () => {
    const bytes = fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 80 }));
    fc.assert(
      fc.property(bytes, ([first, rest]) => feedAll(new Uint8Array([first, ...rest]))),
      { numRuns: 4000 },
    );
    feedAll(new Uint8Array());
  });

  it("[PR8] on golden bytes with a few bytes changed, cut out or doubled", () => {
    const damage = fc.record({
      vector: fc.nat(golden.length - 1),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      from: fc.nat(),
      length: fc.nat(8),
      doubled: fc.boolean(),
    });
    fc.assert(
      fc.property(damage, ({ vector, changes, from, length, doubled }) => {
        const bytes = (golden[vector] as Uint8Array).slice();
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        const start = from % (bytes.length + 1);
        const again = doubled ? start : start + length;
        feedAll(new Uint8Array([...bytes.slice(0, start + length), ...bytes.slice(again)]));
        feedAll(new Uint8Array([...bytes.slice(0, start), ...bytes.slice(start + length)]));
      }),
      { numRuns: 3000 },
    );
  });

  it("[PR8] on well-formed msgpack of any shape", () => {
    fc.assert(
      fc.property(fc.array(plainValue, { maxLength: 12 }), fc.nat(20), (values, tag) => {
        feedAll(encode([tag, ...values]));
        for (const family of Object.values(FAMILIES)) family.fromArray([tag, ...values]);
        for (const value of values) {
          BATCH_HEAD(value);
          ROOM_IMAGE(value);
          const patches = PATCHES(value);
          if (patches) applyPatches({}, patches);
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe("round trips", () => {
  it.each(Object.entries(FAMILIES))("[PR9] %s: every message comes back", (name, family) => {
    const seen = new Set<string>();
    for (const messages of messagesOf(family, bounds)) {
      fc.assert(
        fc.property(messages, (message) => {
          seen.add(message.type);
          if (name === "journalRecord") {
            const data = encodeRecord(message as JournalRecord);
            expect(decodeRecord(data)).toEqual(message);
            return;
          }
          const data = family.encode(message);
          expect(family.decode(data, 1)).toEqual({ ok: true, value: [message] });
        }),
        { numRuns: 60 },
      );
    }
    expect([...seen].sort()).toEqual(Object.keys(family.definitions).sort());
  });

  it.each(Object.entries(FAMILIES))("[PR9] [PR10] %s: what is added is ignored", (_, family) => {
    const message = fc.oneof(...messagesOf(family, bounds));
    const grown = fc.tuple(message, fc.array(plainValue, { minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(grown, ([known, added]) => {
        const array = decode(family.encode(known));
        if (!array.ok) throw new Error("does not decode");
        const later = encode([...(array.value as unknown[]), ...added]);
        const unknown = encode([200, ...added]);
        const run = new Uint8Array([...unknown, ...later, ...unknown]);
        if (_ !== "journalRecord" || known.type !== "batch")
          expect(family.decode(run, 3)).toEqual({ ok: true, value: [known] });
      }),
      { numRuns: 100 },
    );
  });

  it("[PR46] a record with an entry that is not known is no record", () => {
    const [, , , , , , , ...rest] = messagesOf(FAMILIES.journalRecord, bounds);
    expect(rest).toEqual([]);
    const batch = messagesOf(FAMILIES.journalRecord, bounds)[1];
    if (!batch) throw new Error("no batch");
    fc.assert(
      fc.property(batch, (record) => {
        const array = decode(encodeRecord(record as JournalRecord));
        if (!array.ok) throw new Error("does not decode");
        const values = array.value as unknown[];
        const entries = values[8] as unknown[];
        expect(decodeRecord(encode([...values.slice(0, 8), entries]))).toBeDefined();
        const later = encode([...values.slice(0, 8), [...entries, [99, 1]]]);
        expect(decodeRecord(later)).toBeUndefined();
        expect(decodeRecord(encode([99, ...values.slice(1)]))).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it("[PR24] [PR26] frames", () => {
    // Rows among them are the frame's own; they have a property of their own below.
    const message = fc
      .oneof(...messagesOf(FAMILIES.gatewayToClient, bounds))
      .filter(({ type }) => type !== "rows");
    const messages = fc.array(message, { maxLength: 4 });
    const head = fc.record({
      channel: fc.nat(255),
      tick: fc.nat(0xffffffff),
      at: fc.double({ noNaN: true, noDefaultInfinity: true }),
      epoch: fc.maxSafeNat() as fc.Arbitrary<unknown> as fc.Arbitrary<Epoch>,
      index: fc.maxSafeNat(),
    });
    const rows = fc.array(fc.nat(0xffffffff), { maxLength: 32 });
    fc.assert(
      fc.property(head, rows, messages, (fields, words, tail) => {
        const count = Math.floor(words.length / 4);
        const used = Uint32Array.from(words.slice(0, count * 4));
        const encoded = tail.map((message) => FAMILIES.gatewayToClient?.encode(message));
        const data = encodeFrame(fields, used, count, encoded as Uint8Array[]);
        expect(decodeFrame(data)).toEqual({
          ok: true,
          value: { ...fields, rows: used, messages: tail },
        });
      }),
      { numRuns: 200 },
    );
  });

  it("[PR58] rows that ride a frame are its own, wherever among its messages they are", () => {
    const words = fc
      .array(fc.nat(0xffffffff), { maxLength: 32 })
      .map((all) => Uint32Array.from(all.slice(0, all.length - (all.length % 4))));
    const head = { channel: 0, tick: 1, at: 0, epoch: EPOCH_NONE, index: 1 };
    const left = { type: "retryAfter", afterMs: 1 } as const;
    fc.assert(
      fc.property(words, words, words, fc.nat(15), (shared, first, second, cut) => {
        const tail = ({ buffer }: Uint32Array) =>
          gatewayToClient.encode({ type: "rows", rows: new Uint8Array(buffer) });
        const run = [tail(first), gatewayToClient.encode(left), tail(second)];
        const frame = decodeFrame(encodeFrame(head, shared, shared.length / 4, run));
        const rows = Uint32Array.from([...shared, ...first, ...second]);
        expect(frame).toEqual({ ok: true, value: { ...head, rows, messages: [left] } });
        const broken = gatewayToClient.encode({ type: "rows", rows: new Uint8Array(cut) });
        expect(decodeFrame(encodeFrame(head, shared, 0, [broken])).ok).toBe(cut === 0);
      }),
    );
  });

  it("[PR21] [PR27] poses and rows: any row unpacks, and packs to itself", () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0x7fffffff)),
        fc.nat(65535),
        (words, counter) => {
          const row = Uint32Array.from(words);
          expect(decodePose(encodePose(9, counter, row))).toEqual({ channel: 9, counter, row });
          const packed = new Uint32Array(4);
          packRow(packed, 0, words[0] & 0xffff, (words[0] >>> 16) & 0xff, unpackRow(row, 0));
          const again = new Uint32Array(4);
          packRow(again, 0, words[0] & 0xffff, (words[0] >>> 16) & 0xff, unpackRow(packed, 0));
          // What no sender writes (-128 of pitch, -16 of reach) moves by one step, then stays.
          expect(again).toEqual(packed);
          expect(packed[0]).toBe(row[0]);
          expect(packed[1]).toBe(row[1]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("[PR43] a room image is read from what its fields say", () => {
    const { fields } = ROOM_IMAGE;
    const image = fc.record(
      Object.fromEntries(
        Object.entries(fields).map(([name, field]) => [name, arbitraryOf(field, bounds)]),
      ),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(image, (value) => {
        const { world, tickHz, at, state, rows } = value;
        const array = decode(encode([world, tickHz, at, state, [], rows]));
        expect(array.ok && ROOM_IMAGE(array.value)).toEqual({ ...value, members: [] });
      }),
      { numRuns: 50 },
    );
  });
});
