import { randomBelow, systemRandom } from "../kernel/random.ts";
import { ANIMATION, EMOTES, type EmoteKind } from "./plaza-room.ts";

interface Emote {
  /** Inner SVG on a 24 by 24 field. */
  readonly icon: string;
  readonly label: string;
  /** What the body does meanwhile; null leaves it as it is. */
  readonly animation: number | null;
  readonly forMs: number;
  readonly floats: number;
}

export const EMOTE: Record<EmoteKind, Emote> = {
  wave: {
    icon: `<g fill="#ffd08a"><rect x="6.6" y="9.4" width="10.4" height="10.6" rx="4.6"/><rect x="6.7" y="4.6" width="2.6" height="9" rx="1.3"/><rect x="9.5" y="3" width="2.6" height="9" rx="1.3"/><rect x="12.2" y="3.4" width="2.6" height="9" rx="1.3"/><rect x="14.8" y="5.4" width="2.4" height="8" rx="1.2"/><rect x="2.9" y="11.6" width="2.7" height="7.4" rx="1.35" transform="rotate(-42 4.2 15)"/></g><g fill="none" stroke="#fff" stroke-width="1.5" stroke-linecap="round"><path d="M19.4 6.2c1.2 1 1.7 2.3 1.6 3.8"/><path d="M3.2 8.4c.2-1.4.8-2.6 1.8-3.5"/></g>`,
    label: "Wave",
    animation: ANIMATION.wave,
    forMs: 2200,
    floats: 1,
  },
  clap: {
    icon: `<g fill="#ffd08a"><rect x="4.6" y="8.6" width="7" height="12" rx="3.4" transform="rotate(-16 8 14)"/><rect x="12.4" y="8.6" width="7" height="12" rx="3.4" transform="rotate(16 16 14)" fill="#ffbf6e"/></g><g stroke="#fff" stroke-width="1.8" stroke-linecap="round"><path d="M12 2.6v3"/><path d="M7 3.6l1.2 2.6"/><path d="M17 3.6l-1.2 2.6"/></g>`,
    label: "Clap",
    animation: ANIMATION.clap,
    forMs: 2400,
    floats: 3,
  },
  dance: {
    icon: `<g fill="#7fe3ff"><ellipse cx="7" cy="18" rx="3.4" ry="2.6"/><ellipse cx="17" cy="16" rx="3.4" ry="2.6"/><path d="M8.6 5.8L20.4 3v3.4L10.4 8.8V18H8.6z"/><rect x="18.6" y="4" width="1.8" height="12"/></g>`,
    label: "Dance",
    animation: ANIMATION.dance,
    forMs: 6000,
    floats: 4,
  },
  jump: {
    icon: `<g fill="none" stroke="#9dffb0" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"><path d="M5 12l7-7 7 7"/><path d="M5 19l7-7 7 7" opacity=".65"/></g>`,
    label: "Jump",
    animation: ANIMATION.jump,
    forMs: 1800,
    floats: 1,
  },
  heart: {
    icon: `<path fill="#ff5c8a" d="M12 20.4C5.4 15.6 2.6 12.4 2.6 8.7 2.6 5.9 4.8 4 7.2 4c1.9 0 3.6 1 4.8 2.9C13.2 5 14.9 4 16.8 4c2.4 0 4.6 1.9 4.6 4.7 0 3.7-2.8 6.9-9.4 11.7z"/><path fill="#fff" opacity=".55" d="M6.2 6.6c-1.1.4-1.7 1.3-1.7 2.5 0 .5.8.6.9 0 .1-.8.5-1.3 1.2-1.6.5-.2.2-1.1-.4-.9z"/>`,
    label: "Heart",
    animation: null,
    forMs: 0,
    floats: 5,
  },
};

export const icon = (inner: string): string =>
  `<svg viewBox="0 0 24 24" aria-hidden="true">${inner}</svg>`;

export const isEmote = (kind: unknown): kind is EmoteKind => EMOTES.some((known) => known === kind);

const FLOATS_MAX = 12;

/** Lets signs of an emote rise from a label and fade. */
export function floatEmote(label: HTMLElement, kind: EmoteKind): void {
  if (label.querySelectorAll(".float").length >= FLOATS_MAX) return;
  const emote = EMOTE[kind];
  for (let i = 0; i < emote.floats; i++) {
    const sign = document.createElement("i");
    sign.className = "float";
    sign.innerHTML = icon(emote.icon);
    sign.style.setProperty("--drift", `${randomBelow(systemRandom, 61) - 30}px`);
    sign.style.animationDelay = `${i * 170}ms`;
    sign.addEventListener("animationend", () => sign.remove());
    label.append(sign);
  }
}
