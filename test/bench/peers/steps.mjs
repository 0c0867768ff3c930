/** A pose has these whole numbers, in this order; see density/motion.ts. */
export const FIELDS = 7;

const LIMITS = [
  [-8_388_608, 8_388_607],
  [0, 65_535],
  [-8_388_608, 8_388_607],
  [0, 255],
  [-127, 127],
  [0, 32_767],
  [0, 127],
];

export const listOf = ({ x, y, z, yaw, pitch, reach, animation }) => [
  x,
  y,
  z,
  yaw,
  pitch,
  reach,
  animation,
];

/** Whether a client's list is a pose. */
export function isPose(list) {
  if (!Array.isArray(list) || list.length !== FIELDS) return false;
  for (let i = 0; i < FIELDS; i++) {
    const value = list[i];
    const [low, high] = LIMITS[i];
    if (!Number.isInteger(value) || value < low || value > high) return false;
  }
  return true;
}

/** Calls for each row of a flat list of (id, pose). */
export function eachRow(flat, row) {
  for (let at = 0; at < flat.length; at += FIELDS + 1)
    row(flat[at], {
      x: flat[at + 1],
      y: flat[at + 2],
      z: flat[at + 3],
      yaw: flat[at + 4],
      pitch: flat[at + 5],
      reach: flat[at + 6],
      animation: flat[at + 7],
    });
}
