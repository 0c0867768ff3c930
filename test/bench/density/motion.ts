/**
 * What everybody sends, in the steps of the product's 16-byte row: every contestant carries these
 * whole numbers, with the precision and the fields of that row, in its own encoding.
 */
export interface Steps {
  /** In mm, signed, 24 bits. */
  readonly x: number;
  readonly z: number;
  /** In 4 mm, 0 to 65,535 as unsigned 16 bits. Holds the stamp, see below. */
  readonly y: number;
  /** In 1/256 turns. */
  readonly yaw: number;
  /** In π/254, signed. */
  readonly pitch: number;
  /** Three times 5 bits, each -15 to 15. Holds who it is, see below. */
  readonly reach: number;
  readonly animation: number;
}

/** A stamp is monotonic time in half milliseconds; it wraps after 32.8 s. */
export const STAMPS_PER_MS = 2;
export const STAMPS = 65_536;
const REACH = 31;
/** People who can be told apart in one room. */
export const PEOPLE_MAX = REACH * REACH;
const CROWD_M = 8;

export const stampAt = (ms: number): number => Math.floor(ms * STAMPS_PER_MS) % STAMPS;

/** How long ago a stamp was taken, in ms. */
export const ageOf = (stamp: number, nowMs: number): number =>
  ((((nowMs * STAMPS_PER_MS - stamp) % STAMPS) + STAMPS) % STAMPS) / STAMPS_PER_MS;

/**
 * The pose of a person at a stamp, and nothing else decides it: a receiver works it out again and
 * compares every field, so no row can be made up, mixed up or left over. Everyone walks in circles
 * of up to 8 m about the origin, at up to 1.5 m/s.
 */
export function poseOf(person: number, stamp: number): Steps {
  const angle = (stamp / STAMPS + person * 0.754) * 2 * Math.PI;
  const radius = CROWD_M * (0.1 + 0.9 * ((person * 0.618034) % 1));
  const check = ((stamp * 7 + person) % REACH) - 15;
  return {
    x: Math.round(Math.cos(angle) * radius * 1000),
    z: Math.round(Math.sin(angle) * radius * 1000),
    y: stamp,
    yaw: (Math.round((angle / (2 * Math.PI)) * 256) + 64) & 0xff,
    pitch: (stamp % 61) - 30,
    reach:
      (((person % REACH) - 15) & 0x1f) |
      (((Math.floor(person / REACH) - 15) & 0x1f) << 5) |
      ((check & 0x1f) << 10),
    animation: 1 + (person % 3),
  };
}

const signed5 = (bits: number): number => (bits << 27) >> 27;

/** Who a pose says it is of. */
export const personOf = (steps: Steps): number =>
  signed5(steps.reach) + 15 + (signed5(steps.reach >> 5) + 15) * REACH;

export function samePose(a: Steps, b: Steps): boolean {
  return (
    a.x === b.x &&
    a.z === b.z &&
    a.y === b.y &&
    a.yaw === b.yaw &&
    a.pitch === b.pitch &&
    a.reach === b.reach &&
    a.animation === b.animation
  );
}
