import {
  type DirectionalLight,
  type Light,
  NeutralToneMapping,
  PCFShadowMap,
  Scene,
  Vector2,
  WebGLRenderer,
} from "three";
import { FollowCamera, type Framing } from "./follow-camera.ts";
import type { Terrain } from "./terrain.ts";

/** A frame slower than this, on average, means the machine cannot do what it is asked. */
const SLOW_FRAME_MS = 40;
const SLOW_FOR_MS = 1500;
/** One hiccup says nothing about the machine. */
const SPENT_MS_MAX = 300;
const PIXEL_RATIO_MAX = 2;
const SHARPNESS_MIN = 0.5;

export type DrawQuality = "high" | "low";
/** `auto` begins high and becomes low on a slow machine. */
export type QualityWish = DrawQuality | "auto";

/** What a place consists of, as far as the picture has to know. */
export interface Setting {
  readonly terrain: Terrain;
  readonly framing: Framing;
  /** Casts shadows where the machine is fast; undefined where nothing does. */
  readonly sun: DirectionalLight | undefined;
  /** Lights that cost a computation for each pixel; off where the machine is slow. */
  readonly lights: readonly Light[];
  /** Moves what moves by itself. */
  readonly update: (seconds: number, at: { readonly x: number; readonly z: number }) => void;
}

/** What a place is built with: its scene, the seconds that its shaders run by, and the renderer. */
export interface Site {
  readonly scene: Scene;
  readonly time: { value: number };
  readonly renderer: WebGLRenderer;
}

/** What a frame took to draw. */
export interface Drawn {
  readonly calls: number;
  readonly triangles: number;
}

/** A place on the screen, without its people, and what draws it. */
export class Picture<S extends Setting = Setting> {
  readonly scene = new Scene();
  readonly setting: S;
  readonly view: FollowCamera;
  readonly #renderer: WebGLRenderer;
  readonly #time = { value: 0 };
  readonly #size = new Vector2(1, 1);
  #quality: DrawQuality = "high";
  #frameMs = 16;
  #slowMs = 0;
  readonly #adapts: boolean;
  readonly #onQuality: (quality: DrawQuality) => void;

  constructor(
    canvas: HTMLCanvasElement,
    wish: QualityWish,
    onQuality: (quality: DrawQuality) => void,
    build: (site: Site) => S,
  ) {
    this.#onQuality = onQuality;
    this.#renderer = new WebGLRenderer({
      canvas,
      antialias: wish !== "low",
      powerPreference: "high-performance",
    });
    this.#renderer.toneMapping = NeutralToneMapping;
    this.#renderer.toneMappingExposure = 1.0;
    this.#renderer.shadowMap.type = PCFShadowMap;
    this.setting = build({ scene: this.scene, time: this.#time, renderer: this.#renderer });
    this.#renderer.shadowMap.enabled = this.setting.sun !== undefined;
    this.view = new FollowCamera(this.setting.terrain, this.setting.framing);
    this.#adapts = wish !== "high";
    this.setQuality(wish === "low" ? "low" : "high");
    this.#resize();
    window.addEventListener("resize", () => this.#resize());
  }

  get quality(): DrawQuality {
    return this.#quality;
  }
  get width(): number {
    return this.#size.x;
  }
  get height(): number {
    return this.#size.y;
  }
  get drawn(): Drawn {
    const { calls, triangles } = this.#renderer.info.render;
    return { calls, triangles };
  }

  setQuality(quality: DrawQuality): void {
    this.#quality = quality;
    const high = quality === "high";
    const { lights, sun } = this.setting;
    if (sun) sun.castShadow = high;
    for (const light of lights) light.visible = high;
    this.#renderer.setPixelRatio(Math.min(window.devicePixelRatio, high ? PIXEL_RATIO_MAX : 1));
    this.#onQuality(quality);
  }

  #resize(): void {
    this.#size.set(window.innerWidth, window.innerHeight);
    this.#renderer.setSize(this.#size.x, this.#size.y, false);
    this.view.resize(this.#size.x, this.#size.y);
  }

  /** Moves what moves by itself, and draws. `dt` seconds since the last frame. */
  draw(seconds: number, dt: number, at: { x: number; z: number }): void {
    this.#time.value = seconds;
    this.setting.update(seconds, at);
    this.#renderer.render(this.scene, this.view.camera);
    this.#judge(dt * 1000);
  }

  /**
   * On a slow machine gives up shadows first, then sharpness, step by step and for good: switching
   * back would flap.
   */
  #judge(frameMs: number): void {
    if (!this.#adapts || document.hidden) return;
    const spentMs = Math.min(frameMs, SPENT_MS_MAX);
    this.#frameMs += (spentMs - this.#frameMs) * 0.1;
    this.#slowMs = this.#frameMs > SLOW_FRAME_MS ? this.#slowMs + spentMs : 0;
    if (this.#slowMs < SLOW_FOR_MS) return;
    this.#slowMs = 0;
    if (this.#quality === "high") return this.setQuality("low");
    const sharpness = Math.max(SHARPNESS_MIN, this.#renderer.getPixelRatio() * 0.8);
    this.#renderer.setPixelRatio(sharpness);
  }
}
