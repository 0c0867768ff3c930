import {
  CircleGeometry,
  Color,
  Group,
  IcosahedronGeometry,
  InstancedMesh,
  Mesh,
  MeshLambertMaterial,
  Object3D,
  RepeatWrapping,
  RingGeometry,
  type Scene,
  SRGBColorSpace,
} from "three";
import { type Random, seededRandom } from "../kernel/random.ts";
import { painted } from "./canvas.ts";
import { PLAZA_RADIUS_M } from "./layout.ts";

const tint = (random: Random, [r, g, b]: readonly [number, number, number], spread: number) => {
  const shift = (random.next() - 0.5) * spread;
  return `rgb(${r + shift},${g + shift},${b + shift * 0.8})`;
};

/** Rings of stones around the middle, with darker bands and a star in the centre. */
function paintPaving(context: CanvasRenderingContext2D, size: number): void {
  const random = seededRandom(11);
  const perMetre = size / (2 * PLAZA_RADIUS_M);
  context.fillStyle = "#4b4159";
  context.fillRect(0, 0, size, size);
  context.translate(size / 2, size / 2);
  const course = 0.82;
  const gap = 0.035 * perMetre;
  for (let ring = 3; ring * course < PLAZA_RADIUS_M + 1; ring++) {
    const inner = ring * course * perMetre;
    const outer = inner + course * perMetre;
    const band = ring % 8 === 0;
    const stones = Math.max(12, Math.round((ring * course * 2 * Math.PI) / (band ? 0.55 : 1.15)));
    const step = (2 * Math.PI) / stones;
    const offset = (ring % 2) * step * 0.5 + ring * 0.31;
    for (let i = 0; i < stones; i++) {
      const from = offset + i * step;
      const trim = gap / ((inner + outer) / 2);
      context.beginPath();
      context.arc(0, 0, inner + gap / 2, from + trim / 2, from + step - trim / 2);
      context.arc(0, 0, outer - gap / 2, from + step - trim / 2, from + trim / 2, true);
      context.closePath();
      context.fillStyle = band
        ? tint(random, [158, 104, 94], 22)
        : tint(random, [148, 136, 150], random.next() < 0.12 ? 46 : 20);
      context.fill();
    }
  }
  paintStar(context, 3 * course * perMetre);
}

function paintStar(context: CanvasRenderingContext2D, radius: number): void {
  context.beginPath();
  context.arc(0, 0, radius * 0.985, 0, Math.PI * 2);
  context.fillStyle = "#8d8296";
  context.fill();
  for (let i = 0; i < 8; i++) {
    const long = i % 2 === 0 ? 0.92 : 0.6;
    const angle = (i * Math.PI) / 4;
    for (const side of [-1, 1]) {
      context.beginPath();
      context.moveTo(0, 0);
      context.lineTo(Math.sin(angle) * radius * long, -Math.cos(angle) * radius * long);
      const waist = angle + (side * Math.PI) / 8;
      context.lineTo(Math.sin(waist) * radius * 0.3, -Math.cos(waist) * radius * 0.3);
      context.closePath();
      context.fillStyle = side < 0 ? "#b98a72" : "#71556a";
      context.fill();
    }
  }
}

function paintGrass(context: CanvasRenderingContext2D, size: number): void {
  const random = seededRandom(5);
  context.fillStyle = "#33513f";
  context.fillRect(0, 0, size, size);
  for (let i = 0; i < 5200; i++) {
    const light = random.next();
    context.strokeStyle = `rgba(${40 + light * 62},${78 + light * 62},${58 + light * 26},.5)`;
    const x = random.next() * size;
    const y = random.next() * size;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + (random.next() - 0.5) * 5, y - 3 - random.next() * 7);
    context.stroke();
  }
}

/** Clipped bushes behind the benches and loose ones further out. */
function bushes(): InstancedMesh {
  const random = seededRandom(23);
  const count = 190;
  const mesh = new InstancedMesh(
    new IcosahedronGeometry(1, 1),
    new MeshLambertMaterial({ flatShading: true }),
    count,
  );
  const at = new Object3D();
  const color = new Color();
  for (let i = 0; i < count; i++) {
    const hedge = i < 130;
    const angle = hedge ? -2.42 + (4.84 * i) / 130 : random.next() * Math.PI * 2;
    const radius = hedge ? 28.4 + random.next() * 0.7 : 33 + random.next() * 26;
    const size = hedge ? 0.75 + random.next() * 0.35 : 0.5 + random.next() * 1.1;
    at.position.set(Math.sin(angle) * radius, size * 0.34, Math.cos(angle) * radius);
    at.rotation.set(random.next() * 3, random.next() * 6, 0);
    at.scale.set(size, size * (0.72 + random.next() * 0.2), size);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
    mesh.setColorAt(
      i,
      color.setHSL(0.36 + random.next() * 0.07, 0.44, 0.2 + random.next() * 0.09, SRGBColorSpace),
    );
  }
  mesh.castShadow = true;
  mesh.receiveShadow = true;
  return mesh;
}

/** Hills all around, so that the horizon is never a line. */
function hills(): InstancedMesh {
  const random = seededRandom(31);
  const mesh = new InstancedMesh(
    new IcosahedronGeometry(1, 2),
    new MeshLambertMaterial({ color: "#2a2148" }),
    38,
  );
  const at = new Object3D();
  for (let i = 0; i < mesh.count; i++) {
    const angle = (i / mesh.count) * Math.PI * 2 + random.next() * 0.1;
    const radius = 108 + random.next() * 34;
    at.position.set(Math.sin(angle) * radius, -4, Math.cos(angle) * radius);
    at.scale.set(22 + random.next() * 20, 8 + random.next() * 11, 22 + random.next() * 14);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
  }
  return mesh;
}

export function addGround(scene: Scene): void {
  const ground = new Group();
  const paving = new Mesh(
    new CircleGeometry(PLAZA_RADIUS_M, 96),
    new MeshLambertMaterial({ map: painted(2048, paintPaving) }),
  );
  const grassMap = painted(512, paintGrass);
  grassMap.wrapS = grassMap.wrapT = RepeatWrapping;
  grassMap.repeat.set(40, 40);
  const grass = new Mesh(
    new RingGeometry(PLAZA_RADIUS_M - 0.1, 160, 96, 2),
    new MeshLambertMaterial({ map: grassMap }),
  );
  grass.position.y = -0.06;
  const curb = new Mesh(
    new RingGeometry(PLAZA_RADIUS_M - 0.12, PLAZA_RADIUS_M + 0.42, 96),
    new MeshLambertMaterial({ color: "#8a7a86" }),
  );
  curb.position.y = 0.012;
  for (const flat of [paving, grass, curb]) {
    flat.rotation.x = -Math.PI / 2;
    flat.receiveShadow = true;
    ground.add(flat);
  }
  const hedge = bushes();
  ground.add(hedge, hills());
  scene.add(ground);
}
