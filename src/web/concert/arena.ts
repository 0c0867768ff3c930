import type { StageShape } from "../stage-parts.ts";
import { slide, type Terrain } from "../terrain.ts";

/** Where things are at the concert, metres: the stage north (-z), the audience south of it. */
export const STAGE: StageShape = {
  ...{ x: 0, z: -11.5, width: 26, depth: 10, height: 1.2 },
  steps: { width: 0, depth: 0, count: 0 },
  screen: { width: 19, height: 7 },
  trussY: 10.4,
  speakers: 6,
  edge: "#7a6bff",
};
const FRONT_Z = STAGE.z + STAGE.depth / 2;

/** The floor where the members of one shard stand, as the concert's world puts them there. */
export const FLOOR = { halfWidth: 7.4, from: -3, to: 19 } as const;
/** Between the audience and the stage. */
export const BARRIER_Z = FLOOR.from - 0.7;
/** The stands: a bowl of rows around the floor, open towards the stage. */
export const BOWL = {
  z: -3,
  radius: 27,
  rows: 17,
  rowM: 1.05,
  riseM: 0.6,
  baseY: 1.1,
  /** To each side of south, radians. */
  halfTurn: 2.42,
} as const;

const clamp = (value: number, min: number, max: number): number =>
  Math.max(min, Math.min(max, value));

export function groundAt(x: number, z: number): number {
  const onStage = Math.abs(x) <= STAGE.width / 2 && z <= FRONT_Z;
  return onStage ? STAGE.height : 0;
}

const ROW_SEATS = 14;
/** About where the concert's world lets a member of a shard begin: in rows, the first in front. */
export const seatAt = (slot: number) => ({
  x: ((slot % ROW_SEATS) - (ROW_SEATS - 1) / 2) * 0.95,
  z: Math.floor(slot / ROW_SEATS) * 1.05,
  yaw: Math.PI,
});
/** And a performer: along the front of the stage. */
export const markAt = (slot: number) => ({
  x: ((slot % 2) * 2 - 1) * Math.ceil(slot / 2) * 1.5,
  z: -8.8,
  yaw: 0,
});

const EDGE_M = 0.5;

/** Performers stay on the stage and the audience on the floor. */
export const arenaTerrain: Terrain = {
  groundAt,
  walk(at, dx, dz) {
    const performs = at.y > STAGE.height / 2;
    slide(at, dx, dz, groundAt);
    if (performs) {
      at.x = clamp(at.x, -STAGE.width / 2 + 1.4, STAGE.width / 2 - 1.4);
      at.z = clamp(at.z, STAGE.z - STAGE.depth / 2 + 1.6, FRONT_Z - EDGE_M);
    } else {
      at.x = clamp(at.x, -FLOOR.halfWidth, FLOOR.halfWidth);
      at.z = clamp(at.z, FLOOR.from, FLOOR.to);
    }
  },
  clear(camera, at) {
    camera.y = Math.max(camera.y, groundAt(camera.x, camera.z) + 0.35);
    // Not inside the screen, nor the barrier for whoever stands behind it.
    if (at.z < FRONT_Z) camera.z = Math.max(camera.z, STAGE.z - STAGE.depth / 2 + 1);
    else camera.z = Math.max(camera.z, FLOOR.from - 2);
  },
};
