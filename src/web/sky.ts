import {
  BackSide,
  BufferAttribute,
  BufferGeometry,
  Color,
  DirectionalLight,
  FogExp2,
  Group,
  HemisphereLight,
  Mesh,
  Points,
  type Scene,
  ShaderMaterial,
  SphereGeometry,
  Vector3,
} from "three";
import { seededRandom } from "../kernel/random.ts";

type Rgb = readonly [number, number, number];

/** How a sky looks, and what falls from it. */
export interface SkyLook {
  /** From the horizon up. */
  readonly ramp: readonly [low: Rgb, rose: Rgb, violet: Rgb, night: Rgb];
  /** Of the sun that has gone down, and the clouds that it colours; 0: none. */
  readonly glow: number;
  readonly fog: Rgb;
  readonly fogDensity: number;
  readonly hemisphere: readonly [sky: string, ground: string, strength: number];
  readonly sun: readonly [color: string, strength: number];
  readonly rim: readonly [color: string, strength: number];
}

export const DUSK: SkyLook = {
  ramp: [
    [0.8, 0.3, 0.21],
    [0.4, 0.115, 0.25],
    [0.085, 0.045, 0.2],
    [0.012, 0.012, 0.06],
  ],
  glow: 1,
  fog: [0.13, 0.062, 0.16],
  fogDensity: 0.013,
  hemisphere: ["#9e94dc", "#80555c", 1.75],
  sun: ["#ffa877", 2.35],
  rim: ["#6f7bff", 0.75],
};

/** Where the sun has just about gone down: low, left of the stage. */
export const SUN = new Vector3(-0.83, 0.36, -0.38).normalize();
const GLOW = new Vector3(-0.72, 0.02, -0.69).normalize();

const SKY_FRAGMENT = /* glsl */ `
  uniform vec3 glow;
  uniform float strength;
  uniform vec3 low;
  uniform vec3 rose;
  uniform vec3 violet;
  uniform vec3 night;
  varying vec3 direction;
  vec3 ramp(float h) {
    vec3 c = mix(low, rose, smoothstep(-0.02, 0.14, h));
    c = mix(c, violet, smoothstep(0.08, 0.36, h));
    return mix(c, night, smoothstep(0.28, 0.9, h));
  }
  float hash(vec2 p) { return fract(sin(dot(p, vec2(127.1, 311.7))) * 43758.5453); }
  float noise(vec2 p) {
    vec2 i = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x),
               mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
  }
  void main() {
    vec3 d = normalize(direction);
    float toward = max(dot(normalize(d.xz), normalize(glow.xz)), -0.4);
    float h = d.y + 0.10 - 0.10 * smoothstep(-0.4, 1.0, toward);
    vec3 c = ramp(h);
    float sun = pow(max(dot(d, glow), 0.0), 7.0) * strength;
    c += vec3(1.0, 0.55, 0.22) * sun * 0.55 * smoothstep(-0.1, 0.1, d.y);
    c += vec3(1.0, 0.8, 0.5) * pow(max(dot(d, glow), 0.0), 60.0) * 0.5 * strength;
    vec2 plane = d.xz / (abs(d.y) + 0.16);
    float cloud = noise(plane * vec2(1.1, 2.6)) * 0.6 + noise(plane * vec2(2.7, 5.9) + 7.0) * 0.4;
    float band = smoothstep(0.03, 0.12, d.y) * smoothstep(0.62, 0.2, d.y);
    float veil = smoothstep(0.54, 0.86, cloud) * band;
    vec3 lit = mix(vec3(0.3, 0.1, 0.24), vec3(1.0, 0.45, 0.25), sun + 0.15);
    c = mix(c, lit, veil * 0.55 * strength);
    gl_FragColor = vec4(c, 1.0);
    #include <colorspace_fragment>
  }
`;

