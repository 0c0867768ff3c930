import { type Camera, Vector3 } from "three";
import { type LabelBox, layOut, rankOf } from "./label-layout.ts";

/** Names fade over the last third of how far they are shown. */
const FADE_SHARE = 1 / 3;
/** What somebody says is read from further away than their name alone. */
const SPEAKER_M = 30;
const BUBBLE_MS = 7000;

/** A name over a head, with what the person just said and their emotes floating off. */
export class Label {
  readonly element: HTMLDivElement;
  readonly #name: HTMLSpanElement;
  readonly #bubble: HTMLDivElement;
  #bubbleEndsAt = 0;
  #mine = false;
  shown = false;
  /** Without the scale: what the text takes. Measured when it is next shown after a change. */
  #width = 0;
  #height = 0;
  #measured = false;
  readonly box: LabelBox = { left: 0, bottom: 0, width: 0, height: 0, rank: 0, clear: false };

  constructor(layer: HTMLElement) {
    this.element = document.createElement("div");
    this.element.className = "tag";
    this.#bubble = document.createElement("div");
    this.#bubble.className = "bubble";
    this.#bubble.hidden = true;
    this.#name = document.createElement("span");
    this.#name.className = "name";
    this.element.append(this.#bubble, this.#name);
    this.element.style.display = "none";
    layer.append(this.element);
  }

  set(name: string, color: string, mine: boolean, away: boolean): void {
    if (this.#name.textContent !== name) this.#name.textContent = name;
    this.#mine = mine;
    this.#measured = false;
    this.element.style.setProperty("--tint", color);
    this.element.classList.toggle("mine", mine);
    this.away(away);
  }

  away(on: boolean): void {
    this.element.classList.toggle("away", on);
    this.#measured = false;
  }

  say(text: string, nowMs: number): void {
    this.#bubble.textContent = text.length > 120 ? `${text.slice(0, 118)}…` : text;
    this.#bubble.hidden = false;
    this.#bubble.classList.remove("pop");
    // Reading a layout property restarts the animation of a bubble that is already there.
    void this.#bubble.offsetWidth;
    this.#bubble.classList.add("pop");
    this.#bubbleEndsAt = nowMs + BUBBLE_MS;
    this.#measured = false;
  }

  typing(on: boolean): void {
    this.element.classList.toggle("typing", on);
    this.#measured = false;
  }

  get speaks(): boolean {
    return this.#bubbleEndsAt !== 0;
  }

  tick(nowMs: number): void {
    if (this.#bubbleEndsAt === 0 || nowMs < this.#bubbleEndsAt) return;
    this.#bubbleEndsAt = 0;
    this.#bubble.hidden = true;
    this.#measured = false;
  }

  /** Hangs it over a spot of the screen; where others are, `layOutLabels` decides. */
  place(left: number, bottom: number, scale: number, distance: number): void {
    const { box } = this;
    if (!this.#measured) {
      this.#width = this.element.offsetWidth;
      this.#height = this.element.offsetHeight;
      this.#measured = true;
    }
    box.left = left;
    box.bottom = bottom;
    box.width = this.#width * scale;
    box.height = this.#height * scale;
    box.rank = rankOf({ distance, speaks: this.speaks, mine: this.#mine, clear: box.clear });
  }

  hide(): void {
    if (!this.shown) return;
    this.shown = false;
    this.box.clear = false;
    this.element.style.display = "none";
  }

  remove(): void {
    this.element.remove();
  }
}

const seen = new Vector3();

/** Puts an element over a spot of the world; false where that is behind or too far. */
export function project(
  camera: Camera,
  width: number,
  height: number,
  spot: { x: number; y: number; z: number },
  out: { left: number; top: number; distance: number },
): boolean {
  seen.set(spot.x, spot.y, spot.z).applyMatrix4(camera.matrixWorldInverse);
  const distance = -seen.z;
  if (distance < 0.4) return false;
  seen.applyMatrix4(camera.projectionMatrix);
  if (Math.abs(seen.x) > 1.15 || Math.abs(seen.y) > 1.2) return false;
  out.left = (seen.x * 0.5 + 0.5) * width;
  out.top = (0.5 - seen.y * 0.5) * height;
  out.distance = distance;
  return true;
}

const spotted = { left: 0, top: 0, distance: 0 };

export function placeLabel(
  label: Label,
  view: {
    readonly camera: Camera;
    readonly width: number;
    readonly height: number;
    readonly namesM: number;
  },
  spot: { x: number; y: number; z: number },
): void {
  const visible = project(view.camera, view.width, view.height, spot, spotted);
  const far = label.speaks ? SPEAKER_M : view.namesM;
  if (!visible || spotted.distance > far) {
    label.hide();
    return;
  }
  const { style } = label.element;
  if (!label.shown) {
    label.shown = true;
    style.display = "";
  }
  const near = Math.min(1, (far - spotted.distance) / (far * FADE_SHARE));
  const size = Math.max(0.74, Math.min(1.08, 9 / spotted.distance + 0.3));
  const at = `${spotted.left.toFixed(1)}px,${spotted.top.toFixed(1)}px,0`;
  label.place(spotted.left, spotted.top, size, spotted.distance);
  style.transform = `translate3d(${at}) translate(-50%,-100%) scale(${size.toFixed(3)})`;
  style.opacity = near.toFixed(2);
  style.zIndex = String(1000 - Math.round(spotted.distance * 10));
}

const boxes: LabelBox[] = [];

/** Of the labels that cover each other only the best are seen; the emotes over them always. */
export function layOutLabels(labels: Iterable<Label>): void {
  boxes.length = 0;
  for (const label of labels) if (label.shown) boxes.push(label.box);
  layOut(boxes);
  for (const label of labels) label.element.classList.toggle("covered", !label.box.clear);
}
