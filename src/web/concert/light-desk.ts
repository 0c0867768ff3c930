import type { LightCue } from "./concert-room.ts";

/** Red, green and blue from 0 to 1, linear, with the level in them. */
export type Light = readonly [red: number, green: number, blue: number];

const FADE_MS = 450;
export const DARK: Light = [0, 0, 0];

interface Fade {
  readonly n: number;
  /** Show time at which it begins. */
  readonly at: number;
  readonly from: Light;
  readonly to: Light;
}

/** A cue's colour is as in CSS; what is added up in a shader is linear. */
const channel = (color: number, shift: number): number => (((color >> shift) & 255) / 255) ** 2.2;
const lightOf = ({ color, level }: LightCue): Light => [
  channel(color, 16) * level,
  channel(color, 8) * level,
  channel(color, 0) * level,
];

function mixed(from: Light, to: Light, share: number): Light {
  const mix = (a: number, b: number): number => a + (b - a) * share;
  return [mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2])];
}

/** The lights of a show by its cues, which begin everywhere at the same show time. Pure. */
export class LightDesk {
  readonly #fades = new Map<string, Fade>();

  /** What the stage's state says now. */
  hear(lights: Readonly<Record<string, LightCue>>, showMs: number): void {
    for (const name in lights) {
      const cue = lights[name];
      const before = this.#fades.get(name);
      if (!cue || before?.n === cue.n) continue;
      const from = before ? this.at(name, Math.min(showMs, cue.at)) : DARK;
      this.#fades.set(name, { n: cue.n, at: cue.at, from, to: lightOf(cue) });
    }
  }

  at(name: string, showMs: number): Light {
    const fade = this.#fades.get(name);
    if (!fade) return DARK;
    const share = Math.max(0, Math.min(1, (showMs - fade.at) / FADE_MS));
    return mixed(fade.from, fade.to, share);
  }
}
