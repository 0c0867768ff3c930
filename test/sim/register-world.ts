import { z } from "zod";
import { defineRoom, refuse, type World } from "../../actors/room/define-room.ts";
import { ROOM_KEYS_MAX } from "./models.ts";

/** Called by a handler that never returns: throws, after everything of its process stood still. */
export type Hang = () => never;

/** Everybody has a height of their own, by which their row is known. */
export const heightOf = (person: string): number => Number(person.replace(/\D/g, "")) % 128;

export interface Registers {
  values: Record<string, number>;
  /** Since version 2. */
  writes?: number;
}

const isFull = ({ values }: Registers): boolean => Object.keys(values).length >= ROOM_KEYS_MAX;

const KEY = z.string().max(8);
/** Of all nodes: a schema compiles itself when it is first used. */
const BODIES = {
  put: z.object({ key: KEY, value: z.number() }),
  add: z.object({ key: KEY, n: z.number() }),
  get: z.object({ key: KEY }),
  swap: z.object({ key: KEY, expected: z.number().nullable(), value: z.number() }),
  say: z.object({ text: z.string().max(64) }),
  nothing: z.null(),
};
const WAVE = z.object({ hand: z.string().max(16) });

/**
 * A document of a few registers, whose replies tell everything about the order in which commands
 * took effect: what linearizability is asked of. `models.ts` says the same without a cluster.
 */
export const registerWorld = (version: number, hang: Hang): World =>
  defineRoom({
    name: "registers",
    version,
    capacity: 64,
    state: (): Registers => (version < 2 ? { values: {} } : { values: {}, writes: 0 }),
    migrations: {
      2: ({ state, secret }) => ({
        state: { ...(state as Registers), writes: 0 },
        secret: secret as object,
      }),
    },
    commands: {
      put: {
        body: BODIES.put,
        run({ state }, { key, value }) {
          const before = state.values[key] ?? null;
          if (before === null && isFull(state)) return refuse("full");
          state.values[key] = value;
          if (state.writes !== undefined) state.writes++;
          return before;
        },
      },
      add: {
        body: BODIES.add,
        run({ state }, { key, n }) {
          if (state.values[key] === undefined && isFull(state)) return refuse("full");
          state.values[key] = (state.values[key] ?? 0) + n;
          return state.values[key];
        },
      },
      get: {
        body: BODIES.get,
        run: ({ state }, { key }) => state.values[key] ?? null,
      },
      swap: {
        body: BODIES.swap,
        run({ state }, { key, expected, value }) {
          if ((state.values[key] ?? null) !== expected) return false;
          if (expected === null && isFull(state)) return refuse("full");
          state.values[key] = value;
          return true;
        },
      },
      say: {
        body: BODIES.say,
        run(room, { text }) {
          room.emit("said", text);
          return null;
        },
      },
      explode: {
        body: BODIES.nothing,
        run: () => {
          throw new Error("this command always throws");
        },
      },
      hang: { body: BODIES.nothing, run: () => hang() },
    },
    spawn: (_room, { person }) => ({
      x: 0,
      y: heightOf(person),
      z: 0,
      yaw: 0,
      pitch: 0,
      reach: [0, 0, 0],
      animation: 0,
    }),
    signals: { wave: WAVE },
  });
