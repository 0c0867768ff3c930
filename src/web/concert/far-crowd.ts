import {
  Color,
  InstancedBufferAttribute,
  InstancedMesh,
  Matrix4,
  type Scene,
  ShaderMaterial,
  Vector3,
} from "three";
import { seededRandom } from "../../kernel/random.ts";
import { SHIRTS } from "../avatar-look.ts";
import { STAGE } from "./arena.ts";
import type { Mood } from "./crowd-mood.ts";
import { farFigure, SHOULDER } from "./far-figure.ts";
import { type FarPlace, figuresFor } from "./far-places.ts";
import type { Light } from "./light-desk.ts";

/** Everybody's own part in it: `seed` says how soon they join in, and when in the beat they hop. */
const VERTEX = /* glsl */ `
  attribute float part;
  attribute float glow;
  attribute vec3 tint;
  attribute float seed;
  uniform float time;
  uniform float beat;
  uniform float plays;
  uniform float energy;
  uniform float clap;
  uniform float cheer;
  uniform vec3 band;
  uniform vec3 wash;
  uniform vec3 haze;
  uniform vec3 shoulder;
  uniform vec3 lamp;
  varying vec3 light;
  /** Where on the head this is, and how much of it is one. */
  varying vec4 face;

  float joins(float eagerness, float level) {
    return smoothstep(eagerness - 0.16, eagerness + 0.08, level * 1.12);
  }
  void swing(inout vec3 p, inout vec3 n, float side, float lift, float forward) {
    float s = sin(lift * side), c = cos(lift * side);
    mat2 out_ = mat2(c, s, -s, c);
    p.xy = out_ * p.xy;
    n.xy = out_ * n.xy;
    s = sin(forward); c = cos(forward);
    p.yz = vec2(c * p.y + s * p.z, c * p.z - s * p.y);
    n.yz = vec2(c * n.y + s * n.z, c * n.z - s * n.y);
  }
  void main() {
    float own = fract(seed * 7.31), also = fract(seed * 13.73);
    vec3 p = position, n = normal;
    float moves = joins(seed, energy);
    float up = joins(own, cheer);
    float claps = joins(also, clap) * (1.0 - up);
    float turn = 3.14159 * (beat * plays + time * 1.6 * (1.0 - plays));
    if (part > 1.5) {
      float side = part < 2.5 ? 1.0 : -1.0;
      vec3 joint = vec3(shoulder.x * side, shoulder.y, 0.0);
      float together = 0.5 + 0.5 * sin(time * (8.0 + own * 3.0) + seed * 40.0);
      float lift = 0.16 + moves * 0.25 * (1.0 - up) + up * (2.5 + 0.32 * sin(turn + own * 2.0));
      float forward = claps * 1.5 + moves * 0.5 * (1.0 - up) * (1.0 - claps);
      p -= joint;
      swing(p, n, side, mix(lift, -0.35 + 0.4 * together, claps), forward);
      p += joint;
    }
    // Those behind tilt with the sway of all; a hop is on the beat, a little early or late.
    p.x += p.y * 0.05 * sin(turn * 0.5 + also * 1.2) * (0.25 + moves);
    float hop = abs(sin(turn + (own - 0.5) * 0.8));
    p.y += hop * (0.04 * plays + moves * (0.08 + 0.26 * own) + up * 0.12);

    vec4 spot = modelMatrix * instanceMatrix * vec4(p, 1.0);
    vec3 facing = normalize(mat3(instanceMatrix) * n);
    vec3 towards = lamp - spot.xyz;
    float away = length(towards);
    float lit = max(0.0, dot(facing, towards / away)) * 700.0 / (420.0 + away * away);
    vec3 skin = mix(vec3(0.16, 0.08, 0.05), vec3(0.72, 0.46, 0.32), also);
    bool head = part > 0.5 && part < 1.5;
    face = vec4(position - vec3(0.0, 1.42, 0.0), head ? 1.0 : 0.0);
    vec3 hair = mix(vec3(0.03, 0.02, 0.03), vec3(0.3, 0.16, 0.06), own * own);
    bool back = position.y > 1.47 || position.z < -0.05;
    vec3 own_ = head ? (back ? hair : skin) : tint;
    vec3 night = vec3(0.085, 0.075, 0.13) * (0.7 + 0.6 * max(0.0, facing.y));
    // A little of it is white, or one colour of light would leave only one colour of people.
    vec3 falls = mix(wash, vec3(dot(wash, vec3(0.33))), 0.3);
    light = own_ * (night + falls * lit * 1.35);
    // Bands on wrists: waves of light that run out from the stage, brighter the louder it is.
    float wave = pow(0.5 + 0.5 * sin(turn - away * 0.32 + own * 0.7), 3.0);
    light = mix(light, band * (0.22 + wave * (0.5 + 1.5 * moves) + up * 0.6), glow);

    vec4 seen = viewMatrix * spot;
    light = mix(haze, light, exp(-pow(length(seen.xyz) * 0.0085, 2.0)));
    gl_Position = projectionMatrix * seen;
  }
`;
const FRAGMENT = /* glsl */ `
  varying vec3 light;
  varying vec4 face;
  void main() {
    // Two eyes and a mouth, which is all that is seen of a face from the stage.
    vec2 eye = (vec2(abs(face.x), face.y) - vec2(0.085, 0.015)) / vec2(0.032, 0.05);
    vec2 mouth = (face.xy - vec2(0.0, -0.1)) / vec2(0.06, 0.022);
    float drawn = max(step(dot(eye, eye), 1.0), step(dot(mouth, mouth), 1.0));
    float features = drawn * step(0.1, face.z) * step(0.5, face.w);
    gl_FragColor = vec4(light * (1.0 - 0.85 * features), 1.0);
    #include <tonemapping_fragment>
    #include <colorspace_fragment>
  }
`;

