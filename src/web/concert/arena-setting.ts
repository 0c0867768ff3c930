import {
  BoxGeometry,
  Color,
  DirectionalLight,
  InstancedMesh,
  LatheGeometry,
  Mesh,
  MeshLambertMaterial,
  Object3D,
  PlaneGeometry,
  PointLight,
  type Points,
  RepeatWrapping,
  type Scene,
  Vector2,
} from "three";
import { seededRandom } from "../../kernel/random.ts";
import { Beams, type Lamp } from "../beams.ts";
import { painted } from "../canvas.ts";
import { glows, pools } from "../lights.ts";
import type { Setting, Site } from "../picture.ts";
import { addSky, type SkyLook } from "../sky.ts";
import { platform, truss, trussZ } from "../stage-parts.ts";
import { arenaTerrain, BARRIER_Z, BOWL, FLOOR, STAGE } from "./arena.ts";
import { Confetti } from "./confetti.ts";
import { FarCrowd } from "./far-crowd.ts";
import { farPlaces } from "./far-places.ts";
import { Rig } from "./rig.ts";
import { ShowScreen } from "./show-screen.ts";

const NIGHT: SkyLook = {
  ramp: [
    [0.085, 0.03, 0.13],
    [0.045, 0.02, 0.11],
    [0.016, 0.012, 0.06],
    [0.004, 0.005, 0.025],
  ],
  glow: 0,
  fog: [0.022, 0.013, 0.05],
  fogDensity: 0.0085,
  hemisphere: ["#8f8ad0", "#3a2c55", 0.75],
  sun: ["#b7a6ff", 0.35],
  rim: ["#ffd9b8", 0.85],
};

/** Over the heads of those in front, with the stage in the middle; performers see the crowd. */
const FRAMING = {
  audience: { distanceM: 7.5, tilt: 0.14, aimM: 2.9 },
  stage: { distanceM: 6, tilt: 0.22, aimM: 2.2 },
};

/** The concert without its people. */
export interface ArenaSetting extends Setting {
  readonly rig: Rig;
  readonly screen: ShowScreen;
  readonly far: FarCrowd;
  readonly confetti: Confetti;
}

/** `performing`: seen from the stage, where the crowd begins at its foot. */
export function arenaSetting({ scene, time }: Site, performing: boolean): ArenaSetting {
  const sky = addSky(scene, time, NIGHT);
  scene.add(ground(), stands(), barrier(), platform(STAGE), truss(STAGE), rim(time));
  const screen = new ShowScreen(scene, time);
  const far = new FarCrowd(scene, farPlaces(performing), new Color(...NIGHT.fog));
  const confetti = new Confetti(scene);
  const wash = new DirectionalLight("#ffffff", 1);
  wash.position.set(STAGE.x, STAGE.trussY, STAGE.z - 2);
  wash.target.position.set(0, 0, 8);
  const fronts = [-1, 1].map((side) => {
    const light = new PointLight("#ffe6cc", 110, 22, 1.5);
    light.position.set(side * 5, 6.4, STAGE.z + 8.2);
    return light;
  });
  scene.add(wash, wash.target, ...fronts);
  const rig = new Rig(hanging(scene), standing(scene), floorLight(scene), wash);
  return {
    framing: performing ? FRAMING.stage : FRAMING.audience,
    ...{ terrain: arenaTerrain, sun: undefined, lights: fronts, rig, screen, far, confetti },
    update: (seconds, at) => {
      sky.follow(at.x, at.z);
      confetti.update(seconds);
    },
  };
}

const row = (count: number, width: number, lamp: Omit<Lamp, "x">): Lamp[] =>
  Array.from({ length: count }, (_, i) => ({
    ...lamp,
    x: STAGE.x + ((i + 0.5) / count - 0.5) * width,
  }));

function hanging(scene: Scene): Beams {
  const lamps = row(14, STAGE.width - 2, {
    y: STAGE.trussY - 0.4,
    z: trussZ(STAGE),
    color: "#fff",
  });
  const beams = new Beams(lamps, { lengthM: 17, radiusM: 1.9, strength: 0.5 });
  scene.add(beams.group);
  return beams;
}

