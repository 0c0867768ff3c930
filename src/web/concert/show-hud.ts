import type { CrowdNews } from "../../client/room-events.ts";
import type { Phase } from "../../protocol/event-public.ts";
import { element } from "../page-elements.ts";

const PHASES: Readonly<Record<Phase, string>> = {
  scheduled: "Scheduled",
  doors_open: "Doors open",
  live: "Live",
  ending: "Ending",
  closed: "Over",
};
/** The bar is full at so many reactions a second for each person. */
const FULL_PER_PERSON = 0.8;

/** What the event's stage says of itself and of its crowd. */
export class ShowHud {
  readonly #panel = element("show-panel");
  readonly #phase = element("show-phase");
  readonly #song = element("show-song");
  readonly #energy = element("show-energy");
  readonly #counts = element("show-counts");

  constructor() {
    this.#panel.hidden = false;
  }

  stage(phase: Phase, song: string | undefined): void {
    this.#phase.textContent = PHASES[phase];
    this.#phase.dataset.phase = phase;
    this.#song.textContent = song ?? "The band is getting ready";
  }

  crowd(news: CrowdNews, kinds: readonly string[]): void {
    const share = Math.min(1, news.energy / Math.max(1, news.seated) / FULL_PER_PERSON);
    this.#energy.style.setProperty("--energy", share.toFixed(3));
    const [, number] = this.#energy.children;
    if (number) number.textContent = `${news.energy.toFixed(1)}/s`;
    const counted = kinds.map((kind, i) => `${news.reactions[i] ?? 0} ${kind}s`);
    const waits = news.waiting > 0 ? [`${news.waiting} in line`] : [];
    this.#counts.textContent = [`${news.seated} people`, ...waits, ...counted].join(" · ");
  }
}
