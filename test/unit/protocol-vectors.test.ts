import { describe, expect, it } from "vitest";
import { InLinks, OutLink } from "../../src/bus/link.ts";
import { parseEpoch } from "../../src/kernel/epoch.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { decodeFrame, decodePose, encodeFrame, encodePose } from "../../src/protocol/frame.ts";
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from "../../src/protocol/journal-record.ts";
import {
  bytesOfRows,
  type Pose,
  packRow,
  ROW_WORDS,
  rowGeneration,
  rowSlot,
  rowsFromBytes,
  unpackRow,
} from "../../src/protocol/pose-row.ts";
import { type BatchHead, roomToGateway } from "../../src/protocol/room-messages.ts";
import { type AnyFamily, FAMILIES, isNullable } from "../support/protocol-families.ts";
import { hex, parseVectorJson, readVectors, type Vector, vectorFiles } from "../support/vectors.ts";

type Message = { readonly type: string } & Record<string, unknown>;
const MESSAGES_MAX = 1024;

const fileOf = (family: string): string =>
  `${family.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.hex`;
const familyOf = (name: string): AnyFamily => {
  const family = FAMILIES[name];
  if (!family) throw new Error(`no family ${name}`);
  return family;
};
const messageOf = ({ comment }: Vector): Message => parseVectorJson(comment) as Message;
const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const wordsOf = (bytes: Uint8Array): Uint32Array => {
  const words = rowsFromBytes(bytes);
  if (!words) throw new Error("not rows");
  return words;
};

function encodeOf(name: string, message: Message): Uint8Array {
  return name === "journalRecord"
    ? encodeRecord(message as unknown as JournalRecord)
    : familyOf(name).encode(message);
}

function decodeOf(name: string, bytes: Uint8Array): unknown {
  if (name === "journalRecord") return decodeRecord(bytes);
  if (name === "frame") return refusedAsUndefined(decodeFrame(bytes));
  if (name === "pose") return decodePose(bytes);
  const messages = refusedAsUndefined(familyOf(name).decode(bytes, MESSAGES_MAX));
  return messages?.length === 1 ? messages[0] : messages;
}

const refusedAsUndefined = <T>(
  result: { ok: true; value: T } | { ok: false; error: string },
): T | undefined => (result.ok ? result.value : undefined);

