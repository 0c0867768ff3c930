import {
  BufferAttribute,
  type BufferGeometry,
  CylinderGeometry,
  OctahedronGeometry,
  SphereGeometry,
  Vector3,
} from "three";
import { mergeGeometries } from "three/addons/utils/BufferGeometryUtils.js";
import { assert } from "../../kernel/assert.ts";

/** What a corner belongs to: the shader moves arms and lets bands glow. */
const PART = { body: 0, head: 1, left: 2, right: 3 } as const;
export const SHOULDER = new Vector3(0.25, 1.08, 0);
const ARM_M = 0.56;

function part(geometry: BufferGeometry, of: number, glows: boolean): BufferGeometry {
  geometry.deleteAttribute("uv");
  const whole = geometry.index ? geometry.toNonIndexed() : geometry;
  const count = whole.getAttribute("position").count;
  whole.setAttribute("part", new BufferAttribute(new Float32Array(count).fill(of), 1));
  whole.setAttribute("glow", new BufferAttribute(new Float32Array(count).fill(glows ? 1 : 0), 1));
  return whole;
}

/** Somebody far away: 102 triangles, looking towards +z, arms hanging from the shoulder. */
export function farFigure(): BufferGeometry {
  const arm = (side: 1 | -1): BufferGeometry[] => {
    const of = side > 0 ? PART.left : PART.right;
    const at = (y: number): [number, number, number] => [SHOULDER.x * side, SHOULDER.y - y, 0];
    return [
      part(
        new CylinderGeometry(0.07, 0.06, ARM_M, 4, 1, true).translate(...at(ARM_M / 2)),
        of,
        false,
      ),
      part(new OctahedronGeometry(0.085, 0).translate(...at(ARM_M)), of, true),
    ];
  };
  const whole = mergeGeometries([
    part(
      new CylinderGeometry(0.19, 0.27, 0.78, 8, 1, true).translate(0, 0.81, 0),
      PART.body,
      false,
    ),
    part(new CylinderGeometry(0.2, 0.15, 0.5, 5, 1, true).translate(0, 0.25, 0), PART.body, false),
    part(new SphereGeometry(0.25, 8, 6).translate(0, 1.42, 0), PART.head, false),
    ...arm(1),
    ...arm(-1),
  ]);
  assert(whole, "parts with the same attributes merge");
  return whole;
}
