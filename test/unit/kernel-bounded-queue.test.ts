import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedQueue } from "../../src/kernel/bounded-queue.ts";

const sizeOf = (text: string): number => text.length;

describe("a bounded queue", () => {
  it("holds as many items as it may, and says so", () => {
    const queue = new BoundedQueue<number>({ itemsMax: 2 });
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual(["queued", "queued", "full"]);
    expect([queue.length, queue.shift(), queue.push(4)]).toEqual([2, 1, "queued"]);
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([2, 4, undefined]);
  });

  it("holds as many bytes as it may; one item alone may not be larger either", () => {
    const queue = new BoundedQueue<string>({ itemsMax: 10, bytesMax: 5, sizeOf });
    expect([queue.push("123456"), queue.bytes]).toEqual(["full", 0]);
    expect([queue.push("123"), queue.push("45"), queue.push("6"), queue.push("")]).toEqual([
      "queued",
      "queued",
      "full",
      "queued",
    ]);
    expect([queue.bytes, queue.shift(), queue.bytes, queue.push("678")]).toEqual([
      5,
      "123",
      2,
      "queued",
    ]);
  });

  it("shows the first item without taking it, and forgets all at once", () => {
    const queue = new BoundedQueue<string>({ itemsMax: 3, bytesMax: 9, sizeOf });
    expect(queue.peek()).toBeUndefined();
    queue.push("a");
    queue.push("bb");
    expect([queue.peek(), queue.length]).toEqual(["a", 2]);
    queue.clear();
    expect([queue.length, queue.bytes, queue.peek(), queue.shift()]).toEqual([
      0,
      0,
      undefined,
      undefined,
    ]);
  });

  it("behaves like an array with limits, whatever is done to it", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.string({ maxLength: 6 }) },
      { weight: 2, arbitrary: fc.constant(null) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new BoundedQueue<string>({ itemsMax: 8, bytesMax: 20, sizeOf });
        const model: string[] = [];
        const bytes = (): number => model.reduce((sum, text) => sum + text.length, 0);
        for (const text of steps) {
          if (text === null) expect(queue.shift()).toBe(model.shift());
          else {
            const full = model.length >= 8 || bytes() + text.length > 20;
            expect(queue.push(text)).toBe(full ? "full" : "queued");
            if (!full) model.push(text);
          }
          expect([queue.length, queue.bytes, queue.peek()]).toEqual([
            model.length,
            bytes(),
            model[0],
          ]);
        }
      }),
    );
  });

  it("keeps order over its inner boundary, and items that are undefined", () => {
    const queue = new BoundedQueue<number | undefined>({ itemsMax: 5_000 });
    for (let i = 0; i < 5_000; i++) queue.push(i % 7 === 0 ? undefined : i);
    for (let i = 0; i < 3_000; i++) {
      expect(queue.length).toBe(5_000 - i);
      expect(queue.shift()).toBe(i % 7 === 0 ? undefined : i);
    }
    expect(queue.push(-1)).toBe("queued");
    for (let i = 3_000; i < 5_000; i++) queue.shift();
    expect([queue.shift(), queue.length]).toEqual([-1, 0]);
  });
});