function standing(scene: Scene): Beams {
  const z = STAGE.z - STAGE.depth / 2 + 1.1;
  const lamps = row(10, STAGE.width - 1.5, { y: STAGE.height + 0.25, z, color: "#fff" });
  const beams = new Beams(lamps, { lengthM: 24, radiusM: 1.5, strength: 0.34 });
  scene.add(beams.group);
  return beams;
}

function floorLight(scene: Scene): InstancedMesh {
  const y = STAGE.height;
  const mesh = pools([
    ...[-8, 0, 8].map((x) => ({ x, y, z: STAGE.z + 1, color: "#fff", size: 11 })),
    ...[-9, 9].map((x) => ({ x, y: 0, z: FLOOR.from + 3, color: "#fff", size: 20 })),
  ]);
  scene.add(mesh);
  return mesh;
}

function paintConcrete(context: CanvasRenderingContext2D, size: number): void {
  const random = seededRandom(3);
  context.fillStyle = "#3a3546";
  context.fillRect(0, 0, size, size);
  for (let i = 0; i < 2600; i++) {
    const light = 44 + random.next() * 34;
    context.fillStyle = `rgba(${light + 8},${light},${light + 18},.35)`;
    const spot = 1 + random.next() * 7;
    context.fillRect(random.next() * size, random.next() * size, spot, spot * 0.6);
  }
  context.strokeStyle = "rgba(12,8,20,.7)";
  context.lineWidth = 3;
  context.strokeRect(0, 0, size, size);
}

function ground(): Mesh {
  const map = painted(512, paintConcrete);
  map.wrapS = map.wrapT = RepeatWrapping;
  map.repeat.set(56, 56);
  const floor = new Mesh(new PlaneGeometry(170, 170), new MeshLambertMaterial({ map }));
  floor.rotation.x = -Math.PI / 2;
  return floor;
}

/** The steps of the bowl, in one turned shape. */
function stands(): Mesh {
  const profile: Vector2[] = [new Vector2(BOWL.radius, 0)];
  for (let i = 0; i < BOWL.rows; i++) {
    const y = BOWL.baseY + i * BOWL.riseM;
    const inner = BOWL.radius + i * BOWL.rowM;
    profile.push(new Vector2(inner, y), new Vector2(inner + BOWL.rowM, y));
  }
  const top = profile.at(-1) ?? new Vector2();
  profile.push(new Vector2(top.x, top.y + 2.2), new Vector2(top.x + 1, top.y + 2.2));
  const turn = BOWL.halfTurn + 0.03;
  const shape = new LatheGeometry(profile, 72, -turn, turn * 2).toNonIndexed();
  shape.computeVertexNormals();
  const steps = new Mesh(shape, new MeshLambertMaterial({ color: "#37304c", side: 2 }));
  steps.position.z = BOWL.z;
  return steps;
}

/** Lamps along the upper edge of the stands. */
function rim(time: { value: number }): Points {
  const radius = BOWL.radius + BOWL.rows * BOWL.rowM + 0.5;
  const y = BOWL.baseY + BOWL.rows * BOWL.riseM + 2;
  const lamps = 64;
  return glows(
    Array.from({ length: lamps }, (_, i) => {
      const turn = BOWL.halfTurn * ((2 * i) / (lamps - 1) - 1);
      const [x, z] = [Math.sin(turn) * radius, BOWL.z + Math.cos(turn) * radius];
      return { x, y, z, color: i % 4 === 0 ? "#ff9fd2" : "#ffcf9a", size: 2.4, flicker: 0.25 };
    }),
    time,
  );
}

/** Keeps the audience off the stage. */
function barrier(): InstancedMesh {
  const width = 2 * FLOOR.halfWidth + 20;
  const parts: [x: number, y: number, z: number, w: number, h: number, d: number][] = [
    [0, 1.02, BARRIER_Z, width, 0.09, 0.12],
    [0, 0.5, BARRIER_Z - 0.05, width, 0.9, 0.05],
  ];
  for (let x = -width / 2; x <= width / 2; x += 2) parts.push([x, 0.5, BARRIER_Z, 0.08, 1, 0.16]);
  const material = new MeshLambertMaterial({ color: "#554c6b" });
  const mesh = new InstancedMesh(new BoxGeometry(1, 1, 1), material, parts.length);
  const at = new Object3D();
  parts.forEach(([x, y, z, w, h, d], i) => {
    at.position.set(x, y, z);
    at.scale.set(w, h, d);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
  });
  return mesh;
}
