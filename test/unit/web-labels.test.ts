import { describe, expect, test } from "vitest";
import { type Random, seededRandom } from "../../src/kernel/random.ts";
import { LABELS_MAX, type LabelBox, layOut, rankOf } from "../../src/web/label-layout.ts";

const box = (given: Partial<LabelBox> & { readonly rank: number }): LabelBox => ({
  left: 100,
  bottom: 100,
  width: 60,
  height: 20,
  clear: false,
  ...given,
});

const OVERLAP_PX_MAX = 5;
const across = (a: LabelBox, b: LabelBox): number =>
  (a.width + b.width) / 2 - Math.abs(a.left - b.left);
const down = (a: LabelBox, b: LabelBox): number =>
  Math.min(a.bottom, b.bottom) - Math.max(a.bottom - a.height, b.bottom - b.height);

function crowd(random: Random, people: number): LabelBox[] {
  return Array.from({ length: people }, () => {
    const distance = 2 + random.next() * 28;
    return box({
      left: random.next() * 1280,
      bottom: 200 + random.next() * 150,
      width: 40 + random.next() * 80,
      height: random.next() < 0.1 ? 70 : 20,
      rank: distance,
    });
  });
}

describe("names in a crowd", () => {
  test("[DM7] no two that are seen cover each other, and they are few", () => {
    const random = seededRandom(7);
    let most = 0;
    for (let round = 0; round < 200; round += 1) {
      const labels = crowd(random, 1 + Math.floor(random.next() * 120));
      layOut(labels);
      // Once more as the next frame does, with those that were seen in their places.
      for (const label of labels) label.left += random.next() * 4;
      layOut(labels);
      const seen = labels.filter(({ clear }) => clear);
      most = Math.max(most, seen.length);
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.length).toBeLessThanOrEqual(LABELS_MAX);
      for (const [i, a] of seen.entries())
        for (const b of seen.slice(i + 1))
          expect(Math.min(across(a, b), down(a, b))).toBeLessThanOrEqual(OVERLAP_PX_MAX);
    }
    expect(most, "the bound was met").toBe(LABELS_MAX);
  });

  test("[DM7] one that is hidden is covered by a better one, or over the bound", () => {
    const random = seededRandom(8);
    for (let round = 0; round < 200; round += 1) {
      const labels = crowd(random, 60);
      layOut(labels);
      const seen = labels.filter(({ clear }) => clear);
      if (seen.length === LABELS_MAX) continue;
      for (const hidden of labels.filter(({ clear }) => !clear)) {
        const why = seen.filter((one) => Math.min(across(one, hidden), down(one, hidden)) > -3);
        expect(why.some(({ rank }) => rank <= hidden.rank)).toBe(true);
      }
    }
  });

  const at = { distance: 10, speaks: false, mine: false, clear: false };
  test.each([
    ["a nearer one over a farther one", { ...at, distance: 9 }, at],
    ["who speaks over whoever is near", { ...at, distance: 25, speaks: true }, at],
    ["anybody over my own", { ...at, distance: 29 }, { ...at, distance: 4, mine: true }],
    ["me, if I speak", { ...at, speaks: true, mine: true }, at],
    [
      "who is there already over who is hardly nearer",
      { ...at, clear: true },
      { ...at, distance: 9.5 },
    ],
    ["but not over who is much nearer", { ...at, distance: 5 }, { ...at, clear: true }],
  ])("[DM7] %s", (_, better, worse) => {
    expect(rankOf(better)).toBeLessThan(rankOf(worse));
    const labels = [box({ rank: rankOf(worse) }), box({ rank: rankOf(better) })];
    layOut(labels);
    expect(labels.map(({ clear }) => clear)).toEqual([true, false]);
    expect(labels[0]?.rank).toBe(rankOf(better));
  });

  test("[DM7] two that brush past each other do not flicker", () => {
    const a = box({ rank: 1 });
    const b = box({ rank: 2, left: 163 });
    let changes = 0;
    let before = false;
    for (let frame = 0; frame < 100; frame += 1) {
      // A person's sway: 2 pixels to and fro at the edge of the other name.
      b.left = 161 + Math.sin(frame / 3) * 2;
      const labels = [a, b];
      layOut(labels);
      if (b.clear !== before) changes += 1;
      before = b.clear;
    }
    expect(changes).toBe(1);
  });
});
