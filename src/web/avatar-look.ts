/** How one person looks: fixed by who they are, so that everybody sees them the same. */
export interface Look {
  readonly shirt: number;
  readonly skin: number;
  readonly trousers: number;
  readonly hair: number;
  readonly head: HeadKind;
}

export const HEAD_KINDS = ["cap", "beanie", "bun", "bob", "curls", "hat"] as const;
export type HeadKind = (typeof HEAD_KINDS)[number];

const SKINS = [0xffd9bd, 0xf2bd94, 0xd99a6c, 0xb5754a, 0x8a5638, 0x633b2a];
const HAIRS = [0x2b1d22, 0x4d2f26, 0x8a4f2c, 0xd99b4e, 0xb9462f, 0x3a3350, 0xe9dfd6];
const TROUSERS = [0x2f3358, 0x43395c, 0x564038, 0x2d4a55, 0x5b5566];
export const SHIRTS = [
  0xff6b6b, 0xff9f43, 0xfeca57, 0x2ed194, 0x1fc3d6, 0x4d96ff, 0x9b6bff, 0xff7ac2, 0xe8e4f4,
];

export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}

const pick = <T>(list: readonly T[], hash: number, fallback: T): T =>
  list[hash % list.length] ?? fallback;

/** Pulls a colour that would vanish in the dusk, or glare, to where it reads well. */
function wearable(color: number): number {
  const light = ((color >> 16) & 255) * 0.3 + ((color >> 8) & 255) * 0.59 + (color & 255) * 0.11;
  if (light >= 60) return color;
  const lift = (channel: number): number => Math.min(255, Math.round(channel * 0.75 + 62));
  return (lift((color >> 16) & 255) << 16) | (lift((color >> 8) & 255) << 8) | lift(color & 255);
}

/** `model` may name a head ("beanie"); anything else leaves it to the person's hash. */
export function lookOf(person: string, color: number | undefined, model: string): Look {
  const hash = hashOf(person);
  const head = HEAD_KINDS.find((kind) => kind === model) ?? pick(HEAD_KINDS, hash >>> 7, "bob");
  const shirt = color === undefined ? pick(SHIRTS, hash >>> 3, 0x4d96ff) : wearable(color);
  const cloth = head === "cap" || head === "beanie" || head === "hat";
  return {
    shirt,
    skin: pick(SKINS, hash >>> 11, 0xf2bd94),
    trousers: pick(TROUSERS, hash >>> 17, 0x2f3358),
    hair: cloth ? pick(SHIRTS, hash >>> 21, 0xff6b6b) : pick(HAIRS, hash >>> 21, 0x2b1d22),
    head,
  };
}
