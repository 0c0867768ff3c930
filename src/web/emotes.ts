import { randomBelow, systemRandom } from "../kernel/random.ts";
import clap from "./icons/clap.svg";
import dance from "./icons/dance.svg";
import heart from "./icons/heart.svg";
import jump from "./icons/jump.svg";
import wave from "./icons/wave.svg";
import { ANIMATION, EMOTES, type EmoteKind } from "./plaza-room.ts";

interface Emote {
  /** SVG, 24 by 24. */
  readonly icon: string;
  readonly label: string;
  /** What the body does meanwhile; null leaves it as it is. */
  readonly animation: number | null;
  readonly forMs: number;
  readonly floats: number;
}

export const EMOTE: Record<EmoteKind, Emote> = {
  wave: {
    icon: wave,
    label: "Wave",
    animation: ANIMATION.wave,
    forMs: 2200,
    floats: 1,
  },
  clap: {
    icon: clap,
    label: "Clap",
    animation: ANIMATION.clap,
    forMs: 2400,
    floats: 3,
  },
  dance: {
    icon: dance,
    label: "Dance",
    animation: ANIMATION.dance,
    forMs: 6000,
    floats: 4,
  },
  jump: {
    icon: jump,
    label: "Jump",
    animation: ANIMATION.jump,
    forMs: 1800,
    floats: 1,
  },
  heart: {
    icon: heart,
    label: "Heart",
    animation: null,
    forMs: 0,
    floats: 5,
  },
};

export const isEmote = (kind: unknown): kind is EmoteKind => EMOTES.some((known) => known === kind);

const FLOATS_MAX = 12;

/** Lets signs of an emote rise from a label and fade. */
export function floatEmote(label: HTMLElement, kind: EmoteKind): void {
  if (label.querySelectorAll(".float").length >= FLOATS_MAX) return;
  const emote = EMOTE[kind];
  for (let i = 0; i < emote.floats; i++) {
    const sign = document.createElement("i");
    sign.className = "float";
    sign.innerHTML = emote.icon;
    sign.style.setProperty("--drift", `${randomBelow(systemRandom, 61) - 30}px`);
    sign.style.animationDelay = `${i * 170}ms`;
    sign.addEventListener("animationend", () => sign.remove());
    label.append(sign);
  }
}
