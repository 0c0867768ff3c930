import type { Patch } from "../protocol/patches.ts";
import type { WalkArea } from "./walker.ts";

export interface ScriptCommand {
  readonly name: string;
  readonly body: unknown;
}

export interface ScriptItem {
  readonly id: string;
  readonly x: number;
  readonly z: number;
  /** Slot of who holds it. */
  readonly holder: number | null;
}

/** An effect of a command as the replica shows it. */
export interface Effect {
  /** The same for the command that caused it; see `sayKey` and `grabKey`. */
  readonly key: string;
  /** No other command of anybody ever has this key. */
  readonly unique: boolean;
}

/** What bots do in a world, and how they see that it happened. */
export interface WorldScript {
  readonly room: string;
  readonly area: WalkArea;
  /** What the bot of that number says when it speaks for the `count`-th time, from 0. */
  line?(number: number, count: number): string;
  /** `person` has never said this before. */
  say(text: string, person: string): ScriptCommand;
  emote(dice: number): ScriptCommand;
  grab(item: string): ScriptCommand;
  place(item: string, x: number, z: number, yaw: number): ScriptCommand;
  items(state: unknown): readonly ScriptItem[];
  effects(patches: readonly Patch[]): readonly Effect[];
}

export const sayKey = (person: string, text: string): string => `say:${person}:${text}`;
export const grabKey = (item: string, slot: number): string => `grab:${item}:${slot}`;

interface PlazaLike {
  readonly items?: Readonly<Record<string, Omit<ScriptItem, "id">>>;
}
const EMOTES = ["wave", "clap", "dance", "jump", "heart"];

/** The demo world. */
export const plazaScript: WorldScript = {
  room: "plaza",
  area: { x: 0, z: 0, radiusM: 18, gather: { x: 0, z: -12, radiusM: 5 } },
  say: (text) => ({ name: "say", body: { text } }),
  emote: (dice) => ({ name: "emote", body: { kind: EMOTES[Math.floor(dice * EMOTES.length)] } }),
  grab: (item) => ({ name: "grab", body: { item } }),
  place: (item, x, z, yaw) => ({ name: "place", body: { item, x, y: 0, z, yaw } }),
  items: (state) =>
    Object.entries((state as PlazaLike).items ?? {}).map(([id, { x, z, holder }]) => ({
      id,
      x,
      z,
      holder,
    })),
  effects(patches) {
    const effects: Effect[] = [];
    for (const [op, path, value] of patches) {
      if (op === 2) continue;
      const [area, id, field] = path;
      if (area === "chat" && path.length === 2) {
        const { person, text } = value as { person: string; text: string };
        effects.push({ key: sayKey(person, text), unique: true });
      } else if (area === "items" && field === "holder" && typeof value === "number")
        effects.push({ key: grabKey(String(id), value), unique: false });
    }
    return effects;
  },
};
