import { type Disc, pushOut, type Spot3, slide, type Terrain } from "./terrain.ts";

/** Where things stand on the plaza, metres: the stage north (-z), people come from the south. */
export const PLAZA_RADIUS_M = 27;
/** Nobody walks further out than this. */
export const WORLD_RADIUS_M = 38;
/** How far a hand reaches to grab, on the ground. */
export const REACH_M = 2.6;

export const STAGE = { x: 0, z: -21, width: 15, depth: 8, height: 0.8 } as const;
/** Broad steps in front of the stage, as wide as the middle of it. */
export const STEPS = { width: 6, depth: 1.5, count: 4 } as const;

export interface Spot {
  readonly x: number;
  readonly z: number;
  readonly yaw: number;
  /** Scale, 1 where it does not matter. */
  readonly size: number;
}

const ring = (count: number, radius: number, from: number, to: number): Spot[] =>
  Array.from({ length: count }, (_, i) => {
    const angle = from + ((to - from) * i) / Math.max(1, count - 1);
    return { x: Math.sin(angle) * radius, z: Math.cos(angle) * radius, yaw: angle, size: 1 };
  });

/** Lamp posts along the rim, leaving the stage free. */
export const LAMP_POSTS: readonly Spot[] = ring(10, 24.5, -Math.PI * 0.74, Math.PI * 0.74);
/** Benches look at the middle. */
export const BENCHES: readonly Spot[] = ring(9, 22.6, -Math.PI * 0.66, Math.PI * 0.66);
/** Round planters with a tree, half way out. */
export const PLANTERS: readonly Spot[] = [
  { x: -13.5, z: 6.5, yaw: 0, size: 1 },
  { x: 13.5, z: 6.5, yaw: 2, size: 1.06 },
  { x: -15.5, z: -8, yaw: 4, size: 0.94 },
  { x: 15.5, z: -8, yaw: 1, size: 1.02 },
];
/** The pool in the middle of the plaza's south half. */
export const FOUNTAIN = { x: 0, z: 15.5, radius: 2.9 } as const;

const OBSTACLES: readonly Disc[] = [
  ...LAMP_POSTS.map(({ x, z }) => ({ x, z, radius: 0.3 })),
  ...BENCHES.map(({ x, z }) => ({ x, z, radius: 0.75 })),
  ...PLANTERS.map(({ x, z }) => ({ x, z, radius: 1.75 })),
  { x: FOUNTAIN.x, z: FOUNTAIN.z, radius: FOUNTAIN.radius },
  { x: STAGE.x - STAGE.width / 2 + 0.5, z: STAGE.z - 3.3, radius: 0.6 },
  { x: STAGE.x + STAGE.width / 2 - 0.5, z: STAGE.z - 3.3, radius: 0.6 },
];

/** Height of the ground, the steps and the stage at a spot. */
export function groundAt(x: number, z: number): number {
  const dx = Math.abs(x - STAGE.x);
  const front = STAGE.z + STAGE.depth / 2;
  if (dx <= STAGE.width / 2 && z <= front && z >= STAGE.z - STAGE.depth / 2) return STAGE.height;
  const onSteps = dx <= STEPS.width / 2 && z > front && z < front + STEPS.depth;
  if (!onSteps) return 0;
  const step = Math.ceil(((front + STEPS.depth - z) / STEPS.depth) * STEPS.count);
  return (STAGE.height * step) / (STEPS.count + 1);
}

/** Slides along things, stays inside. */
function walk(at: Spot3, dx: number, dz: number): void {
  slide(at, dx, dz, groundAt);
  pushOut(at, OBSTACLES);
  const out = Math.hypot(at.x, at.z);
  if (out <= WORLD_RADIUS_M) return;
  at.x *= WORLD_RADIUS_M / out;
  at.z *= WORLD_RADIUS_M / out;
}

export const plazaTerrain: Terrain = {
  groundAt,
  walk,
  clear(camera, at) {
    // Neither under the ground nor inside the screen behind the stage.
    camera.y = Math.max(camera.y, groundAt(camera.x, camera.z) + 0.35);
    const wall = STAGE.z - STAGE.depth / 2 + 0.9;
    if (at.z > wall && Math.abs(camera.x) < STAGE.width / 2) camera.z = Math.max(camera.z, wall);
  },
};
