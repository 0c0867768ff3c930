import { z } from "zod";
import { defineEvent } from "../event/define-event.ts";
import { type Room, refuse, type Who } from "../room/define-room.ts";
import { newChat, say } from "./chat.ts";

/** A cue that counts now. `at`: the show time at which it begins, in ms. */
interface Cue {
  n: number;
  at: number;
}

/** What runs on stage: who comes late finds all of it here. */
export interface ConcertState {
  /** Room time at which show time was 0; null before the show. */
  startedAt: number | null;
  cues: number;
  set: (Cue & { name: string }) | null;
  lights: Record<string, Cue & { color: number; level: number }>;
  /** Playing, from so many ms into the track. */
  sounds: Record<string, Cue & { track: string; fromMs: number }>;
}

const LIGHTS_MAX = 64;
const SOUNDS_MAX = 8;
/** People beside each other before the stage. */
const ROW_SEATS = 14;
const AHEAD_MS_MAX = 60_000;

const key = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);
/** So long from now: what is called ahead begins everywhere at the same show time. */
const inMs = z.int().min(0).max(AHEAD_MS_MAX).default(0);

/** A cue as performers and staff call it. It is journaled, and told in order to everybody. */
function called<T extends { readonly inMs: number }>(
  kind: string,
  body: z.ZodType<T>,
  apply: (state: ConcertState, cue: Cue, what: T) => ReturnType<typeof refuse> | undefined,
) {
  return {
    body,
    run(room: Room<ConcertState>, what: T, who: Who | undefined) {
      const { state } = room;
      if (who?.role !== "performer" && who?.role !== "staff") return refuse("not_on_stage");
      if (state.startedAt === null) return refuse("not_started");
      const { inMs: ahead, ...told } = what;
      const cue = { n: state.cues + 1, at: Math.round(room.now - state.startedAt + ahead) };
      const refused = apply(state, cue, what);
      if (refused) return refused;
      state.cues = cue.n;
      room.emit("cue", { kind, ...cue, ...told });
      return cue;
    },
  };
}

const full = (cues: object, name: string, max: number): boolean =>
  !Object.hasOwn(cues, name) && Object.keys(cues).length >= max;

/**
 * The demo event, on the public API alone: performers run a show by its cues, and the audience
 * sits in shards, talks and cheers.
 */
export const concert = defineEvent({
  name: "concert",
  version: 1,
  reactions: ["clap", "cheer"],
  speech: ["say"],
  stage: {
    capacity: 64,
    state: (): ConcertState => ({
      ...{ startedAt: null, cues: 0, set: null, lights: {}, sounds: {} },
    }),
    commands: {
      start: {
        body: z.null(),
        run(room, _, who) {
          if (who?.role !== "performer" && who?.role !== "staff") return refuse("not_on_stage");
          if (room.state.startedAt !== null) return refuse("started");
          room.state.startedAt = room.now;
          room.emit("started", { at: room.now });
          return { at: room.now };
        },
      },
      set: called(
        "set",
        z.object({ name: z.string().min(1).max(64), inMs }),
        (state, cue, what) => {
          state.set = { ...cue, name: what.name };
          return undefined;
        },
      ),
      light: called(
        "light",
        z.object({
          light: key,
          color: z.int().min(0).max(0xffffff),
          level: z.number().min(0).max(1),
          inMs,
        }),
        ({ lights }, cue, { light, color, level }) => {
          if (full(lights, light, LIGHTS_MAX)) return refuse("too_many");
          lights[light] = { ...cue, color, level };
          return undefined;
        },
      ),
      sound: called(
        "sound",
        z.object({
          channel: key,
          /** Null ends what plays there. */
          track: z.string().min(1).max(128).nullable(),
          fromMs: z.int().min(0).default(0),
          inMs,
        }),
        ({ sounds }, cue, { channel, track, fromMs }) => {
          if (track === null) delete sounds[channel];
          else if (full(sounds, channel, SOUNDS_MAX)) return refuse("too_many");
          else sounds[channel] = { ...cue, track, fromMs };
          return undefined;
        },
      ),
    },
    signals: { pyro: z.object({ kind: z.enum(["flame", "confetti", "smoke"]) }) },
    spawn: (_room, who) => ({
      // Beside each other along the front of the stage, facing the audience.
      x: ((who.slot % 2) * 2 - 1) * Math.ceil(who.slot / 2) * 1.5,
      ...{ y: 1.2, z: -10, yaw: 0, pitch: 0, reach: [0.3, 1, 0.4], animation: 0 },
    }),
  },
  shard: {
    tickHz: 10,
    capacity: 250,
    state: newChat,
    commands: { say },
    signals: {
      emote: z.object({ kind: z.enum(["wave", "clap", "dance", "jump", "heart"]) }),
      typing: z.object({ on: z.boolean() }),
    },
    spawn(room, who) {
      // In rows before the stage, the first ones in front.
      const row = Math.floor(who.slot / ROW_SEATS);
      const x = ((who.slot % ROW_SEATS) - (ROW_SEATS - 1) / 2) * 0.95 + (room.random() - 0.5) * 0.3;
      const z = row * 1.05 + (room.random() - 0.5) * 0.3;
      return { x, y: 0, z, yaw: Math.PI, pitch: 0, reach: [0.3, 1, 0.4], animation: 0 };
    },
  },
});
