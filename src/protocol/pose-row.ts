/**
 * Where an avatar is and what it does, in metres and radians. `reach` is the hand, relative to the
 * avatar, within 0.9 m a side: an item that is held is drawn there, so that its transform needs no
 * row of its own.
 */
export interface Pose {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Heading about the vertical axis, -π to π. */
  readonly yaw: number;
  /** Up and down gaze, -π/2 to π/2. */
  readonly pitch: number;
  readonly reach: readonly [x: number, y: number, z: number];
  /** An animation state of the world's choosing, 0 to 127. */
  readonly animation: number;
}

/** A row in words of 32 bits (SPEC.md, Rows). Absolute, so any later row heals a lost one. */
export const ROW_WORDS = 4;
export const ROW_BYTES = 16;
/** Set in the animation byte by the room: the person's connection is gone, the seat is held. */
export const AWAY_FLAG = 0x80;
export const POSITION_MAX_M = 8388;
export const HEIGHT_MAX_M = 131;

const clamp = (value: number, low: number, high: number): number =>
  value < low ? low : value > high ? high : value;
const turn = (radians: number): number => Math.round((radians / (2 * Math.PI)) * 256) & 0xff;
const reach5 = (metres: number): number => clamp(Math.round(metres * 16), -15, 15) & 0x1f;
const signed5 = (bits: number): number => ((bits << 27) >> 27) / 16;

/** Writes the row of a pose into `words` at word `at`. */
export function packRow(
  words: Uint32Array,
  at: number,
  slot: number,
  generation: number,
  pose: Pose,
): void {
  const x = clamp(Math.round(pose.x * 1000), -8388608, 8388607) & 0xffffff;
  const z = clamp(Math.round(pose.z * 1000), -8388608, 8388607) & 0xffffff;
  const y = clamp(Math.round(pose.y * 250), -32768, 32767) & 0xffff;
  const pitch = clamp(Math.round((pose.pitch / Math.PI) * 254), -127, 127) & 0xff;
  const [rx, ry, rz] = pose.reach;
  const hand = reach5(rx) | (reach5(ry) << 5) | (reach5(rz) << 10);
  words[at] = slot | (generation << 16) | ((pose.animation & 0xff) << 24);
  words[at + 1] = x | (turn(pose.yaw) << 24);
  words[at + 2] = z | (pitch << 24);
  words[at + 3] = y | (hand << 16);
}

export const rowSlot = (words: Uint32Array, at: number): number => (words[at] as number) & 0xffff;
export const rowGeneration = (words: Uint32Array, at: number): number =>
  ((words[at] as number) >>> 16) & 0xff;
export const rowX = (words: Uint32Array, at: number): number =>
  (((words[at + 1] as number) << 8) >> 8) / 1000;
export const rowZ = (words: Uint32Array, at: number): number =>
  (((words[at + 2] as number) << 8) >> 8) / 1000;

/** The pose in a row, animation with its away flag. */
export function unpackRow(words: Uint32Array, at: number): Pose {
  const w1 = words[at + 1] as number;
  const w2 = words[at + 2] as number;
  const w3 = words[at + 3] as number;
  const yaw = ((w1 >>> 24) / 256) * 2 * Math.PI;
  const hand = w3 >>> 16;
  return {
    x: rowX(words, at),
    y: ((w3 << 16) >> 16) / 250,
    z: rowZ(words, at),
    yaw: yaw > Math.PI ? yaw - 2 * Math.PI : yaw,
    pitch: ((((w2 >>> 24) << 24) >> 24) / 254) * Math.PI,
    reach: [signed5(hand), signed5(hand >>> 5), signed5(hand >>> 10)],
    animation: (words[at] as number) >>> 24,
  };
}

/** Rows on the wire are little-endian; so is every machine we run on, but a copy aligns them. */
export function rowsFromBytes(data: Uint8Array): Uint32Array | undefined {
  if (data.length % ROW_BYTES !== 0) return undefined;
  const words = new Uint32Array(data.length / 4);
  new Uint8Array(words.buffer).set(data);
  return words;
}

/** The bytes of `count` rows, as a copy. */
export const bytesOfRows = (words: Uint32Array, count: number): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, count * ROW_BYTES).slice();
