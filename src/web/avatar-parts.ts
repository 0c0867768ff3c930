import {
  BoxGeometry,
  type BufferGeometry,
  CapsuleGeometry,
  CylinderGeometry,
  IcosahedronGeometry,
  LatheGeometry,
  SphereGeometry,
  TorusGeometry,
  Vector2,
} from "three";
import type { HeadKind } from "./avatar-look.ts";
import { merged } from "./geometry.ts";

/** Joints in metres above the feet. */
export const HIP_Y = 0.5;
export const SHOULDER_Y = 1.07;
export const HEAD_Y = 1.2;
export const HIP_X = 0.125;
export const SHOULDER_X = 0.285;
export const ARM_LENGTH = 0.5;
/** Top of a head, where a name floats. */
export const CROWN_Y = 1.95;

const white = "#ffffff";

/** How finely round things are cut: `cut(20)` is 20 for who is near, and fewer further away. */
type Cut = (segments: number) => number;
const cutOf =
  (detail: number): Cut =>
  (segments) =>
    Math.max(4, Math.round(segments * detail));

/** A bean: wide at the hip, round at the shoulders. Origin at the hip. */
function body(cut: Cut): BufferGeometry {
  const outline = [
    [0, -0.16],
    [0.15, -0.15],
    [0.235, -0.08],
    [0.268, 0.04],
    [0.272, 0.2],
    [0.26, 0.38],
    [0.225, 0.52],
    [0.165, 0.63],
    [0.09, 0.69],
    [0, 0.71],
  ];
  const shape = new LatheGeometry(
    outline.map(([x = 0, y = 0]) => new Vector2(x, y)),
    cut(20),
  );
  return merged([[shape.scale(1, 1, 0.84), white]]);
}

/** Eyes with a spark, brows and cheeks, set on the head of which the origin is the neck. */
function face(cut: Cut): BufferGeometry {
  const parts: [BufferGeometry, string][] = [];
  for (const side of [-1, 1]) {
    const x = side * 0.1;
    parts.push(
      [
        new SphereGeometry(0.043, cut(12), cut(10)).scale(0.9, 1.25, 0.5).translate(x, 0.32, 0.262),
        "#231a2b",
      ],
      [new SphereGeometry(0.014, cut(8), cut(6)).translate(x + 0.014, 0.342, 0.282), white],
      [
        new CapsuleGeometry(0.011, 0.06, cut(3), cut(6))
          .rotateZ(Math.PI / 2 + side * 0.12)
          .translate(x, 0.405, 0.255),
        "#4a3038",
      ],
      [
        new SphereGeometry(0.036, cut(10), cut(8))
          .scale(1, 0.6, 0.35)
          .translate(side * 0.165, 0.245, 0.237),
        "#f2827f",
      ],
    );
  }
  const smile = new TorusGeometry(0.05, 0.011, cut(6), cut(12), Math.PI * 0.8);
  parts.push([smile.rotateZ(Math.PI * 1.1).translate(0, 0.245, 0.272), "#7a3540"]);
  return merged(parts);
}

