import { describe, expect, it } from "vitest";
import { InLinks, OutLink } from "../../src/bus/link.ts";
import { processId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { encode } from "../../src/protocol/msgpack.ts";

const A = processId("a.0123456789abcdef");
const B = processId("b.0123456789abcdef");

function open(self = A) {
  const sent: { subject: string; data: Uint8Array }[] = [];
  const clock = new ManualClock();
  const bus = { publish: (subject: string, data: Uint8Array) => void sent.push({ subject, data }) };
  const link = new OutLink(bus, clock, { self, subject: "d.to", flushMs: 5 });
  return { sent, clock, link, batches: () => sent.map(({ data }) => data) };
}

describe("OutLink and InLinks", () => {
  it("[LK1] send a turn's messages as one numbered batch", () => {
    const { sent, clock, link, batches } = open();
    const receive = new InLinks();
    link.send(encode([1, "one"]));
    link.send(encode([2, "two"]));
    expect(sent).toEqual([]);
    clock.advance(5);
    link.send(encode([3]));
    link.flush();
    link.flush();
    expect(sent.map(({ subject }) => subject)).toEqual(["d.to", "d.to"]);
    const [first, second] = batches().map((data) => receive.receive(data));
    expect(first).toEqual({
      from: A,
      gap: false,
      messages: [
        [1, "one"],
        [2, "two"],
      ],
    });
    expect(second).toEqual({ from: A, gap: false, messages: [[3]] });
    expect(clock.pending).toBe(0);
  });

  it("[LK2] cut a batch before it gets larger than 4 KiB", () => {
    const { sent, link, batches } = open();
    const receive = new InLinks();
    const message = encode([9, new Uint8Array(1_500)]);
    for (let i = 0; i < 5; i++) link.send(message);
    link.send(encode([9, new Uint8Array(9_000)]));
    link.flush();
    expect(sent.map(({ data }) => data.length > 4_096 + 64)).toEqual([false, false, false, true]);
    const counts = batches().map((data) => receive.receive(data)?.messages.length);
    expect(counts).toEqual([2, 2, 1, 1]);
  });

  it("[LK3] show a lost batch as one gap", () => {
    const { link, batches } = open();
    for (let i = 0; i < 5; i++) {
      link.send(encode([i]));
      link.flush();
    }
    const receive = new InLinks();
    const gaps = [0, 1, 3, 4].map((i) => receive.receive(batches()[i] as Uint8Array)?.gap);
    expect(gaps).toEqual([false, false, true, false]);
    const late = new InLinks();
    expect(late.receive(batches()[2] as Uint8Array)?.gap).toBe(true);
  });

  it("[LK7] forget who says nothing between two sweeps, except whom they keep", () => {
    const a = open(A);
    const b = open(B);
    for (let i = 0; i < 3; i++)
      for (const { link } of [a, b]) {
        link.send(encode([i]));
        link.flush();
      }
    const receive = new InLinks();
    const hear = ({ batches }: typeof a, i: number) =>
      receive.receive(batches()[i] as Uint8Array)?.gap;
    expect([hear(a, 0), hear(b, 0)]).toEqual([false, false]);
    receive.sweep(new Set());
    expect(receive.size, "both were heard").toBe(2);
    expect(hear(a, 1)).toBe(false);
    receive.sweep(new Set());
    expect(receive.size, "b was not").toBe(1);
    expect(hear(b, 2), "as if it were its first").toBe(true);
    expect(hear(b, 1), "and what is older is old").toBeUndefined();
    receive.sweep(new Set([A]));
    receive.sweep(new Set([A]));
    expect(receive.size, "b again, and a is kept").toBe(1);
    expect(hear(a, 2), "its numbers go on").toBe(false);
  });

  it("[LK4] ignore what came before and what is no batch", () => {
    const { link, batches } = open();
    for (let i = 1; i <= 4; i++) {
      link.send(encode([i]));
      link.flush();
    }
    const receive = new InLinks();
    const [, second, third, fourth] = batches();
    const hear = (batch: Uint8Array | undefined) => receive.receive(batch ?? new Uint8Array(0));
    expect(hear(third)?.messages).toEqual([[3]]);
    expect(hear(third)).toBeUndefined();
    expect(hear(second)).toBeUndefined();
    for (const bad of ["", "00", "c1", "92a161", "93"])
      expect(hear(Uint8Array.from(Buffer.from(bad, "hex")))).toBeUndefined();
    expect(hear(fourth?.subarray(0, fourth.length - 1))).toBeUndefined();
    expect(hear(fourth)?.gap).toBe(false);
    const other = open(B);
    other.link.send(encode([7]));
    other.link.flush();
    expect(hear(other.batches()[0])).toMatchObject({ from: B, gap: false });
  });

  it("[LK6] begin again with a sender that does", () => {
    const receive = new InLinks();
    const before = open();
    for (let i = 0; i < 3; i++) {
      before.link.send(encode([i]));
      before.link.flush();
    }
    for (const batch of before.batches()) receive.receive(batch);
    const after = open();
    after.link.send(encode(["again"]));
    after.link.flush();
    after.link.send(encode(["next"]));
    after.link.flush();
    const [first, next] = after.batches().map((batch) => receive.receive(batch));
    expect(first).toEqual({ from: A, gap: true, messages: [["again"]] });
    expect(next).toEqual({ from: A, gap: false, messages: [["next"]] });
  });

  it("[LK5] publish nothing after they are closed", () => {
    const { sent, clock, link } = open();
    link.send(encode([1]));
    link.close();
    clock.advance(100);
    link.flush();
    expect(sent).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
