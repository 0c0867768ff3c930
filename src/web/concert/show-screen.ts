import {
  AdditiveBlending,
  CanvasTexture,
  Color,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
  type Scene,
  ShaderMaterial,
  SRGBColorSpace,
} from "three";
import { assert } from "../../kernel/assert.ts";
import { screenY, screenZ } from "../stage-parts.ts";
import { STAGE } from "./arena.ts";
import type { Light } from "./light-desk.ts";

const FRAGMENT = /* glsl */ `
  uniform float time;
  uniform float beat;
  uniform float energy;
  uniform vec3 wash;
  uniform vec3 beams;
  varying vec2 spot;
  void main() {
    vec2 p = (spot - vec2(0.5, 0.56)) * vec2(2.71, 1.0);
    float far = length(p);
    float kick = exp(-fract(beat) * 4.0);
    vec3 c = mix(wash * 0.05, wash * 0.16, spot.y) + vec3(0.004, 0.003, 0.012);
    // A sun that beats, cut by bars of night; rings run out of it.
    float sun = smoothstep(0.25 + kick * 0.012, 0.243 + kick * 0.012, far);
    float bars = smoothstep(0.0, 0.12, abs(fract(p.y * 15.0 - time * 0.22) - 0.5)
      - 0.5 + clamp(0.62 + p.y * 2.2, 0.08, 1.0));
    c += sun * bars * mix(wash, beams, clamp(p.y * 2.0 + 0.5, 0.0, 1.0)) * (0.8 + kick * 0.5);
    float ring = 0.5 + 0.5 * cos(far * 42.0 - beat * 3.14159);
    c += beams * pow(ring, 14.0) * smoothstep(0.27, 0.33, far) * exp(-far * 1.7) * 0.55;
    // A spectrum along the foot, as high as the crowd is loud.
    float bar = floor(spot.x * 56.0);
    float level = (0.05 + 0.1 * kick + 0.3 * energy)
      * (0.3 + 0.7 * abs(sin(bar * 1.7 + time * 2.3) * sin(bar * 0.61 - time * 1.7)));
    vec2 cell = step(vec2(0.2, 0.24), fract(spot * vec2(56.0, 34.0)));
    c += step(spot.y, level) * cell.x * cell.y * mix(beams, wash, spot.y * 3.0) * 0.85;
    vec2 rim = vec2(0.006, 0.016);
    vec2 edge = smoothstep(vec2(0.0), rim, spot) * smoothstep(vec2(0.0), rim, 1.0 - spot);
    gl_FragColor = vec4(c * edge.x * edge.y, 1.0);
    #include <colorspace_fragment>
  }
`;

/** The wall of light behind the band: beats, shows how loud it is, and what is played. */
export class ShowScreen {
  readonly #uniforms;
  readonly #context: CanvasRenderingContext2D;
  readonly #words: CanvasTexture;
  #shown = "";

  constructor(scene: Scene, time: { value: number }) {
    this.#uniforms = {
      ...{ time, beat: { value: 0 }, energy: { value: 0 } },
      ...{ wash: { value: new Color() }, beams: { value: new Color() } },
    };
    const material = new ShaderMaterial({
      uniforms: this.#uniforms,
      vertexShader: /* glsl */ `
        varying vec2 spot;
        void main() {
          spot = uv;
          gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
        }
      `,
      fragmentShader: FRAGMENT,
    });
    const { width, height } = STAGE.screen;
    const wall = new Mesh(new PlaneGeometry(width, height), material);
    wall.position.set(STAGE.x, screenY(STAGE), screenZ(STAGE));
    const canvas = document.createElement("canvas");
    canvas.width = 1024;
    canvas.height = 128;
    const context = canvas.getContext("2d");
    assert(context, "a browser with WebGL has 2D canvases");
    this.#context = context;
    this.#words = new CanvasTexture(canvas);
    this.#words.colorSpace = SRGBColorSpace;
    const words = new Mesh(
      new PlaneGeometry(width * 0.8, width * 0.1),
      new MeshBasicMaterial({
        ...{ map: this.#words, transparent: true, depthWrite: false },
        ...{ blending: AdditiveBlending, fog: false },
      }),
    );
    words.position.set(STAGE.x, screenY(STAGE) + height * 0.38, screenZ(STAGE) + 0.04);
    scene.add(wall, words);
  }

  update(beat: number, energy: number, wash: Light, beams: Light): void {
    const u = this.#uniforms;
    u.beat.value = beat;
    u.energy.value = energy;
    u.wash.value.setRGB(...wash);
    u.beams.value.setRGB(...beams);
  }

  title(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    const context = this.#context;
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    context.font = "800 76px system-ui, 'Segoe UI', Roboto, Arial, sans-serif";
    context.letterSpacing = "18px";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = "rgba(255,255,255,.92)";
    context.fillText(text.toUpperCase(), width / 2, height / 2, width - 20);
    this.#words.needsUpdate = true;
  }
}
