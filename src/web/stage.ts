import {
  AdditiveBlending,
  BoxGeometry,
  Color,
  ConeGeometry,
  CylinderGeometry,
  DoubleSide,
  Group,
  InstancedMesh,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  Object3D,
  PlaneGeometry,
  PointLight,
  type Scene,
  ShaderMaterial,
} from "three";
import { painted } from "./canvas.ts";
import { STAGE, STEPS } from "./layout.ts";
import { glows, pools } from "./lights.ts";

const BEAM_COLORS = ["#ff4f9a", "#ffb04a", "#5ce1ff", "#9a6bff", "#5ce1ff", "#ffb04a", "#ff4f9a"];
const TRUSS_Y = 6.6;

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

/** The wall of light behind the performers: waves of colour over a spectrum that never stops. */
function screen(time: { value: number }): Mesh {
  const material = new ShaderMaterial({
    uniforms: { time },
    vertexShader: /* glsl */ `
      varying vec2 spot;
      void main() {
        spot = uv;
        gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
      }
    `,
    fragmentShader: /* glsl */ `
      uniform float time;
      varying vec2 spot;
      void main() {
        vec2 p = vec2((spot.x - 0.5) * 2.6, spot.y);
        float t = time * 0.35;
        vec3 c = mix(vec3(0.008, 0.004, 0.035), vec3(0.06, 0.008, 0.09), spot.y);
        for (int i = 0; i < 4; i++) {
          float k = float(i);
          float wave = 0.42 + 0.13 * k * 0.6
            + 0.16 * sin(p.x * (1.6 + k * 0.5) + t * (1.3 + k * 0.4) + k * 1.9);
          vec3 hue = 0.42 + 0.5 * cos(6.283 * (vec3(0.92, 0.38, 0.62) + k * 0.13 + t * 0.12));
          c += hue * (0.0052 / (abs(spot.y - wave) + 0.006)) * 0.9;
        }
        float bar = floor(spot.x * 34.0);
        float level = 0.06 + 0.2 * abs(sin(bar * 1.7 + time * 2.3) * sin(bar * 0.61 - time * 1.7));
        vec2 cell = step(vec2(0.18, 0.2), fract(spot * vec2(34.0, 26.0)));
        float lit = step(spot.y, level) * cell.x * cell.y;
        c += lit * mix(vec3(1.0, 0.35, 0.55), vec3(1.0, 0.8, 0.35), spot.y / 0.26) * 0.9;
        vec2 rim = vec2(0.012, 0.03);
        vec2 edge = smoothstep(vec2(0.0), rim, spot) * smoothstep(vec2(0.0), rim, 1.0 - spot);
        gl_FragColor = vec4(c * edge.x * edge.y, 1.0);
        #include <colorspace_fragment>
      }
    `,
  });
  const wall = new Mesh(new PlaneGeometry(11.4, 4.4), material);
  wall.position.set(STAGE.x, STAGE.height + 2.75, STAGE.z - STAGE.depth / 2 + 0.42);
  return wall;
}

function platform(): Group {
  const group = new Group();
  const dark = new MeshLambertMaterial({ color: "#2c2438" });
  const top = new MeshLambertMaterial({ map: painted(512, planks) });
  const deck = new Mesh(new BoxGeometry(STAGE.width, STAGE.height, STAGE.depth), [
    dark,
    dark,
    top,
    dark,
    dark,
    dark,
  ]);
  deck.position.set(STAGE.x, STAGE.height / 2, STAGE.z);
  group.add(deck);
  const front = STAGE.z + STAGE.depth / 2;
  const tread = STEPS.depth / STEPS.count;
  for (let i = 0; i < STEPS.count; i++) {
    const height = (STAGE.height * (STEPS.count - i)) / (STEPS.count + 1);
    const step = new Mesh(new BoxGeometry(STEPS.width, height, tread), dark);
    step.position.set(STAGE.x, height / 2, front + tread * (i + 0.5));
    group.add(step);
  }
  const frame = new Mesh(new BoxGeometry(12, 4.9, 0.3), dark);
  frame.position.set(STAGE.x, STAGE.height + 2.75, STAGE.z - STAGE.depth / 2 + 0.24);
  group.add(frame);
  group.traverse((part) => {
    part.castShadow = true;
    part.receiveShadow = true;
  });
  const strip = new MeshBasicMaterial({ color: new Color("#ff5fa2").multiplyScalar(1.5) });
  for (const side of [-1, 1]) {
    const width = (STAGE.width - STEPS.width) / 2;
    const edge = new Mesh(new BoxGeometry(width, 0.06, 0.05), strip);
    edge.position.set(side * (STEPS.width / 2 + width / 2), STAGE.height - 0.1, front + 0.02);
    group.add(edge);
  }
  return group;
}

