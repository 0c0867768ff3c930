import type { Patch } from "../protocol/patches.ts";
import type { WalkArea } from "./walker.ts";

export interface ScriptCommand {
  readonly name: string;
  readonly body: unknown;
}

/** What is said in passing, and what the body does meanwhile, where it does anything. */
export interface ScriptSignal extends ScriptCommand {
  readonly moves?: { readonly animation: number; readonly forMs: number };
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
  emote(dice: number): ScriptSignal;
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

/** Of worlds with the demo's chat: `state.chat[n]` is a line. */
function chatEffects(patches: readonly Patch[]): Effect[] {
  const effects: Effect[] = [];
  for (const [op, path, value] of patches) {
    if (op === 2 || path[0] !== "chat" || path.length !== 2) continue;
    const { person, text } = value as { person: string; text: string };
    effects.push({ key: sayKey(person, text), unique: true });
  }
  return effects;
}

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
    const effects = chatEffects(patches);
    for (const [op, path, value] of patches) {
      const [area, id, field] = path;
      if (op !== 2 && area === "items" && field === "holder" && typeof value === "number")
        effects.push({ key: grabKey(String(id), value), unique: false });
    }
    return effects;
  },
};

const CLAP = { name: "clap", body: null, moves: { animation: 4, forMs: 2_400 } };
const CHEER = { name: "cheer", body: null, moves: { animation: 6, forMs: 1_800 } };
const DANCE = {
  ...{ name: "emote", body: { kind: "dance" }, moves: { animation: 5, forMs: 6_000 } },
};

/** The audience of the demo's concert: stands before the stage, claps, cheers and dances. */
export const concertScript = (event: string): WorldScript => ({
  room: `event/${event}`,
  area: {
    ...{ x: 0, z: 3.4, radiusM: 5.8, gather: { x: 0, z: 0.8, radiusM: 3.2 } },
    stands: { share: 0.95, msMin: 12_000, msMax: 60_000, facing: { x: 0, z: -9 } },
  },
  say: (text) => ({ name: "say", body: { text } }),
  emote: (dice) => (dice < 0.5 ? CLAP : dice < 0.85 ? CHEER : DANCE),
  grab: (item) => ({ name: "grab", body: { item } }),
  place: (item, x, z, yaw) => ({ name: "place", body: { item, x, y: 0, z, yaw } }),
  items: () => [],
  effects: chatEffects,
});
