import { BufferAttribute, BufferGeometry, Color, Points, type Scene, ShaderMaterial } from "three";
import { seededRandom } from "../../kernel/random.ts";
import { SHIRTS } from "../avatar-look.ts";
import { STAGE } from "./arena.ts";

const PIECES = 900;
const FALLS_S = 9;

/** Paper shot from both sides of the stage: flies up, flutters down over the first rows. */
export class Confetti {
  readonly #points: Points;
  readonly #age = { value: 0 };
  readonly #height = { value: 1 };
  #firedAt = Number.NEGATIVE_INFINITY;

  constructor(scene: Scene) {
    const random = seededRandom(29);
    const at = new Float32Array(PIECES * 3);
    const speed = new Float32Array(PIECES * 3);
    const tint = new Float32Array(PIECES * 3);
    const color = new Color();
    for (let i = 0; i < PIECES; i++) {
      const side = i % 2 === 0 ? 1 : -1;
      at.set([side * (STAGE.width / 2 - 2), STAGE.height + 0.4, STAGE.z + STAGE.depth / 2], i * 3);
      const inwards = 1.5 + random.next() * 9;
      speed.set([-side * inwards, 8 + random.next() * 7, 1 + random.next() * 8], i * 3);
      color.set(SHIRTS[i % SHIRTS.length] ?? 0xffffff).toArray(tint, i * 3);
    }
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(at, 3));
    geometry.setAttribute("speed", new BufferAttribute(speed, 3));
    geometry.setAttribute("tint", new BufferAttribute(tint, 3));
    const material = new ShaderMaterial({
      transparent: true,
      depthWrite: false,
      uniforms: { age: this.#age, height: this.#height },
      vertexShader: /* glsl */ `
        attribute vec3 speed;
        attribute vec3 tint;
        uniform float age;
        uniform float height;
        varying vec3 light;
        void main() {
          // Air stops paper within a second; then it sinks, swaying.
          float flown = (1.0 - exp(-age * 1.5)) / 1.5;
          float own = fract(dot(speed, vec3(1.7, 3.1, 2.3)));
          float sinks = max(0.0, age - 0.5) * (0.9 + own * 0.6);
          vec3 p = position + speed * flown - vec3(0.0, sinks, 0.0);
          vec2 sway = vec2(sin(age * 2.3 + own * 40.0), cos(age * 1.9 + own * 70.0));
          p.xz += sway * 0.35 * min(age, 1.0);
          p.y = max(p.y, 0.02);
          vec4 seen = modelViewMatrix * vec4(p, 1.0);
          float turns = abs(sin(age * (5.0 + own * 6.0) + own * 90.0));
          light = tint * (0.35 + 0.65 * turns);
          gl_Position = projectionMatrix * seen;
          gl_PointSize = 0.13 * (0.35 + 0.65 * turns) * height * projectionMatrix[1][1] * 0.5
            / gl_Position.w;
        }
      `,
      fragmentShader: /* glsl */ `
        uniform float age;
        varying vec3 light;
        void main() {
          gl_FragColor = vec4(light, 1.0 - smoothstep(6.0, ${FALLS_S.toFixed(1)}, age));
          #include <colorspace_fragment>
        }
      `,
    });
    this.#points = new Points(geometry, material);
    this.#points.frustumCulled = false;
    this.#points.visible = false;
    this.#points.onBeforeRender = (renderer) => {
      this.#height.value = renderer.domElement.height;
    };
    scene.add(this.#points);
  }

  fire(seconds: number): void {
    this.#firedAt = seconds;
  }

  update(seconds: number): void {
    this.#age.value = seconds - this.#firedAt;
    this.#points.visible = this.#age.value < FALLS_S;
  }
}