function skyDome({ glow, ramp }: SkyLook): Mesh {
  const [low, rose, violet, night] = ramp.map((rgb) => new Vector3(...rgb));
  const material = new ShaderMaterial({
    side: BackSide,
    depthWrite: false,
    fog: false,
    toneMapped: false,
    uniforms: {
      glow: { value: GLOW },
      strength: { value: glow },
      low: { value: low },
      rose: { value: rose },
      violet: { value: violet },
      night: { value: night },
    },
    vertexShader: /* glsl */ `
      varying vec3 direction;
      void main() {
        direction = position;
        gl_Position = projectionMatrix * mat4(mat3(viewMatrix)) * vec4(position, 1.0);
        gl_Position.z = gl_Position.w * 0.99999;
      }
    `,
    fragmentShader: SKY_FRAGMENT,
  });
  const dome = new Mesh(new SphereGeometry(100, 32, 20), material);
  dome.frustumCulled = false;
  dome.renderOrder = -10;
  return dome;
}

/** Stars of three brightnesses; they twinkle with `time`. */
function stars(time: { value: number }): Points {
  const random = seededRandom(7);
  const count = 520;
  const at = new Float32Array(count * 3);
  const size = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const around = random.next() * Math.PI * 2;
    const up = 0.16 + random.next() * 0.84;
    const flat = Math.sqrt(1 - up * up);
    at.set([Math.cos(around) * flat * 95, up * 95, Math.sin(around) * flat * 95], i * 3);
    size[i] = 1 + random.next() ** 4 * 2.6;
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(at, 3));
  geometry.setAttribute("size", new BufferAttribute(size, 1));
  const material = new ShaderMaterial({
    transparent: true,
    depthWrite: false,
    fog: false,
    uniforms: { time },
    vertexShader: /* glsl */ `
      attribute float size;
      uniform float time;
      varying float shine;
      void main() {
        shine = (0.55 + 0.45 * sin(time * (0.6 + size * 0.5) + position.x * 3.0))
          * smoothstep(0.14, 0.5, position.y / 95.0);
        gl_Position = projectionMatrix * mat4(mat3(viewMatrix)) * vec4(position, 1.0);
        gl_Position.z = gl_Position.w * 0.9999;
        gl_PointSize = size * 1.5;
      }
    `,
    fragmentShader: /* glsl */ `
      varying float shine;
      void main() {
        float d = length(gl_PointCoord - 0.5);
        gl_FragColor = vec4(vec3(1.0, 0.95, 0.88), smoothstep(0.5, 0.1, d) * shine * 0.9);
      }
    `,
  });
  const points = new Points(geometry, material);
  points.frustumCulled = false;
  points.renderOrder = -9;
  return points;
}

export interface Sky {
  /** The one light that casts shadows; it follows the viewer. */
  readonly sun: DirectionalLight;
  readonly follow: (x: number, z: number) => void;
}

/** Sky, fog and the light from them. `time` is shared by everything that moves by itself. */
export function addSky(scene: Scene, time: { value: number }, look: SkyLook): Sky {
  scene.fog = new FogExp2(new Color(...look.fog), look.fogDensity);
  const sky = new Group();
  sky.add(skyDome(look), stars(time));
  scene.add(sky);
  const [above, below, strength] = look.hemisphere;
  scene.add(new HemisphereLight(new Color(above), new Color(below), strength));
  const sun = new DirectionalLight(...look.sun);
  sun.castShadow = true;
  sun.shadow.mapSize.set(2048, 2048);
  sun.shadow.radius = 5;
  sun.shadow.bias = -0.0006;
  sun.shadow.normalBias = 0.035;
  const box = sun.shadow.camera;
  box.left = box.bottom = -19;
  box.right = box.top = 19;
  box.near = 5;
  box.far = 95;
  const rim = new DirectionalLight(...look.rim);
  rim.position.set(12, 9, 14);
  scene.add(sun, sun.target, rim);
  const follow = (x: number, z: number): void => {
    // Whole texels of the shadow map, or the edges of shadows would swim as the viewer walks.
    const texel = 38 / sun.shadow.mapSize.x;
    const cx = Math.round(x / texel) * texel;
    const cz = Math.round(z / texel) * texel;
    sun.target.position.set(cx, 0, cz);
    sun.position.set(cx + SUN.x * 50, SUN.y * 50, cz + SUN.z * 50);
  };
  follow(0, 0);
  return { sun, follow };
}
