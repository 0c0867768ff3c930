import {
  BoxGeometry,
  type BufferAttribute,
  type BufferGeometry,
  Color,
  ConeGeometry,
  CylinderGeometry,
  IcosahedronGeometry,
  MeshStandardMaterial,
  SphereGeometry,
  TorusGeometry,
} from "three";
import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";
import { merged } from "./geometry.ts";
import type { ItemKind } from "./plaza-room.ts";

export interface ItemModel {
  readonly body: BufferGeometry;
  /** The part that takes the item's colour and shines when it is on. */
  readonly shine: BufferGeometry;
  /** Height of what is highlighted, metres. */
  readonly height: number;
  readonly radius: number;
  readonly color: number;
  readonly label: string;
}

const lamp = (): ItemModel => ({
  body: merged([
    [new CylinderGeometry(0.2, 0.23, 0.06, 24).translate(0, 0.03, 0), "#e8dccb"],
    [new CylinderGeometry(0.035, 0.05, 0.4, 12).translate(0, 0.25, 0), "#e8dccb"],
    [new TorusGeometry(0.055, 0.018, 8, 16).rotateX(Math.PI / 2).translate(0, 0.42, 0), "#c79a52"],
  ]),
  shine: merged([
    [
      new SphereGeometry(0.3, 28, 12, 0, Math.PI * 2, 0, Math.PI * 0.5)
        .scale(1, 0.86, 1)
        .translate(0, 0.42, 0),
      "#ffffff",
    ],
    [new CylinderGeometry(0.3, 0.27, 0.03, 28).translate(0, 0.41, 0), "#fff4dd"],
  ]),
  height: 0.7,
  radius: 0.32,
  color: 0xffb35c,
  label: "lamp",
});

function cube(): ItemModel {
  const dots: [BufferGeometry, string][] = [];
  const ball = (x: number, y: number, z: number): void => {
    dots.push([new SphereGeometry(0.052, 12, 10).translate(x, y + 0.28, z), "#fff6e6"]);
  };
  const out = 0.268;
  ball(0, out, 0);
  for (const s of [-1, 1]) {
    ball(s * 0.13, -s * 0.13, out);
    ball(s * 0.13, s * 0.13, -out);
    ball(s * 0.13, -0.13, -out);
    ball(out, s * 0.13, s * 0.13);
    for (const t of [-1, 1]) ball(-out, s * 0.13, t * 0.13);
  }
  ball(0, 0, out);
  ball(out, 0, 0);
  return {
    body: merged(dots),
    shine: merged([
      [new RoundedBoxGeometry(0.56, 0.56, 0.56, 4, 0.09).translate(0, 0.28, 0), "#ffffff"],
    ]),
    height: 0.56,
    radius: 0.36,
    color: 0x6f8cff,
    label: "cube",
  };
}

/** A beach ball: gores of white and of the item's colour. */
function ball(): ItemModel {
  const gores = (odd: number): BufferGeometry =>
    merged(
      [0, 1, 2].map((i): [BufferGeometry, string] => [
        new SphereGeometry(0.32, 8, 20, ((i * 2 + odd) * Math.PI) / 3, Math.PI / 3)
          .rotateX(0.45)
          .rotateZ(0.3)
          .translate(0, 0.32, 0),
        odd === 0 ? "#fff3e2" : "#ffffff",
      ]),
    );
  return {
    body: gores(0),
    shine: gores(1),
    height: 0.64,
    radius: 0.32,
    color: 0xff5f7e,
    label: "ball",
  };
}

