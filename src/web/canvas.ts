import { CanvasTexture, SRGBColorSpace } from "three";
import { assert } from "../kernel/assert.ts";

/** A texture painted once by `paint` on a square canvas of `size` pixels. */
export function painted(
  size: number,
  paint: (context: CanvasRenderingContext2D, size: number) => void,
): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext("2d");
  assert(context, "a browser with WebGL has 2D canvases");
  paint(context, size);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  texture.anisotropy = 4;
  return texture;
}

type Stop = readonly [at: number, alpha: number];

const halo = (stops: readonly Stop[]): CanvasTexture =>
  painted(128, (context, size) => {
    const half = size / 2;
    const fade = context.createRadialGradient(half, half, 0, half, half, half);
    for (const [at, alpha] of stops) fade.addColorStop(at, `rgba(255,255,255,${alpha})`);
    context.fillStyle = fade;
    context.fillRect(0, 0, size, size);
  });

let glow: CanvasTexture | undefined;
let pool: CanvasTexture | undefined;

/** A point of light with a soft halo, shared by everything that glows. */
export function glowTexture(): CanvasTexture {
  glow ??= halo([
    [0, 1],
    [0.06, 0.72],
    [0.2, 0.26],
    [0.5, 0.06],
    [1, 0],
  ]);
  return glow;
}

/** Light fallen on the ground: wide and without a bright core. */
export function poolTexture(): CanvasTexture {
  pool ??= halo([
    [0, 0.85],
    [0.25, 0.6],
    [0.55, 0.2],
    [0.8, 0.05],
    [1, 0],
  ]);
  return pool;
}
