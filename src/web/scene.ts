import {
  NeutralToneMapping,
  PCFShadowMap,
  PMREMGenerator,
  Scene,
  Vector2,
  WebGLRenderer,
} from "three";
import { FollowCamera } from "./follow-camera.ts";
import { addFountain } from "./fountain.ts";
import { addGround } from "./ground.ts";
import { addScenery } from "./scenery.ts";
import { addSky, type Sky } from "./sky.ts";
import { addStage, type Stage } from "./stage.ts";

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

/** The plaza without its people and things, and what draws it. */
export class PlazaScene {
  readonly scene = new Scene();
  readonly view = new FollowCamera();
  readonly #renderer: WebGLRenderer;
  readonly #time = { value: 0 };
  readonly #sky: Sky;
  readonly #stage: Stage;
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
  ) {
    this.#onQuality = onQuality;
    this.#renderer = new WebGLRenderer({
      canvas,
      antialias: wish !== "low",
      powerPreference: "high-performance",
    });
    this.#renderer.toneMapping = NeutralToneMapping;
    this.#renderer.toneMappingExposure = 1.0;
    this.#renderer.shadowMap.enabled = true;
    this.#renderer.shadowMap.type = PCFShadowMap;
    this.#sky = addSky(this.scene, this.#time);
    const generator = new PMREMGenerator(this.#renderer);
    this.scene.environment = generator.fromScene(this.scene, 0.03).texture;
    this.scene.environmentIntensity = 0.3;
    generator.dispose();
    addGround(this.scene);
    addScenery(this.scene, this.#time);
    addFountain(this.scene, this.#time);
    this.#stage = addStage(this.scene, this.#time);
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

  setQuality(quality: DrawQuality): void {
    this.#quality = quality;
    const high = quality === "high";
    this.#sky.sun.castShadow = high;
    for (const light of this.#stage.lights) light.visible = high;
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
    this.#stage.update(seconds);
    this.#sky.follow(at.x, at.z);
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
