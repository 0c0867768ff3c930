import {
  BoxGeometry,
  BufferAttribute,
  BufferGeometry,
  Color,
  CylinderGeometry,
  type BufferGeometry as Geometry,
  IcosahedronGeometry,
  InstancedMesh,
  LineBasicMaterial,
  LineSegments,
  type Material,
  MeshBasicMaterial,
  MeshLambertMaterial,
  Object3D,
  type Scene,
  SphereGeometry,
} from "three";
import { seededRandom } from "../kernel/random.ts";
import { merged } from "./geometry.ts";
import { BENCHES, LAMP_POSTS, PLANTERS, type Spot } from "./layout.ts";
import { type Glow, glows, type Pool, pools } from "./lights.ts";

const LAMP_HEIGHT_M = 4.3;

function plant(geometry: Geometry, material: Material, spots: readonly Spot[]): InstancedMesh {
  const mesh = new InstancedMesh(geometry, material, spots.length);
  const at = new Object3D();
  spots.forEach((spot, i) => {
    at.position.set(spot.x, 0, spot.z);
    at.rotation.y = spot.yaw;
    at.scale.setScalar(spot.size);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
  });
  mesh.castShadow = true;
  mesh.receiveShadow = true;
  return mesh;
}

/** A crown of round masses, lighter towards the top, over a trunk. */
function tree(seed: number, hue: number): BufferGeometry {
  const random = seededRandom(seed);
  const parts: [Geometry, string][] = [
    [new CylinderGeometry(0.13, 0.24, 2.4, 7).translate(0, 1.2, 0), "#6b4a45"],
    [new CylinderGeometry(0.05, 0.09, 1.2, 5).rotateZ(0.7).translate(-0.4, 2.3, 0), "#6b4a45"],
  ];
  const masses = [
    [0, 3.3, 0, 1.35],
    [0.85, 2.9, 0.3, 0.95],
    [-0.8, 2.85, 0.35, 1.0],
    [0.1, 2.8, -0.85, 1.0],
    [-0.25, 4.25, 0.1, 0.95],
    [0.5, 3.9, -0.35, 0.8],
  ] as const;
  for (const [x, y, z, radius] of masses) {
    const blob = new IcosahedronGeometry(radius, 2);
    const at = blob.getAttribute("position");
    for (let i = 0; i < at.count; i++) {
      const swell = 1 + Math.sin(at.getX(i) * 7 + seed) * 0.05 + Math.sin(at.getY(i) * 9) * 0.05;
      at.setXYZ(i, at.getX(i) * swell, at.getY(i) * swell * 0.92, at.getZ(i) * swell);
    }
    const light = 25 + (y - 2.8) * 8 + random.next() * 4;
    parts.push([
      blob.translate(x, y, z),
      `hsl(${(hue + random.next() * 14).toFixed(1)}, 46%, ${light.toFixed(1)}%)`,
    ]);
  }
  return merged(parts);
}

function bench(): BufferGeometry {
  const wood = "#9a6a4d";
  const iron = "#2f2a3d";
  const parts: [Geometry, string][] = [];
  for (let i = 0; i < 4; i++) {
    parts.push([new BoxGeometry(2, 0.06, 0.11).translate(0, 0.46, -0.19 + i * 0.13), wood]);
  }
  for (let i = 0; i < 3; i++) {
    const slat = new BoxGeometry(2, 0.11, 0.05).rotateX(0.18);
    parts.push([slat.translate(0, 0.62 + i * 0.15, 0.3 + i * 0.03), wood]);
  }
  for (const x of [-0.8, 0.8]) {
    parts.push([new BoxGeometry(0.07, 0.44, 0.5).translate(x, 0.22, 0), iron]);
    parts.push([new BoxGeometry(0.07, 0.62, 0.06).rotateX(0.18).translate(x, 0.72, 0.34), iron]);
  }
  return merged(parts);
}

function lampPost(): BufferGeometry {
  const iron = "#2b2638";
  return merged([
    [new CylinderGeometry(0.2, 0.26, 0.22, 10).translate(0, 0.11, 0), iron],
    [new CylinderGeometry(0.11, 0.16, 0.6, 10).translate(0, 0.5, 0), iron],
    [
      new CylinderGeometry(0.055, 0.08, LAMP_HEIGHT_M - 0.7, 8).translate(0, LAMP_HEIGHT_M / 2, 0),
      iron,
    ],
    [new CylinderGeometry(0.16, 0.07, 0.14, 10).translate(0, LAMP_HEIGHT_M - 0.28, 0), iron],
    [new CylinderGeometry(0.05, 0.27, 0.17, 12).translate(0, LAMP_HEIGHT_M + 0.26, 0), iron],
  ]);
}

