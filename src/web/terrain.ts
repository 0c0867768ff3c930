/** A spot that can be written to. */
export interface Spot3 {
  x: number;
  y: number;
  z: number;
}

export interface Disc {
  readonly x: number;
  readonly z: number;
  readonly radius: number;
}

/** What people and the camera stand on, and what is in their way. */
export interface Terrain {
  /** Height of the ground at a spot. */
  readonly groundAt: (x: number, z: number) => number;
  /** Moves `at` by (dx, dz) as far as the place lets it. */
  readonly walk: (at: Spot3, dx: number, dz: number) => void;
  /** Moves the camera of somebody at `at` out of what it would be inside of. */
  readonly clear: (camera: Spot3, at: { readonly x: number; readonly z: number }) => void;
}

const BODY_RADIUS_M = 0.32;
const STEP_UP_M = 0.45;

/** Steps by (dx, dz), or along whichever axis is free; nothing is climbed but steps. */
export function slide(at: Spot3, dx: number, dz: number, groundAt: Terrain["groundAt"]): void {
  const stepTo = (x: number, z: number): boolean => {
    if (groundAt(x, z) - at.y > STEP_UP_M) return false;
    at.x = x;
    at.z = z;
    return true;
  };
  if (!stepTo(at.x + dx, at.z + dz) && !stepTo(at.x + dx, at.z)) stepTo(at.x, at.z + dz);
}

/** Pushes a body out of round things. */
export function pushOut(at: Spot3, discs: readonly Disc[]): void {
  for (const disc of discs) {
    const ox = at.x - disc.x;
    const oz = at.z - disc.z;
    const distance = Math.hypot(ox, oz);
    const least = disc.radius + BODY_RADIUS_M;
    if (distance >= least || distance === 0) continue;
    at.x = disc.x + (ox / distance) * least;
    at.z = disc.z + (oz / distance) * least;
  }
}
