import { Color, type DirectionalLight, type InstancedMesh } from "three";
import type { Beams } from "../beams.ts";
import type { Light } from "./light-desk.ts";

/** Lamps in the middle of the truss that follow whoever leads. */
const SPOTS = 2;
const WHITE: Light = [1, 0.93, 0.82];

/** How a lamp at one spot has to be swung to shine on another: what `Beams.turn` takes. */
export function aimed(
  from: { readonly x: number; readonly y: number; readonly z: number },
  at: { readonly x: number; readonly y: number; readonly z: number },
): readonly [x: number, z: number] {
  const [dx, dy, dz] = [at.x - from.x, at.y - from.y, at.z - from.z];
  const length = Math.hypot(dx, dy, dz) || 1;
  return [Math.atan2(-dz, -dy), Math.asin(dx / length)];
}

/** Every lamp of the stage, by the show's lights and its beat. */
export class Rig {
  readonly #hanging: Beams;
  readonly #standing: Beams;
  readonly #pools: InstancedMesh;
  readonly #wash: DirectionalLight;
  readonly #color = new Color();

  constructor(hanging: Beams, standing: Beams, pools: InstancedMesh, wash: DirectionalLight) {
    this.#hanging = hanging;
    this.#standing = standing;
    this.#pools = pools;
    this.#wash = wash;
  }

  update(
    beat: number,
    seconds: number,
    lights: { readonly wash: Light; readonly beams: Light },
    lead: { readonly x: number; readonly y: number; readonly z: number } | undefined,
  ): void {
    const { beams, wash } = lights;
    const kick = Math.exp(-(beat - Math.floor(beat)) * 3);
    const { lamps } = this.#hanging;
    const first = (lamps.length - SPOTS) / 2;
    lamps.forEach((lamp, i) => {
      const isSpot = i >= first && i < first + SPOTS;
      if (isSpot && lead) {
        this.#hanging.turn(i, ...aimed(lamp, { x: lead.x, y: lead.y + 0.8, z: lead.z }));
        this.#tint(this.#hanging, i, WHITE, 0.75);
        return;
      }
      const side = i - (lamps.length - 1) / 2;
      const swing = Math.sin(beat * (Math.PI / 8) + i * 0.45) * 0.42;
      this.#hanging.turn(i, -0.42 + Math.sin(seconds * 0.4 + i) * 0.22, side * 0.05 + swing);
      this.#tint(this.#hanging, i, i % 2 === 0 ? beams : wash, 0.5 + 0.5 * kick);
    });
    const back = this.#standing.lamps.length;
    for (let i = 0; i < back; i++) {
      const side = (i - (back - 1) / 2) / back;
      const open = 0.9 + Math.sin(beat * (Math.PI / 16)) * 0.5;
      this.#standing.turn(i, Math.PI - 0.28, -side * 1.5 * open);
      this.#tint(this.#standing, i, beams, 0.45 + 0.55 * kick);
    }
    this.#color.setRGB(...wash);
    for (let i = 0; i < this.#pools.count; i++) this.#pools.setColorAt(i, this.#poolColor(i));
    if (this.#pools.instanceColor) this.#pools.instanceColor.needsUpdate = true;
    this.#wash.color.setRGB(...wash);
    this.#wash.intensity = 1.5 + 0.5 * kick;
  }

  readonly #pool = new Color();
  #poolColor(i: number): Color {
    return this.#pool.copy(this.#color).multiplyScalar(i < 3 ? 0.75 : 0.28);
  }

  #tint(of: Beams, i: number, light: Light, level: number): void {
    of.tint(i, this.#color.setRGB(...light), level);
  }
}
