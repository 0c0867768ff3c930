import {
  BoxGeometry,
  Color,
  Group,
  InstancedMesh,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  Object3D,
} from "three";
import { painted } from "./canvas.ts";

/** Metres. The audience is towards +z. */
export interface StageShape {
  readonly x: number;
  readonly z: number;
  readonly width: number;
  readonly depth: number;
  readonly height: number;
  /** In front of it, in the middle; a count of 0 for none. */
  readonly steps: { readonly width: number; readonly depth: number; readonly count: number };
  /** The wall of light at its back. */
  readonly screen: { readonly width: number; readonly height: number };
  /** Height of the truss over it. */
  readonly trussY: number;
  /** How high speakers are stacked at each side. */
  readonly speakers: number;
  /** Of the light along its front. */
  readonly edge: string;
}

/** The truss stands so far before the middle of the stage. */
const TRUSS_AHEAD_M = 1.2;
export const trussZ = (stage: StageShape): number => stage.z + TRUSS_AHEAD_M;
export const screenY = (stage: StageShape): number => stage.height + 0.55 + stage.screen.height / 2;
export const screenZ = (stage: StageShape): number => stage.z - stage.depth / 2 + 0.42;

function planks(context: CanvasRenderingContext2D, size: number): void {
  for (let i = 0; i < 16; i++) {
    const shade = 66 + ((i * 37) % 23);
    context.fillStyle = `rgb(${shade + 22},${shade * 0.78 + 4},${shade * 0.66})`;
    context.fillRect(0, (i * size) / 16, size, size / 16 - 2);
    context.fillStyle = "rgba(20,12,20,.75)";
    context.fillRect(((i * 197) % size) | 0, (i * size) / 16, 2, size / 16);
    context.fillRect(0, ((i + 1) * size) / 16 - 2, size, 2);
  }
}

/** The deck, its steps, the frame of the screen and the light along the front. */
export function platform(stage: StageShape): Group {
  const { steps, screen } = stage;
  const group = new Group();
  const dark = new MeshLambertMaterial({ color: "#2c2438" });
  const top = new MeshLambertMaterial({ map: painted(512, planks) });
  const sides = [dark, dark, top, dark, dark, dark];
  const deck = new Mesh(new BoxGeometry(stage.width, stage.height, stage.depth), sides);
  deck.position.set(stage.x, stage.height / 2, stage.z);
  group.add(deck);
  const front = stage.z + stage.depth / 2;
  for (let i = 0; i < steps.count; i++) {
    const tread = steps.depth / steps.count;
    const height = (stage.height * (steps.count - i)) / (steps.count + 1);
    const step = new Mesh(new BoxGeometry(steps.width, height, tread), dark);
    step.position.set(stage.x, height / 2, front + tread * (i + 0.5));
    group.add(step);
  }
  const frame = new Mesh(new BoxGeometry(screen.width + 0.6, screen.height + 0.5, 0.3), dark);
  frame.position.set(stage.x, screenY(stage), screenZ(stage) - 0.18);
  group.add(frame);
  group.traverse((part) => {
    part.castShadow = true;
    part.receiveShadow = true;
  });
  const strip = new MeshBasicMaterial({ color: new Color(stage.edge).multiplyScalar(1.5) });
  for (const side of [-1, 1]) {
    const width = (stage.width - steps.width) / 2;
    const edge = new Mesh(new BoxGeometry(width, 0.06, 0.05), strip);
    const x = stage.x + side * (steps.width / 2 + width / 2);
    edge.position.set(x, stage.height - 0.1, front + 0.02);
    group.add(edge);
  }
  return group;
}

/** Middle, size, and how far it leans over. */
type Strut = readonly [
  ...at: [x: number, y: number, z: number],
  ...size: [w: number, h: number, d: number],
  lean: number,
];
const lean = (i: number): number => (i % 2 === 0 ? 0.75 : -0.75);

/** Towers and a beam of thin struts, and stacks of speakers: everything dark in one draw call. */
export function truss(stage: StageShape): InstancedMesh {
  const struts: Strut[] = [];
  const { trussY } = stage;
  const left = stage.x - stage.width / 2 + 0.3;
  const right = stage.x + stage.width / 2 - 0.3;
  const z = trussZ(stage);
  for (const x of [left, right]) {
    for (const dx of [-0.22, 0.22]) {
      for (const dz of [-0.22, 0.22])
        struts.push([x + dx, trussY / 2, z + dz, 0.07, trussY, 0.07, 0]);
    }
    for (let y = 0.6; y < trussY; y += 0.55) {
      const over = lean(Math.round(y / 0.55));
      struts.push([x, y, z + 0.22, 0.04, 0.66, 0.04, over]);
      struts.push([x, y, z - 0.22, 0.04, 0.66, 0.04, -over]);
    }
  }
  const span = right - left;
  for (const dy of [-0.22, 0.22]) {
    for (const dz of [-0.22, 0.22])
      struts.push([stage.x, trussY + dy, z + dz, span + 0.5, 0.07, 0.07, 0]);
  }
  for (let x = left + 0.3; x < right; x += 0.5)
    struts.push([x, trussY, z + 0.22, 0.04, 0.62, 0.04, lean(Math.round((x - left) / 0.5))]);
  for (const side of [-1, 1]) {
    const x = stage.x + side * (stage.width / 2 - 0.5);
    for (let i = 0; i < stage.speakers; i++)
      struts.push([x, stage.height + 0.5 + i * 0.92, stage.z - 3.3, 1.1, 0.88, 0.9, 0]);
  }
  return dark(struts);
}

function dark(struts: readonly Strut[]): InstancedMesh {
  const mesh = new InstancedMesh(
    new BoxGeometry(1, 1, 1),
    new MeshLambertMaterial({ color: "#3a3350" }),
    struts.length,
  );
  const at = new Object3D();
  struts.forEach(([x, y, z, w, h, d, over], i) => {
    at.position.set(x, y, z);
    at.rotation.set(0, 0, over);
    at.scale.set(w, h, d);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
  });
  mesh.castShadow = true;
  return mesh;
}
