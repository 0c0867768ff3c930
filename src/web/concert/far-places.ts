import { type Random, seededRandom } from "../../kernel/random.ts";
import { BOWL, FLOOR, STAGE } from "./arena.ts";

/** Where somebody of the far crowd stands, and the way they look. */
export interface FarPlace {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly yaw: number;
}

/** An event of so many people fills half of the arena, of twice as many three quarters of it. */
export const HALF_FULL = 12;

/** A figure is no person: a small event would be lost in the stands, a large one outgrow them. */
export const figuresFor = (people: number, places: number): number =>
  Math.round(places * (1 - 0.5 ** (Math.max(0, people) / HALF_FULL)));

/** People fill an arena from the front, each where they find a gap: not row by row. */
const MESS_M = 9;
const SPACING_M = 0.7;

/**
 * Places of the far crowd in the order in which they fill, the same for everybody. `withFloor`:
 * also where the members of a shard stand, for whoever sees none of them.
 */
export function farPlaces(withFloor: boolean): FarPlace[] {
  const random = seededRandom(41);
  const spots = [...floor(random, withFloor), ...bowl(random)];
  const order = spots.map((spot) => ({
    spot,
    from: Math.hypot(spot.x, spot.z - STAGE.z) + random.next() * MESS_M,
  }));
  return order.sort((a, b) => a.from - b.from).map(({ spot }) => spot);
}

function placed(random: Random, x: number, y: number, z: number): FarPlace {
  const at = {
    x: x + (random.next() - 0.5) * 0.34,
    z: z + (random.next() - 0.5) * 0.3,
  };
  const yaw = Math.atan2(STAGE.x - at.x, STAGE.z + 3 - at.z) + (random.next() - 0.5) * 0.3;
  return { ...at, y, yaw };
}

/** Beside and behind those who can be met. */
function floor(random: Random, whole: boolean): FarPlace[] {
  const places: FarPlace[] = [];
  const margin = FLOOR.halfWidth + 0.9;
  for (let z = FLOOR.from + 0.6; z < FLOOR.to + 4; z += 0.95) {
    for (let x = -21; x <= 21; x += SPACING_M + 0.12) {
      const near = Math.abs(x) < margin && z < FLOOR.to + 1.2;
      if (near && !whole) continue;
      if (Math.hypot(x, z - BOWL.z) > BOWL.radius - 1.5) continue;
      places.push(placed(random, x, 0, z));
    }
  }
  return places;
}

function bowl(random: Random): FarPlace[] {
  const places: FarPlace[] = [];
  for (let row = 0; row < BOWL.rows; row += 1) {
    const radius = BOWL.radius + (row + 0.5) * BOWL.rowM;
    const y = BOWL.baseY + row * BOWL.riseM;
    const seats = Math.floor((2 * BOWL.halfTurn * radius) / SPACING_M);
    for (let seat = 0; seat < seats; seat += 1) {
      // Stairs between blocks, so that the stands are no carpet.
      if (seat % 26 < 2) continue;
      const turn = -BOWL.halfTurn + (2 * BOWL.halfTurn * (seat + 0.5)) / seats;
      places.push(placed(random, Math.sin(turn) * radius, y, BOWL.z + Math.cos(turn) * radius));
    }
  }
  return places;
}
