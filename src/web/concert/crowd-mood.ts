import type { CrowdNews } from "../../client/room-events.ts";

/** How the far crowd moves, each from 0 to 1. */
export interface Mood {
  /** How much of everybody's strength goes into it. */
  readonly energy: number;
  /** The share of people who clap, and who have their arms up. */
  readonly clap: number;
  readonly cheer: number;
}

/** A reaction each so many seconds from everybody is about as loud as it gets. */
const LOUD_EVERY_S = 3;
/** The same for one kind of reaction alone. */
const KIND_EVERY_S = 5;
/** How fast the picture follows what is heard once a second, and how slowly it calms down. */
const RISE_PER_S = 3.2;
const FALL_PER_S = 0.9;

const level = (perS: number, people: number, everyS: number): number =>
  1 - Math.exp((-perS * everyS) / Math.max(1, people));

/**
 * What the aggregate of an event looks like. The energy is what its owner says; who claps and who
 * cheers is seen from how fast the counts rise. Pure: time is what it is told.
 */
export class CrowdMood {
  #news: CrowdNews | undefined;
  #heardAt = 0;
  #wanted: Mood = { energy: 0, clap: 0, cheer: 0 };
  #shown: Mood = { energy: 0, clap: 0, cheer: 0 };

  /** `kinds` are the names of what is counted, in the order of the counts. */
  hear(news: CrowdNews, kinds: readonly string[], nowMs: number): void {
    const before = this.#news;
    const elapsedS = (nowMs - this.#heardAt) / 1000;
    const rate = (kind: string): number => {
      const at = kinds.indexOf(kind);
      if (!before || at < 0 || elapsedS <= 0) return 0;
      // Counts of a gateway that died with its owner may be missing for a moment.
      return Math.max(0, (news.reactions[at] ?? 0) - (before.reactions[at] ?? 0)) / elapsedS;
    };
    this.#wanted = {
      energy: level(news.energy, news.seated, LOUD_EVERY_S),
      clap: level(rate("clap"), news.seated, KIND_EVERY_S),
      cheer: level(rate("cheer"), news.seated, KIND_EVERY_S),
    };
    this.#news = news;
    this.#heardAt = nowMs;
  }

  /** What was heard last; undefined before anything was. */
  get news(): CrowdNews | undefined {
    return this.#news;
  }

  get shown(): Mood {
    return this.#shown;
  }

  /** Quick to rise and slow to fall, as applause is. */
  step(dt: number): Mood {
    const to = (shown: number, wanted: number): number => {
      const perS = wanted > shown ? RISE_PER_S : FALL_PER_S;
      return shown + (wanted - shown) * (1 - Math.exp(-dt * perS));
    };
    const { energy, clap, cheer } = this.#shown;
    this.#shown = {
      energy: to(energy, this.#wanted.energy),
      clap: to(clap, this.#wanted.clap),
      cheer: to(cheer, this.#wanted.cheer),
    };
    return this.#shown;
  }
}
