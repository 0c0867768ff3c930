import type { Drawn, Picture } from "../picture.ts";
import { nameOf } from "../plaza-room.ts";
import type { ArenaSetting } from "./arena-setting.ts";
import type { Concert } from "./concert.ts";

/**
 * `window.show`: the seam of the browser tests at the concert. It reads what the page draws and
 * does what the keys do, through the same objects; nothing on the page depends on it.
 */
export interface ShowSeam {
  /** Resolves once the first frame is drawn. */
  readonly ready: Promise<void>;
  readonly phase: () => string;
  /** As drawn now; metres. */
  readonly performers: () => { name: string; x: number; z: number }[];
  /** The near crowd as drawn, me included where I sit there. */
  readonly neighbours: () => number;
  readonly crowd: () => {
    people: number;
    energy: number;
    counts: Record<string, number>;
    /** Of the far crowd, as drawn. */
    figures: number;
    mood: number;
  };
  /** 0 claps, 1 cheers. */
  readonly react: (index: number) => void;
  /** Colours that were called last, by the light's name. */
  readonly lights: () => Record<string, number>;
  readonly look: (heading: number, tilt: number) => void;
  /**
   * Of the frames since it was asked last, the latest 121 at most. `jsMs`: their median, without
   * what the graphics card does.
   */
  readonly cost: () => Drawn & { jsMs: number; frames: number };
}

declare global {
  interface Window {
    show?: ShowSeam;
  }
}

export function makeShowSeam(
  concert: Concert,
  picture: Picture<ArenaSetting>,
  ready: Promise<void>,
): ShowSeam {
  const { stage } = concert;
  return {
    ready,
    phase: () => stage.state.event.phase,
    performers: () =>
      [...concert.performers.all()].map(({ slot, x, z }) => ({
        name: nameOf(stage, slot, stage.members.get(slot)?.person ?? ""),
        ...{ x, z },
      })),
    neighbours: () => [...concert.neighbours.all()].length,
    crowd: () => {
      const { energy = 0, reactions = [] } = concert.mood.news ?? {};
      const kinds = stage.state.event.reactions;
      const counts = Object.fromEntries(kinds.map((kind, i) => [kind, reactions[i] ?? 0]));
      const { figures } = picture.setting.far;
      return { people: concert.people, energy, counts, figures, mood: concert.mood.shown.energy };
    },
    react: (index) => concert.react(index),
    lights: () =>
      Object.fromEntries(
        Object.entries(stage.state.lights).map(([name, { color }]) => [name, color]),
      ),
    look: (heading, tilt) => void Object.assign(picture.view, { heading, tilt }),
    cost: () => {
      const sorted = concert.frameMs.filter((ms) => ms > 0).sort();
      concert.frameMs.fill(0);
      const { length: frames } = sorted;
      return { ...picture.drawn, jsMs: sorted[frames >> 1] ?? 0, frames };
    },
  };
}