/** Towers and a beam of thin struts, and stacks of speakers: everything dark in one draw call. */
function truss(): InstancedMesh {
  const struts: [number, number, number, number, number, number, number][] = [];
  const left = STAGE.x - STAGE.width / 2 + 0.3;
  const right = STAGE.x + STAGE.width / 2 - 0.3;
  const z = STAGE.z + 1.2;
  for (const x of [left, right]) {
    for (const dx of [-0.22, 0.22]) {
      for (const dz of [-0.22, 0.22])
        struts.push([x + dx, TRUSS_Y / 2, z + dz, 0.07, TRUSS_Y, 0.07, 0]);
    }
    for (let y = 0.6; y < TRUSS_Y; y += 0.55) {
      const lean = Math.round(y / 0.55) % 2 === 0 ? 0.75 : -0.75;
      struts.push(
        [x, y, z + 0.22, 0.04, 0.66, 0.04, lean],
        [x, y, z - 0.22, 0.04, 0.66, 0.04, -lean],
      );
    }
  }
  const span = right - left;
  for (const dy of [-0.22, 0.22]) {
    for (const dz of [-0.22, 0.22])
      struts.push([0, TRUSS_Y + dy, z + dz, span + 0.5, 0.07, 0.07, 0]);
  }
  for (let x = left + 0.3; x < right; x += 0.5) {
    const lean = Math.round((x - left) / 0.5) % 2 === 0 ? 0.75 : -0.75;
    struts.push([x, TRUSS_Y, z + 0.22, 0.04, 0.62, 0.04, lean]);
  }
  for (const side of [-1, 1]) {
    const x = side * (STAGE.width / 2 - 0.5);
    for (let i = 0; i < 3; i++) {
      struts.push([x, STAGE.height + 0.5 + i * 0.92, STAGE.z - 3.3, 1.1, 0.88, 0.9, 0]);
    }
  }
  const mesh = new InstancedMesh(
    new BoxGeometry(1, 1, 1),
    new MeshLambertMaterial({ color: "#3a3350" }),
    struts.length,
  );
  const at = new Object3D();
  struts.forEach(([x, y, sz, w, h, d, lean], i) => {
    at.position.set(x, y, sz);
    at.rotation.set(0, 0, lean);
    at.scale.set(w, h, d);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
  });
  mesh.castShadow = true;
  return mesh;
}

interface Beam {
  readonly pivot: Group;
  readonly phase: number;
}

/** Light that can be seen in the haze: open cones, brightest at the lamp and at their middle. */
function beams(): { group: Group; list: Beam[] } {
  const geometry = new ConeGeometry(1.5, 9, 24, 1, true).translate(0, -4.5, 0);
  const head = new CylinderGeometry(0.16, 0.22, 0.5, 12);
  const headMaterial = new MeshLambertMaterial({ color: "#1d1929" });
  const group = new Group();
  const list = BEAM_COLORS.map((color, i): Beam => {
    const material = new ShaderMaterial({
      transparent: true,
      depthWrite: false,
      side: DoubleSide,
      blending: AdditiveBlending,
      uniforms: { color: { value: new Color(color) } },
      vertexShader: /* glsl */ `
        varying float along;
        varying float facing;
        void main() {
          along = -position.y / 9.0;
          vec4 seen = modelViewMatrix * vec4(position, 1.0);
          facing = abs(dot(normalize(normalMatrix * normal), normalize(-seen.xyz)));
          gl_Position = projectionMatrix * seen;
        }
      `,
      fragmentShader: /* glsl */ `
        uniform vec3 color;
        varying float along;
        varying float facing;
        void main() {
          float strength = pow(facing, 2.2) * pow(1.0 - along, 1.5) * smoothstep(0.0, 0.04, along);
          gl_FragColor = vec4(color * strength * 0.62, 1.0);
        }
      `,
    });
    const pivot = new Group();
    const cone = new Mesh(geometry, material);
    cone.renderOrder = 6;
    pivot.add(cone, new Mesh(head, headMaterial));
    const spread = (i - (BEAM_COLORS.length - 1) / 2) / BEAM_COLORS.length;
    pivot.position.set(spread * (STAGE.width - 1.5), TRUSS_Y - 0.5, STAGE.z + 1.2);
    group.add(pivot);
    return { pivot, phase: i * 0.9 };
  });
  return { group, list };
}

export interface Stage {
  readonly update: (seconds: number) => void;
  /** Lights that cost a computation for each pixel; off where the machine is slow. */
  readonly lights: readonly PointLight[];
}

export function addStage(scene: Scene, time: { value: number }): Stage {
  const rig = beams();
  const washes = [
    { x: -4.4, z: STAGE.z + 0.6, color: "#ff4f9a" },
    { x: 0, z: STAGE.z + 0.2, color: "#ffb04a" },
    { x: 4.4, z: STAGE.z + 0.6, color: "#7a6bff" },
  ];
  scene.add(platform(), screen(time), truss(), rig.group);
  scene.add(
    pools([
      ...washes.map((wash) => ({ ...wash, y: STAGE.height, size: 7 })),
      { x: -5, y: 0, z: STAGE.z + 7.5, color: new Color("#ff4f9a").multiplyScalar(0.35), size: 13 },
      { x: 5, y: 0, z: STAGE.z + 7.5, color: new Color("#7a6bff").multiplyScalar(0.5), size: 13 },
    ]),
    glows(
      rig.list.map(({ pivot }, i) => ({
        x: pivot.position.x,
        y: TRUSS_Y - 0.75,
        z: pivot.position.z,
        color: BEAM_COLORS[i] ?? "#fff",
        size: 1.7,
        flicker: 0.3,
      })),
      time,
    ),
  );
  const lights = [-1, 1].map((side) => {
    const light = new PointLight(side < 0 ? "#ff5aa5" : "#7d78ff", 60, 17, 1.6);
    light.position.set(side * 4.2, 3.6, STAGE.z + 2.6);
    scene.add(light);
    return light;
  });
  const update = (seconds: number): void => {
    for (const { pivot, phase } of rig.list) {
      pivot.rotation.z = Math.sin(seconds * 0.55 + phase) * 0.5;
      pivot.rotation.x = -0.12 + Math.sin(seconds * 0.38 + phase * 1.7) * 0.3;
    }
  };
  return { update, lights };
}
