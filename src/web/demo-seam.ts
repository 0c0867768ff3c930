import type { Client, Room } from "../client/client.ts";
import type { FollowCamera } from "./follow-camera.ts";
import { groundAt } from "./layout.ts";
import type { Plaza } from "./plaza.ts";
import { nameOf, type PlazaItem, type PlazaState } from "./plaza-room.ts";

/**
 * `window.demo`: the seam of the browser tests. It reads what the page draws and does what the keys
 * do, through the same objects; nothing on the page depends on it.
 */
export interface DemoSeam {
  readonly room: Room<PlazaState>;
  readonly client: Client;
  /** Resolves once the first frame is drawn. */
  readonly ready: Promise<void>;
  /** Everybody as drawn now, me included; metres. */
  avatars(): { slot: number; name: string; x: number; z: number }[];
  items(): ({ id: string } & PlazaItem)[];
  /** Walks there, around nothing; resolves on arrival. */
  moveTo(x: number, z: number): Promise<void>;
  /** Turns the camera: `heading` π looks at the stage. */
  look(heading: number, tilt: number): void;
  /** Where the camera looks, and from how far behind, in metres. */
  view(): { heading: number; tilt: number; distance: number };
  grab(id: string): Promise<unknown>;
  place(id: string, x: number, z: number): Promise<unknown>;
  say(text: string): Promise<unknown>;
  emote(index: number): void;
  epoch(): number;
  /** Sockets this page has lost since it was opened. */
  disconnects(): number;
}

declare global {
  interface Window {
    demo?: DemoSeam;
  }
}

export function makeSeam(
  plaza: Plaza,
  client: Client,
  ready: Promise<void>,
  camera: FollowCamera,
  disconnects: () => number,
): DemoSeam {
  const { room, mover } = plaza;
  return {
    room,
    client,
    ready,
    avatars: () =>
      [...plaza.avatars.all()].map(({ slot, x, z }) => ({
        slot,
        name: nameOf(room, slot, room.members.get(slot)?.person ?? ""),
        x,
        z,
      })),
    items: () => Object.entries(room.state.items).map(([id, item]) => ({ id, ...item })),
    moveTo: (x, z) => mover.goTo(x, z),
    look: (heading, tilt) => void Object.assign(camera, { heading, tilt }),
    view: () => ({ heading: camera.heading, tilt: camera.tilt, distance: camera.distance }),
    grab: (item) => room.command("grab", { item }),
    place: (item, x, z) =>
      room.command("place", { item, x, y: groundAt(x, z), z, yaw: mover.pose.yaw }),
    say: (text) => plaza.chatting.say(text),
    emote: (index) => plaza.emote(index),
    epoch: () => room.epoch,
    disconnects,
  };
}