function planter(): BufferGeometry {
  return merged([
    [new CylinderGeometry(1.62, 1.42, 0.5, 28).translate(0, 0.25, 0), "#8d7b83"],
    [new CylinderGeometry(1.7, 1.7, 0.1, 28).translate(0, 0.52, 0), "#a8959b"],
    [new CylinderGeometry(1.48, 1.48, 0.04, 28).translate(0, 0.575, 0), "#3b2d31"],
    ...Array.from({ length: 15 }, (_, i): [Geometry, string] => {
      const angle = (i / 15) * Math.PI * 2;
      const ball = new IcosahedronGeometry(0.2 + (i % 3) * 0.05, 1);
      const tints = ["#3f6b4e", "#d0688e", "#4d7a52", "#e0a45e", "#46734f"];
      return [
        ball.translate(Math.sin(angle) * 1.14, 0.66, Math.cos(angle) * 1.14),
        tints[i % 5] ?? "",
      ];
    }),
  ]);
}

/** Bulbs on wires that hang from one lamp post to the next. */
function strings(): { bulbs: Glow[]; wire: LineSegments } {
  const bulbs: Glow[] = [];
  const points: number[] = [];
  const tints = ["#ffc46b", "#ffb066", "#ffd79a"];
  const spans: [Spot | undefined, Spot | undefined][] = LAMP_POSTS.slice(1).map((post, i) => [
    LAMP_POSTS[i],
    post,
  ]);
  spans.push([LAMP_POSTS[2], LAMP_POSTS[7]], [LAMP_POSTS[1], LAMP_POSTS[8]]);
  for (const [from, to] of spans) {
    if (!from || !to) continue;
    const length = Math.hypot(to.x - from.x, to.z - from.z);
    const count = Math.round(length / 0.95);
    const sag = length > 15 ? 1.1 : 0.5 + length * 0.03;
    for (let i = 0; i <= count; i++) {
      const part = i / count;
      const x = from.x + (to.x - from.x) * part;
      const z = from.z + (to.z - from.z) * part;
      const hang = LAMP_HEIGHT_M + 0.2 - sag * 4 * part * (1 - part);
      if (i > 0) points.push(...points.slice(-3), x, hang, z);
      if (i === 0) points.push(x, hang, z);
      if (i === 0 || i === count) continue;
      const color = tints[bulbs.length % tints.length] ?? "#fff";
      bulbs.push({ x, y: hang - 0.1, z, color, size: 0.5, flicker: 0.22 });
    }
    points.length -= points.length % 6;
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points), 3));
  return {
    bulbs,
    wire: new LineSegments(geometry, new LineBasicMaterial({ color: "#43354f" })),
  };
}

export function addScenery(scene: Scene, time: { value: number }): void {
  const random = seededRandom(41);
  const outer: Spot[] = Array.from({ length: 46 }, (_, i) => {
    const angle = (i / 46) * Math.PI * 2 + random.next() * 0.1;
    const radius = 33 + random.next() * 22;
    return {
      x: Math.sin(angle) * radius,
      z: Math.cos(angle) * radius,
      yaw: random.next() * 6,
      size: 1.1 + random.next() * 0.9,
    };
  });
  const leaf = new MeshLambertMaterial({ vertexColors: true, flatShading: true });
  const solid = new MeshLambertMaterial({ vertexColors: true });
  const potted = PLANTERS.map((spot) => ({ ...spot, size: spot.size * 1.12 }));
  scene.add(
    plant(tree(3, 150), leaf, [...outer.filter((_, i) => i % 2 === 0), ...potted]),
    plant(
      tree(8, 128),
      leaf,
      outer.filter((_, i) => i % 2 === 1),
    ),
    plant(
      planter(),
      solid,
      PLANTERS.map((spot) => ({ ...spot, size: 1 })),
    ),
    plant(bench(), solid, BENCHES),
    plant(lampPost(), solid, LAMP_POSTS),
  );
  const lantern = new InstancedMesh(
    new SphereGeometry(0.19, 16, 12),
    new MeshBasicMaterial({ color: "#ffe9c4" }),
    LAMP_POSTS.length,
  );
  const at = new Object3D();
  LAMP_POSTS.forEach((spot, i) => {
    at.position.set(spot.x, LAMP_HEIGHT_M, spot.z);
    at.updateMatrix();
    lantern.setMatrixAt(i, at.matrix);
  });
  const { bulbs, wire } = strings();
  const halos: Glow[] = LAMP_POSTS.map(({ x, z }) => ({
    x,
    y: LAMP_HEIGHT_M,
    z,
    color: "#ffab55",
    size: 3.6,
  }));
  const light = new Color("#ff9d4d").multiplyScalar(0.5);
  const falls: Pool[] = LAMP_POSTS.map(({ x, z }) => ({ x, y: 0, z, color: light, size: 9.5 }));
  scene.add(lantern, wire, glows([...halos, ...bulbs], time), pools(falls));
}