/** Seconds in which the stands fill or empty once the number of people has changed. */
const FILL_S = 2.5;

/**
 * Everybody of an event who is too far away to be met, in one draw call: nothing is computed for a
 * single one of them on this side of the shader.
 */
export class FarCrowd {
  readonly #mesh: InstancedMesh;
  readonly #uniforms;
  #shown = 0;

  constructor(scene: Scene, places: readonly FarPlace[], haze: Color) {
    const random = seededRandom(17);
    const geometry = farFigure();
    const tint = new Float32Array(places.length * 3);
    const seed = new Float32Array(places.length);
    this.#uniforms = {
      ...{ time: { value: 0 }, beat: { value: 0 }, plays: { value: 0 } },
      ...{ energy: { value: 0 }, clap: { value: 0 }, cheer: { value: 0 } },
      ...{ band: { value: new Color() }, wash: { value: new Color() }, haze: { value: haze } },
      shoulder: { value: SHOULDER },
      lamp: { value: new Vector3(STAGE.x, STAGE.trussY, STAGE.z + 6) },
    };
    const material = new ShaderMaterial({
      uniforms: this.#uniforms,
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
    });
    this.#mesh = new InstancedMesh(geometry, material, places.length);
    const matrix = new Matrix4();
    const size = new Vector3();
    const color = new Color();
    places.forEach((place, i) => {
      size.setScalar(0.9 + random.next() * 0.22);
      matrix.makeRotationY(place.yaw).scale(size).setPosition(place.x, place.y, place.z);
      this.#mesh.setMatrixAt(i, matrix);
      const shirt = SHIRTS[Math.floor(random.next() * SHIRTS.length)] ?? 0xffffff;
      color
        .set(shirt)
        .multiplyScalar(0.55 + random.next() * 0.35)
        .toArray(tint, i * 3);
      seed[i] = random.next();
    });
    geometry.setAttribute("tint", new InstancedBufferAttribute(tint, 3));
    geometry.setAttribute("seed", new InstancedBufferAttribute(seed, 1));
    this.#mesh.frustumCulled = false;
    this.#mesh.count = 0;
    scene.add(this.#mesh);
  }

  /** How many are drawn. */
  get figures(): number {
    return this.#mesh.count;
  }

  update(
    people: number,
    mood: Mood,
    show: {
      readonly seconds: number;
      readonly beat: number;
      readonly plays: boolean;
      readonly band: Light;
      readonly wash: Light;
    },
    dt: number,
  ): void {
    const u = this.#uniforms;
    u.time.value = show.seconds;
    u.beat.value = show.beat;
    u.plays.value += ((show.plays ? 1 : 0) - u.plays.value) * (1 - Math.exp(-dt * 2));
    u.energy.value = mood.energy;
    u.clap.value = mood.clap;
    u.cheer.value = mood.cheer;
    u.band.value.setRGB(...show.band);
    u.wash.value.setRGB(...show.wash);
    const full = figuresFor(people, this.#mesh.instanceMatrix.count);
    this.#shown += (full - this.#shown) * (1 - Math.exp((-dt * 3) / FILL_S));
    this.#mesh.count = Math.round(this.#shown);
    this.#mesh.visible = this.#mesh.count > 0;
  }
}
