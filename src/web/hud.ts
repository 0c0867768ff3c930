import type { Clock, Timer } from "../kernel/clock.ts";
import { EMOTE } from "./emotes.ts";
import { element, made } from "./page-elements.ts";
import { EMOTES } from "./plaza-room.ts";

const TOAST_MS = 3600;
const TOASTS_MAX = 3;
const BARS = { good: 4, fair: 3, poor: 2, lost: 1 } as const;

/** What the room's answers mean to the person who asked. */
const REFUSALS: Readonly<Record<string, string>> = {
  held: "Somebody else has that one.",
  too_far: "That is too far away.",
  unknown_item: "It is gone.",
  not_held: "Your hands are empty.",
  too_many: "There is no room for more.",
  queue_full: "The room is catching up. Try again in a moment.",
};

export interface Link {
  readonly level: keyof typeof BARS;
  readonly rttMs: number;
  readonly gateway: string;
}

/** Small words around the picture: the link, notices, toasts, and what the keys do. */
export class Hud {
  readonly #clock: Clock;
  readonly #badge = element("badge");
  readonly #people = element("people");
  readonly #badgeText = element("badge-text");
  readonly #notice = element("notice");
  readonly #hint = element("hint");
  readonly #toasts = element("toasts");
  #hintShown = "";
  #noticeTimer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  link({ level, rttMs, gateway }: Link): void {
    this.#badge.dataset.level = level;
    this.#badge.dataset.bars = String(BARS[level]);
    this.#badgeText.textContent =
      level === "lost" ? "reconnecting" : `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`;
    this.#badge.title = `Connection: ${level}. Gateway: ${gateway}`;
  }

  people(count: number): void {
    this.#people.textContent = String(count);
  }

  /** A quiet line at the top: the room waits, the picture goes on. Undefined takes it away. */
  notice(text: string | undefined, kind: "wait" | "good" = "wait", forMs?: number): void {
    this.#noticeTimer?.cancel();
    this.#notice.hidden = text === undefined;
    this.#notice.className = kind;
    this.#notice.textContent = text ?? "";
    if (forMs === undefined) return;
    this.#noticeTimer = this.#clock.after(forMs, () => this.notice(undefined));
  }

  toast(text: string): void {
    const toast = made("p", "", text);
    this.#toasts.append(toast);
    while (this.#toasts.children.length > TOASTS_MAX) this.#toasts.firstElementChild?.remove();
    this.#clock.after(TOAST_MS, () => toast.remove());
  }

  refused(error: unknown): void {
    const status = (error as { readonly status?: unknown } | null)?.status;
    if (typeof status !== "string") {
      this.toast("That did not reach the room.");
      return;
    }
    this.toast(REFUSALS[status] ?? `The room says no: ${status.replaceAll("_", " ")}.`);
  }

  /** `keys` are pairs of a key and what it does; empty hides the hint. */
  hint(keys: readonly (readonly [key: string, does: string])[], left = 0, top = 0): void {
    this.#hint.hidden = keys.length === 0;
    if (keys.length === 0) return;
    const at = `${left.toFixed(1)}px,${top.toFixed(1)}px,0`;
    this.#hint.style.transform = `translate3d(${at}) translate(-50%,-100%)`;
    const text = keys.map((pair) => pair.join(" ")).join("|");
    if (text === this.#hintShown) return;
    this.#hintShown = text;
    this.#hint.replaceChildren(
      ...keys.flatMap(([key, does]) => [made("kbd", "", key), made("span", "", does)]),
    );
  }
}

export interface BarButton {
  /** SVG, 24 by 24. */
  readonly icon: string;
  readonly label: string;
  /** Stands out from the others. */
  readonly main?: boolean;
  readonly press: () => void;
}

export const emoteButtons = (emote: (index: number) => void): BarButton[] =>
  EMOTES.map((kind, i) => ({ ...EMOTE[kind], press: () => emote(i) }));

/** The bar at the bottom; its buttons have the keys 1, 2, … */
export function addBar(buttons: readonly BarButton[]): void {
  const bar = element("emote-bar");
  buttons.forEach(({ icon, label, main, press }, i) => {
    const button = made("button", main === true ? "main" : "");
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", `${label} (${i + 1})`);
    button.title = `${label} · ${i + 1}`;
    button.innerHTML = `${icon}<small>${i + 1}</small>`;
    button.addEventListener("click", () => {
      press();
      button.blur();
    });
    bar.append(button);
  });
}

const MOVING = [
  ["W A S D", "walk"],
  ["Shift", "run"],
  ["drag", "look"],
  ["wheel", "zoom"],
] as const;
export const PLAZA_KEYS = [
  ...MOVING,
  ["E", "grab, place"],
  ["F", "use"],
  ["B", "bring something"],
  ["Enter", "chat"],
] as const;
export const AUDIENCE_KEYS = [...MOVING, ["C", "clap"], ["V", "cheer"], ["Enter", "chat"]] as const;
export const PERFORMER_KEYS = [...MOVING, ["1 to 9", "emotes and cues"]] as const;

/** The card that tells the keys until it is no longer needed. */
export function addKeys(rows: readonly (readonly [string, string])[], clock: Clock): void {
  const keys = element("keys");
  for (const [key, does] of rows) keys.append(made("kbd", "", key), made("span", "", does));
  clock.after(40_000, () => keys.classList.add("faded"));
}
