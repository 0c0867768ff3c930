import {
  AdditiveBlending,
  BufferAttribute,
  BufferGeometry,
  CircleGeometry,
  Color,
  CylinderGeometry,
  Mesh,
  MeshLambertMaterial,
  Points,
  type Scene,
  ShaderMaterial,
  TorusGeometry,
} from "three";
import { seededRandom } from "../kernel/random.ts";
import { merged } from "./geometry.ts";
import { FOUNTAIN } from "./layout.ts";
import { pools } from "./lights.ts";

/** Points whose whole life the vertex shader computes from `time`: nothing moves on the CPU. */
function motes(count: number, seed: number, vertex: string, time: { value: number }): Points {
  const random = seededRandom(seed);
  const dice = Float32Array.from({ length: count * 3 }, () => random.next());
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(dice, 3));
  const material = new ShaderMaterial({
    transparent: true,
    depthWrite: false,
    blending: AdditiveBlending,
    uniforms: { time },
    vertexShader: /* glsl */ `
      uniform float time;
      varying vec4 light;
      ${vertex}
    `,
    fragmentShader: /* glsl */ `
      varying vec4 light;
      void main() {
        float d = length(gl_PointCoord - 0.5);
        gl_FragColor = vec4(light.rgb * smoothstep(0.5, 0.0, d) * light.a, 1.0);
      }
    `,
  });
  const points = new Points(geometry, material);
  points.frustumCulled = false;
  points.renderOrder = 7;
  return points;
}

const WATER_DROPS = /* glsl */ `
  void main() {
    float jet = floor(position.x * 9.0);
    float age = fract(time * 0.62 + position.y);
    float angle = jet * 0.698;
    float out_ = jet < 1.0 ? 0.35 * (position.z - 0.5) : 1.55 - age * 0.95;
    float top = jet < 1.0 ? 2.3 : 1.15;
    float h = 0.55 + top * 4.0 * age * (1.0 - age) * (jet < 1.0 ? 0.9 : 0.72);
    vec3 at = vec3(sin(angle) * out_, h, cos(angle) * out_);
    vec3 spray = fract(position.z * vec3(7.1, 3.7, 5.3));
    at += (spray - 0.5) * 0.13;
    vec4 seen = modelViewMatrix * vec4(at, 1.0);
    light = vec4(0.6, 0.78, 1.0, 0.2 * smoothstep(0.0, 0.1, age) * smoothstep(1.0, 0.8, age));
    gl_Position = projectionMatrix * seen;
    gl_PointSize = 52.0 * projectionMatrix[1][1] / gl_Position.w;
  }
`;

const FIREFLIES = /* glsl */ `
  void main() {
    float a = position.x * 6.283 + time * 0.05 * (position.y - 0.5);
    float r = 9.0 + position.y * 23.0;
    vec3 at = vec3(sin(a) * r, 0.5 + position.z * 2.6, cos(a) * r);
    at += 0.7 * vec3(sin(time * 0.7 + position.z * 40.0), 0.6 * sin(time * 0.9 + position.x * 60.0),
      cos(time * 0.6 + position.y * 50.0));
    vec4 seen = modelViewMatrix * vec4(at, 1.0);
    float blink = pow(0.5 + 0.5 * sin(time * 1.3 + position.x * 90.0), 3.0);
    light = vec4(1.0, 0.78, 0.38, blink * 0.85);
    gl_Position = projectionMatrix * seen;
    gl_PointSize = 76.0 * projectionMatrix[1][1] / gl_Position.w;
  }
`;

export function addFountain(scene: Scene, time: { value: number }): void {
  const { x, z, radius } = FOUNTAIN;
  const stone = new MeshLambertMaterial({ vertexColors: true });
  const basin = new Mesh(
    merged([
      [
        new CylinderGeometry(radius, radius + 0.12, 0.5, 40, 1, true).translate(0, 0.25, 0),
        "#85757f",
      ],
      [
        new TorusGeometry(radius - 0.08, 0.15, 8, 48).rotateX(Math.PI / 2).translate(0, 0.5, 0),
        "#a08f97",
      ],
      [new CylinderGeometry(0.28, 0.5, 0.8, 16).translate(0, 0.4, 0), "#85757f"],
      [new CylinderGeometry(0.8, 0.35, 0.22, 24).translate(0, 0.85, 0), "#a08f97"],
    ]),
    stone,
  );
  basin.castShadow = true;
  basin.receiveShadow = true;
  const water = new Mesh(
    new CircleGeometry(radius - 0.1, 40).rotateX(-Math.PI / 2),
    new ShaderMaterial({
      uniforms: { time },
      vertexShader: /* glsl */ `
        varying vec2 spot;
        void main() {
          spot = position.xz;
          gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
        }
      `,
      fragmentShader: /* glsl */ `
        uniform float time;
        varying vec2 spot;
        void main() {
          float r = length(spot);
          float chop = sin(spot.x * 9.0 + time * 2.0) * sin(spot.y * 8.0 - time * 1.6);
          float ripple = sin(r * 11.0 - time * 4.2) * 0.5 + 0.5 * chop;
          vec3 c = mix(vec3(0.012, 0.03, 0.1), vec3(0.09, 0.12, 0.32), 0.36 + ripple * 0.2);
          c += vec3(0.75, 0.4, 0.35) * smoothstep(0.72, 1.0, ripple) * 0.3;
          c += vec3(0.1, 0.4, 0.55) * smoothstep(2.4, 0.2, r) * 0.5;
          gl_FragColor = vec4(c, 1.0);
          #include <colorspace_fragment>
        }
      `,
    }),
  );
  water.position.y = 0.4;
  const drops = motes(620, 61, WATER_DROPS, time);
  for (const part of [basin, water, drops]) {
    part.position.x = x;
    part.position.z = z;
    scene.add(part);
  }
  scene.add(pools([{ x, y: 0, z, color: new Color("#4f9ad8").multiplyScalar(0.5), size: 10 }]));
  scene.add(motes(90, 71, FIREFLIES, time));
}
