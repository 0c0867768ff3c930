import { BufferAttribute, type BufferGeometry, Color } from "three";
import { mergeGeometries, mergeVertices } from "three/addons/utils/BufferGeometryUtils.js";
import { assert } from "../kernel/assert.ts";

/** One geometry of parts that keep their own colour, so that a whole thing is one draw call. */
export function merged(parts: readonly (readonly [BufferGeometry, string])[]): BufferGeometry {
  const color = new Color();
  const colored = parts.map(([source, tint]) => {
    source.deleteAttribute("uv");
    const geometry = source.index ? source : shared(source);
    const count = geometry.getAttribute("position").count;
    const colors = new Float32Array(count * 3);
    color.set(tint);
    for (let i = 0; i < count; i++) color.toArray(colors, i * 3);
    geometry.setAttribute("color", new BufferAttribute(colors, 3));
    return geometry;
  });
  const whole = mergeGeometries(colored);
  assert(whole, "parts with the same attributes merge");
  return whole;
}

/** Corners that faces share, computed once instead of for each face. */
function shared(source: BufferGeometry): BufferGeometry {
  source.deleteAttribute("normal");
  const geometry = mergeVertices(source);
  geometry.computeVertexNormals();
  return geometry;
}