describe.each(Object.keys(FAMILIES))("golden vectors of %s", (name) => {
  const vectors = readVectors(fileOf(name));

  it("[PR12] every message has one, every nullable field is there both ways", () => {
    const messages = vectors.map(messageOf);
    const missing: string[] = [];
    for (const [type, [, fields]] of Object.entries(familyOf(name).definitions)) {
      const those = messages.filter((message) => message.type === type);
      if (those.length === 0) missing.push(type);
      for (const [field, reader] of Object.entries(fields)) {
        if (!isNullable(reader)) continue;
        if (!those.some((message) => message[field] === null)) missing.push(`${type}.${field} nil`);
        if (!those.some((message) => message[field] !== null)) missing.push(`${type}.${field} set`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("[PR12] encode gives these bytes, decode gives the message back", () => {
    for (const vector of vectors) {
      const message = messageOf(vector);
      expect(hex(encodeOf(name, message)), vector.where).toBe(hex(vector.bytes));
      expect(decodeOf(name, vector.bytes), vector.where).toEqual(message);
    }
  });

  it("[PR8] cut at any byte it is refused, and nothing throws", () => {
    for (const { bytes, where } of vectors) {
      for (let length = 1; length < bytes.length; length++)
        expect(decodeOf(name, bytes.slice(0, length)), `${where} cut at ${length}`).toBeUndefined();
    }
  });
});

describe("vectors of everything else", () => {
  it("[PR12] there is no file that no test reads", () => {
    const families = Object.keys(FAMILIES).map(fileOf);
    const others = ["batch", "frame", "lenient", "malformed", "pose", "row"];
    expect(vectorFiles().sort()).toEqual([...families, ...others.map((o) => `${o}.hex`)].sort());
  });

  it("[PR21] rows: packed to these bytes, unpacked to within half a step", () => {
    for (const vector of readVectors("row.hex")) {
      const { slot, generation, pose } = messageOf(vector) as unknown as {
        readonly slot: number;
        readonly generation: number;
        readonly pose: Pose;
      };
      const words = new Uint32Array(ROW_WORDS);
      packRow(words, 0, slot, generation, pose);
      expect(hex(bytesOfRows(words, 1)), vector.where).toBe(hex(vector.bytes));
      expect([rowSlot(words, 0), rowGeneration(words, 0)]).toEqual([slot, generation]);
      const back = unpackRow(words, 0);
      expect(back.animation).toBe(pose.animation);
      packRow(words, 0, slot, generation, back);
      expect(hex(bytesOfRows(words, 1)), `${vector.where} packed again`).toBe(hex(vector.bytes));
      if (Math.abs(pose.x) > 8388.608) continue;
      expect(Math.abs(back.x - pose.x)).toBeLessThanOrEqual(0.000501);
      expect(Math.abs(back.y - pose.y)).toBeLessThanOrEqual(0.002001);
      expect(Math.abs(back.pitch - pose.pitch)).toBeLessThanOrEqual(Math.PI / 507);
      expect(Math.cos(back.yaw - pose.yaw)).toBeGreaterThan(Math.cos(Math.PI / 255));
      for (const axis of [0, 1, 2] as const)
        expect(Math.abs(back.reach[axis] - pose.reach[axis])).toBeLessThanOrEqual(1 / 32);
    }
  });

  it("[PR26] [PR58] frames, and none that is cut short of its rows", () => {
    for (const { comment, bytes, where } of readVectors("frame.hex")) {
      const frame = parseVectorJson(comment) as {
        channel: number;
        tick: number;
        at: number;
        epoch: number;
        index: number;
        rows: Uint8Array;
        tail?: Uint8Array;
        messages: Message[];
      };
      const { tail = new Uint8Array(), ...plain } = frame;
      const own = tail.length > 0 ? [{ type: "rows", rows: tail }] : [];
      const epoch = parseEpoch(frame.epoch);
      if (epoch === undefined) throw new Error(`${where}: not an epoch`);
      const words = wordsOf(frame.rows);
      const run = [...own, ...frame.messages].map((each) => encodeOf("gatewayToClient", each));
      const count = words.length / ROW_WORDS;
      expect(hex(encodeFrame({ ...plain, epoch }, words, count, run)), where).toBe(hex(bytes));
      const decoded = decodeOf("frame", bytes);
      expect(decoded, where).toEqual({ ...plain, rows: wordsOf(joined(frame.rows, tail)) });
      for (let length = 0; length < 32 + frame.rows.length; length++)
        expect(decodeOf("frame", bytes.slice(0, length)), `${where} at ${length}`).toBeUndefined();
      for (let length = 33 + frame.rows.length; length < bytes.length; length++) {
        const cut = decodeFrame(bytes.slice(0, length));
        const told = cut.ok ? cut.value.messages.length + cut.value.rows.length : 0;
        expect(told, where).toBeLessThan(
          frame.messages.length + (frame.rows.length + tail.length) / 4,
        );
      }
    }
  });

  it("[PR27] poses", () => {
    for (const { comment, bytes, where } of readVectors("pose.hex")) {
      const pose = parseVectorJson(comment) as {
        channel: number;
        counter: number;
        row: Uint8Array;
      };
      const row = wordsOf(pose.row);
      expect(hex(encodePose(pose.channel, pose.counter, row)), where).toBe(hex(bytes));
      expect(decodePose(bytes), where).toEqual({ ...pose, row });
      for (let length = 0; length < bytes.length; length++)
        expect(decodePose(bytes.slice(0, length))).toBeUndefined();
    }
  });

  it("[PR43] batches: written by one end of a link, read by the other", () => {
    for (const { comment, bytes, where } of readVectors("batch.hex")) {
      const batch = parseVectorJson(comment) as BatchHead & { messages: Message[] };
      const sent: Uint8Array[] = [];
      const bus = { publish: (_: string, data: Uint8Array) => void sent.push(data) };
      const options = { self: batch.from, subject: "s", flushMs: 5 };
      const link = new OutLink(bus, new ManualClock(), options);
      for (const message of batch.messages) link.send(encodeOf("roomToGateway", message));
      link.flush();
      expect(sent.map(hex), where).toEqual([hex(bytes)]);
      const links = new InLinks();
      const received = links.receive(bytes);
      expect(received?.from).toBe(batch.from);
      expect(received?.messages.map((value) => roomToGateway.fromArray(value))).toEqual(
        batch.messages,
      );
      for (const message of batch.messages) link.send(encodeOf("roomToGateway", message));
      link.flush();
      const second = sent[1] as Uint8Array;
      expect(links.receive(second)?.gap).toBe(false);
      expect(links.receive(second), "the same batch again").toBeUndefined();
      expect(links.receive(bytes)?.gap, "a sender that begins again").toBe(true);
      for (let length = 0; length < bytes.length; length++)
        new InLinks().receive(bytes.slice(0, length));
    }
  });

  it.each(readVectors("lenient.hex"))("[PR5] [PR9] [PR10] taken: $where", ({ comment, bytes }) => {
    const { family, messages } = JSON.parse(comment) as { family: string; messages: Message[] };
    expect(refusedAsUndefined(familyOf(family).decode(bytes, MESSAGES_MAX))).toEqual(messages);
  });

  it.each(readVectors("malformed.hex"))("[PR4] [PR6] [PR7] refused: $comment", (vector) => {
    const name = vector.comment.slice(0, vector.comment.indexOf(":"));
    expect(decodeOf(name, vector.bytes)).toBeUndefined();
  });
});