function plant(): ItemModel {
  const leaves: [BufferGeometry, string][] = [];
  const blossoms: [BufferGeometry, string][] = [];
  for (let i = 0; i < 15; i++) {
    const lean = 0.25 + (i % 5) * 0.2;
    const turn = i * 2.4;
    const leaf = new ConeGeometry(0.085, 0.55, 6).scale(1, 1, 0.3).translate(0, 0.27, 0);
    const at = leaf.getAttribute("position") as BufferAttribute;
    for (let v = 0; v < at.count; v++) at.setX(v, at.getX(v) + at.getY(v) ** 2 * 0.25);
    leaf.computeVertexNormals();
    leaf.rotateZ(-lean).rotateY(turn).translate(0, 0.32, 0);
    leaves.push([leaf, i % 2 ? "#3f8f63" : "#57ab70"]);
    if (i % 3 === 0) {
      const flower = new IcosahedronGeometry(0.062, 1);
      const out = Math.sin(lean) * 0.5;
      flower.translate(Math.cos(turn) * out, 0.36 + Math.cos(lean) * 0.5, -Math.sin(turn) * out);
      blossoms.push([flower, "#ffffff"]);
    }
  }
  return {
    body: merged([
      [new CylinderGeometry(0.23, 0.16, 0.32, 20).translate(0, 0.16, 0), "#c46a48"],
      [new CylinderGeometry(0.25, 0.25, 0.07, 20).translate(0, 0.31, 0), "#d57c57"],
      [new CylinderGeometry(0.21, 0.21, 0.01, 20).translate(0, 0.35, 0), "#3a2a2c"],
      ...leaves,
    ]),
    shine: merged(blossoms),
    height: 0.9,
    radius: 0.32,
    color: 0xff8fc0,
    label: "plant",
  };
}

function speaker(): ItemModel {
  const ring = (radius: number, y: number): [BufferGeometry, string][] => [
    [new TorusGeometry(radius, 0.022, 8, 28).translate(0, y, 0.215), "#8d86a3"],
    [
      new CylinderGeometry(radius * 0.3, radius * 0.3, 0.05, 16)
        .rotateX(Math.PI / 2)
        .translate(0, y, 0.222),
      "#8d86a3",
    ],
  ];
  return {
    body: merged([
      [new RoundedBoxGeometry(0.5, 0.82, 0.42, 3, 0.05).translate(0, 0.41, 0), "#322b45"],
      [new BoxGeometry(0.3, 0.04, 0.05).translate(0, 0.8, -0.02), "#8d86a3"],
      ...ring(0.165, 0.27),
      ...ring(0.095, 0.61),
    ]),
    shine: merged([
      [
        new CylinderGeometry(0.155, 0.155, 0.02, 28).rotateX(Math.PI / 2).translate(0, 0.27, 0.21),
        "#ffffff",
      ],
      [
        new CylinderGeometry(0.088, 0.088, 0.02, 24).rotateX(Math.PI / 2).translate(0, 0.61, 0.21),
        "#ffffff",
      ],
    ]),
    height: 0.82,
    radius: 0.34,
    color: 0x45d6ff,
    label: "speaker",
  };
}

export const ITEM_MODELS: Readonly<Record<ItemKind, ItemModel>> = {
  lamp: lamp(),
  cube: cube(),
  ball: ball(),
  plant: plant(),
  speaker: speaker(),
};

export const BODY_MATERIAL = new MeshStandardMaterial({ vertexColors: true, roughness: 0.48 });

const materials = new Map<string, MeshStandardMaterial>();

/** One material for each colour and state, shared by all items that have them. */
export function shineMaterial(kind: ItemKind, color: number, on: boolean): MeshStandardMaterial {
  const key = `${kind} ${color} ${on}`;
  const known = materials.get(key);
  if (known) return known;
  const unlit = kind === "speaker" && !on;
  const material = new MeshStandardMaterial({
    vertexColors: true,
    color: unlit ? new Color(color).multiplyScalar(0.22) : new Color(color),
    roughness: kind === "cube" || kind === "ball" ? 0.24 : 0.5,
    metalness: 0.02,
    emissive: new Color(color),
    emissiveIntensity: on ? (kind === "lamp" ? 0.8 : 0.42) : 0,
  });
  materials.set(key, material);
  return material;
}