const HEADS: Record<HeadKind, (cut: Cut) => BufferGeometry> = {
  cap: (cut) =>
    merged([
      [
        new SphereGeometry(0.315, cut(20), cut(10), 0, Math.PI * 2, 0, Math.PI * 0.46).translate(
          0,
          0.34,
          0,
        ),
        white,
      ],
      [
        new CylinderGeometry(0.24, 0.26, 0.03, cut(20)).scale(1, 1, 0.86).translate(0, 0.385, 0.24),
        "#d8d8d8",
      ],
      [new SphereGeometry(0.035, cut(8), cut(6)).translate(0, 0.655, 0), "#d8d8d8"],
    ]),
  beanie: (cut) =>
    merged([
      [
        new SphereGeometry(0.315, cut(20), cut(12), 0, Math.PI * 2, 0, Math.PI * 0.46)
          .scale(1, 1.12, 1)
          .translate(0, 0.35, -0.01),
        white,
      ],
      [
        new TorusGeometry(0.3, 0.052, cut(8), cut(24))
          .rotateX(Math.PI / 2)
          .translate(0, 0.4, -0.01),
        "#cfcfcf",
      ],
      [new IcosahedronGeometry(0.088, 1).translate(0, 0.745, -0.01), "#ffffff"],
    ]),
  bun: (cut) =>
    merged([
      [
        new SphereGeometry(0.308, cut(20), cut(12), 0, Math.PI * 2, 0, Math.PI * 0.5)
          .rotateX(-0.38)
          .translate(0, 0.315, -0.015),
        white,
      ],
      [new SphereGeometry(0.135, cut(14), cut(10)).translate(0, 0.655, -0.1), white],
    ]),
  bob: (cut) =>
    merged([
      [
        new SphereGeometry(0.312, cut(20), cut(12), 0, Math.PI * 2, 0, Math.PI * 0.48)
          .rotateX(-0.3)
          .translate(0, 0.32, -0.01),
        white,
      ],
      [
        new SphereGeometry(0.295, cut(16), cut(12))
          .scale(1.06, 0.98, 0.72)
          .translate(0, 0.24, -0.12),
        white,
      ],
    ]),
  curls: (cut) =>
    merged(
      Array.from({ length: 19 }, (_, i): [BufferGeometry, string] => {
        const turn = i * 2.4;
        const up = 1 - (i / 18) * 0.88;
        const flat = Math.sqrt(1 - up * up) * 0.27;
        const back = up < 0.6 ? -0.09 : -0.02;
        const curl = new IcosahedronGeometry(0.105, cut(20) < 20 ? 0 : 1);
        const front = Math.cos(turn) > 0.25 && up < 0.55 ? 0.16 : 0;
        return [
          curl.translate(
            Math.sin(turn) * flat,
            0.32 + up * 0.25 + front,
            Math.cos(turn) * flat + back,
          ),
          i % 2 === 0 ? white : "#e2e2e2",
        ];
      }),
    ),
  hat: (cut) =>
    merged([
      [new CylinderGeometry(0.44, 0.44, 0.035, cut(28)).translate(0, 0.455, 0), white],
      [new CylinderGeometry(0.24, 0.285, 0.27, cut(24)).translate(0, 0.59, 0), white],
      [new CylinderGeometry(0.277, 0.288, 0.07, cut(24)).translate(0, 0.505, 0), "#4a4152"],
    ]),
};

export const headGear = (kind: HeadKind, detail: number): BufferGeometry =>
  HEADS[kind](cutOf(detail));

const PARTS = {
  body,
  face,
  head: (cut: Cut): BufferGeometry =>
    merged([
      [
        new SphereGeometry(0.292, cut(24), cut(18)).scale(1, 0.98, 0.96).translate(0, 0.3, 0),
        white,
      ],
      [new SphereGeometry(0.05, cut(10), cut(8)).translate(-0.288, 0.28, 0), "#f4e4e0"],
      [new SphereGeometry(0.05, cut(10), cut(8)).translate(0.288, 0.28, 0), "#f4e4e0"],
      [new SphereGeometry(0.03, cut(10), cut(8)).translate(0, 0.285, 0.285), "#f7e6e2"],
    ]),
  arm: (cut: Cut): BufferGeometry =>
    merged([[new CapsuleGeometry(0.082, 0.27, cut(4), cut(10)).translate(0, -0.19, 0), white]]),
  hand: (cut: Cut): BufferGeometry =>
    merged([[new SphereGeometry(0.088, cut(12), cut(10)).translate(0, -0.43, 0), white]]),
  leg: (cut: Cut): BufferGeometry =>
    merged([[new CapsuleGeometry(0.105, 0.24, cut(4), cut(10)).translate(0, -0.2, 0), white]]),
  shoe: (cut: Cut): BufferGeometry =>
    merged([
      [
        new SphereGeometry(0.115, cut(12), cut(8))
          .scale(0.95, 0.62, 1.35)
          .translate(0, -0.425, 0.045),
        "#f1ecf4",
      ],
      [new BoxGeometry(0.19, 0.035, 0.28).translate(0, -0.482, 0.045), "#c9c0d2"],
    ]),
};

export type BodyPart = keyof typeof PARTS;
/** Its origin is at the joint that it turns about. `detail`: 1 is as fine as it gets. */
export const partGeometry = (part: BodyPart, detail: number): BufferGeometry =>
  PARTS[part](cutOf(detail));
