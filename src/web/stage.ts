import { Color, Mesh, PlaneGeometry, PointLight, type Scene, ShaderMaterial } from "three";
import { Beams } from "./beams.ts";
import { STAGE, STEPS } from "./layout.ts";
import { glows, pools } from "./lights.ts";
import { platform, type StageShape, screenY, screenZ, truss, trussZ } from "./stage-parts.ts";

const BEAM_COLORS = ["#ff4f9a", "#ffb04a", "#5ce1ff", "#9a6bff", "#5ce1ff", "#ffb04a", "#ff4f9a"];
const SHAPE: StageShape = {
  ...STAGE,
  steps: STEPS,
  screen: { width: 11.4, height: 4.4 },
  trussY: 6.6,
  speakers: 3,
  edge: "#ff5fa2",
};

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
  const wall = new Mesh(new PlaneGeometry(SHAPE.screen.width, SHAPE.screen.height), material);
  wall.position.set(SHAPE.x, screenY(SHAPE), screenZ(SHAPE));
  return wall;
}

export interface Stage {
  readonly update: (seconds: number) => void;
  /** Lights that cost a computation for each pixel; off where the machine is slow. */
  readonly lights: readonly PointLight[];
}

export function addStage(scene: Scene, time: { value: number }): Stage {
  const lamps = BEAM_COLORS.map((color, i) => {
    const spread = (i - (BEAM_COLORS.length - 1) / 2) / BEAM_COLORS.length;
    const x = STAGE.x + spread * (STAGE.width - 1.5);
    return { x, y: SHAPE.trussY - 0.5, z: trussZ(SHAPE), color };
  });
  const rig = new Beams(lamps, { lengthM: 9, radiusM: 1.5, strength: 0.62 });
  const washes = [
    { x: -4.4, z: STAGE.z + 0.6, color: "#ff4f9a" },
    { x: 0, z: STAGE.z + 0.2, color: "#ffb04a" },
    { x: 4.4, z: STAGE.z + 0.6, color: "#7a6bff" },
  ];
  scene.add(platform(SHAPE), screen(time), truss(SHAPE), rig.group);
  scene.add(
    pools([
      ...washes.map((wash) => ({ ...wash, y: STAGE.height, size: 7 })),
      { x: -5, y: 0, z: STAGE.z + 7.5, color: new Color("#ff4f9a").multiplyScalar(0.35), size: 13 },
      { x: 5, y: 0, z: STAGE.z + 7.5, color: new Color("#7a6bff").multiplyScalar(0.5), size: 13 },
    ]),
    glows(
      lamps.map((lamp) => ({ ...lamp, y: lamp.y - 0.25, size: 1.7, flicker: 0.3 })),
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
    for (let i = 0; i < lamps.length; i++) {
      const phase = i * 0.9;
      const across = Math.sin(seconds * 0.55 + phase) * 0.5;
      rig.turn(i, -0.12 + Math.sin(seconds * 0.38 + phase * 1.7) * 0.3, across);
    }
  };
  return { update, lights };
}
