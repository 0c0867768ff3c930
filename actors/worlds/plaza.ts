import { z } from "zod";
import { defineRoom, refuse } from "../room/define-room.ts";
import { type ChatState, newChat, say } from "./chat.ts";

/** How the demo world thinks of things one can pick up. */
export interface PlazaItem {
  kind: (typeof KINDS)[number];
  x: number;
  y: number;
  z: number;
  yaw: number;
  /** Slot of who holds it. */
  holder: number | null;
  props: { color?: number; on?: boolean };
}

export interface PlazaState extends ChatState {
  items: Record<string, PlazaItem>;
  props: Record<string, string | number | boolean>;
  spawned: number;
}

const KINDS = ["lamp", "cube", "ball", "plant", "speaker"] as const;
const ITEMS_MAX = 200;
const PROPS_MAX = 64;
const REACH_M = 3;
const PLAZA_RADIUS_M = 60;

const item = z.string().min(1).max(32);
const metres = z.number().min(-PLAZA_RADIUS_M).max(PLAZA_RADIUS_M);
const lamp = (x: number, z: number, color: number): PlazaItem => ({
  kind: "lamp",
  x,
  y: 0,
  z,
  yaw: 0,
  holder: null,
  props: { color, on: true },
});
const thing = (kind: PlazaItem["kind"], x: number, z: number, color: number): PlazaItem => ({
  kind,
  x,
  y: 0,
  z,
  yaw: 0,
  holder: null,
  props: { color },
});

const initial = (): PlazaState => ({
  items: {
    "lamp-1": lamp(-4, 3, 0xffd9a0),
    "lamp-2": lamp(4, 3, 0xa0d9ff),
    "cube-1": thing("cube", -2, 6, 0xe4572e),
    "cube-2": thing("cube", -1, 7, 0x76b041),
    "ball-1": thing("ball", 2, 6, 0x2e86ab),
    "plant-1": thing("plant", 6, 8, 0x3a7d44),
    "speaker-1": thing("speaker", -6, -6, 0x444444),
  },
  props: { title: "The Plaza" },
  ...newChat(),
  spawned: 0,
});

/**
 * The demo world, on the public API alone: people, things to carry about, chat and emotes on a
 * square with a stage.
 */
export const plaza = defineRoom({
  name: "plaza",
  version: 1,
  tickHz: 20,
  capacity: 250,
  state: initial,
  commands: {
    say,
    spawn: {
      body: z.object({ kind: z.enum(KINDS), x: metres, y: metres, z: metres }),
      run(room, { kind, x, y, z: depth }) {
        if (Object.keys(room.state.items).length >= ITEMS_MAX) return refuse("too_many");
        const id = `${kind}-s${++room.state.spawned}`;
        room.state.items[id] = { kind, x, y, z: depth, yaw: 0, holder: null, props: {} };
        return { item: id };
      },
    },
    grab: {
      body: z.object({ item }),
      run(room, body, who) {
        const found = room.state.items[body.item];
        if (!who || !found) return refuse("unknown_item");
        if (found.holder !== null) return refuse("held", { by: found.holder });
        const pose = room.pose(who.slot);
        if (pose && Math.hypot(pose.x - found.x, pose.z - found.z) > REACH_M)
          return refuse("too_far");
        found.holder = who.slot;
        return { item: body.item };
      },
    },
    place: {
      body: z.object({ item, x: metres, y: metres, z: metres, yaw: z.number().min(-4).max(4) }),
      run(room, body, who) {
        const found = room.state.items[body.item];
        if (!who || !found) return refuse("unknown_item");
        if (found.holder !== who.slot) return refuse("not_held");
        const { x, y, z: depth, yaw } = body;
        Object.assign(found, { x, y, z: depth, yaw, holder: null });
        return null;
      },
    },
    use: {
      body: z.object({ item }),
      run(room, body) {
        const found = room.state.items[body.item];
        if (!found) return refuse("unknown_item");
        found.props.on = !found.props.on;
        return { on: found.props.on };
      },
    },
    setProp: {
      body: z.object({
        key: z.string().regex(/^[a-z][A-Za-z0-9]{0,31}$/),
        value: z.union([z.string().max(200), z.number(), z.boolean()]),
      }),
      run(room, { key, value }) {
        const known = Object.hasOwn(room.state.props, key);
        if (!known && Object.keys(room.state.props).length >= PROPS_MAX) return refuse("too_many");
        room.state.props[key] = value;
        return null;
      },
    },
  },
  signals: {
    emote: z.object({ kind: z.enum(["wave", "clap", "dance", "jump", "heart"]) }),
    typing: z.object({ on: z.boolean() }),
  },
  spawn(room, who) {
    // Around the middle of the square, everyone a step further, looking inwards.
    const angle = who.slot * 2.4;
    const radius = 4 + (room.members.length % 16) * 0.35;
    const x = Math.sin(angle) * radius;
    const z = 6 + Math.cos(angle) * radius;
    const yaw = Math.atan2(-x, 6 - z);
    return { x, y: 0, z, yaw, pitch: 0, reach: [0.3, 1, 0.4], animation: 0 };
  },
  onPose: (pose) => {
    const away = Math.hypot(pose.x, pose.z);
    if (away <= PLAZA_RADIUS_M) return pose;
    const back = PLAZA_RADIUS_M / away;
    return { ...pose, x: pose.x * back, z: pose.z * back };
  },
  onLeave(room, who) {
    const pose = room.pose(who.slot);
    for (const found of Object.values(room.state.items)) {
      if (found.holder !== who.slot) continue;
      found.holder = null;
      if (pose) Object.assign(found, { x: pose.x, y: 0, z: pose.z });
    }
  },
});
