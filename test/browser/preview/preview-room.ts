import type { JoinOptions, Room, RoomEvents, Signal } from "../../../src/client/client.ts";
import { Emitter } from "../../../src/client/emitter.ts";
import { holdingClock } from "../../../src/kernel/clock.ts";
import { seededRandom } from "../../../src/kernel/random.ts";
import type { Pose } from "../../../src/protocol/pose-row.ts";
import type { ChatLine, PlazaItem, PlazaState } from "../../../src/web/plaza-room.ts";

/**
 * A plaza without a cluster, for looking at the page while working on it: a dozen people who stroll
 * and a room that obeys at once. It proves nothing; the browser test runs on the real cluster.
 */
const NAMES = [
  "Mara",
  "Jonas",
  "Ines",
  "Tomasz",
  "Yuki",
  "Amara",
  "Leo",
  "Priya",
  "Nils",
  "Zoé",
  "Kofi",
  "Lin",
];
const COLORS = [0xff6b6b, 0xff9f43, 0xfeca57, 0x2ed194, 0x1fc3d6, 0x4d96ff, 0x9b6bff, 0xff7ac2];
const ME = 40;

interface Stroller {
  readonly pose: Pose & { x: number; y: number; z: number; yaw: number; animation: number };
  goal: { x: number; z: number };
  restsUntil: number;
  readonly stays: boolean;
}

const item = (
  kind: PlazaItem["kind"],
  x: number,
  z: number,
  yaw: number,
  on = false,
): PlazaItem => ({
  kind,
  x,
  y: 0,
  z,
  yaw,
  holder: null,
  props: { on },
});

function firstState(): PlazaState {
  return {
    items: {
      lamp1: item("lamp", 3.4, 5.2, 0, true),
      lamp2: item("lamp", -6, -4, 0),
      cube1: item("cube", 2.2, 1.4, 0.5),
      cube2: { ...item("cube", 2.85, 1.05, 0.1, true), props: { color: 0xff9f43, on: true } },
      ball1: item("ball", -2.1, 3.4, 0.4),
      ball2: { ...item("ball", 6.5, -2, 0.4), props: { color: 0x2ed194 } },
      plant1: item("plant", -4.4, 5.6, 0),
      plant2: item("plant", 5.8, 4.1, 0, true),
      speaker1: item("speaker", -3.6, -0.6, 2.6, true),
      held: { ...item("plant", 0, 0, 0), holder: 2 },
    },
    props: { mood: "sunset" },
    chat: {
      "1": line(1, "p-0", 0, "The stage looks lovely tonight"),
      "2": line(2, "p-4", 4, "Anyone up for moving the lamps to the fountain?"),
      "3": line(3, "p-2", 2, "On it"),
    },
  };
}

const line = (n: number, person: string, slot: number, text: string): ChatLine => ({
  n,
  person,
  slot,
  text,
  at: holdingClock.wallNow(),
});

interface Shown {
  readonly member: never;
  readonly pose: Pose;
  readonly away: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class PreviewRoom {
  readonly me = { session: "s", slot: ME, generation: 1, person: "p-me" };
  readonly state = firstState();
  readonly members = new Map<number, never>();
  readonly quality = { rttMs: 18.4, frameAgeMs: 40, jitterMs: 2, level: "good" as const };
  epoch = 412;
  index = 1;
  readonly #events = new Emitter<RoomEvents>();
  readonly #strollers = new Map<number, Stroller>();
  readonly #random = seededRandom(9);

  constructor(options: JoinOptions) {
    const join = (slot: number, person: string, profile: unknown): void => {
      this.members.set(slot, { slot, generation: 1, person, role: "audience", profile } as never);
    };
    NAMES.forEach((name, slot) => {
      join(slot, `p-${slot}`, { name, color: COLORS[slot % COLORS.length], model: "" });
      const x = (this.#random.next() - 0.5) * 18;
      const z = (this.#random.next() - 0.5) * 18 - 1;
      const stays = slot % 3 === 0;
      const yaw = stays ? Math.PI + (this.#random.next() - 0.5) * 2 : 0;
      this.#strollers.set(slot, {
        pose: { x, y: 0, z, yaw, pitch: 0, reach: [0, 0, 0], animation: stays ? slot % 6 : 1 },
        goal: { x: -x, z: -z },
        restsUntil: 0,
        stays,
      });
    });
    join(ME, "p-me", options.profile);
    holdingClock.every(50, () => this.#tick());
    holdingClock.every(4000, () => this.#signal(), 1500);
  }

  #signal(): void {
    const slot = Math.floor(this.#random.next() * NAMES.length);
    const member = this.members.get(slot);
    const kind = ["heart", "clap", "dance", "wave"][Math.floor(this.#random.next() * 4)];
    if (member) this.#events.emit("signal", { member, name: "emote", body: { kind } } as Signal);
  }

  #tick(): void {
    for (const stroller of this.#strollers.values()) {
      if (stroller.stays) continue;
      const { pose, goal } = stroller;
      const dx = goal.x - pose.x;
      const dz = goal.z - pose.z;
      const distance = Math.hypot(dx, dz);
      const now = holdingClock.now();
      if (distance < 0.3) {
        stroller.goal = {
          x: (this.#random.next() - 0.5) * 22,
          z: (this.#random.next() - 0.6) * 20,
        };
        stroller.restsUntil = now + this.#random.next() * 4000;
      }
      const walks = now > stroller.restsUntil && distance > 0.3;
      pose.animation = walks ? 1 : 0;
      if (!walks) continue;
      pose.x += (dx / distance) * 0.09;
      pose.z += (dz / distance) * 0.09;
      pose.yaw = Math.atan2(dx, dz);
    }
    const { epoch, index } = this;
    this.#events.emit("frame", {
      epoch,
      index,
      tick: 0,
      atMs: 0,
      rows: NAMES.length,
      accepted: true,
      attach: 1,
    });
  }

  /** As if the owner had died and another one had taken over. */
  failOver(): void {
    this.epoch += 7;
  }

  roomTime(): number {
    return holdingClock.wallNow();
  }

  *poses(_at?: number, options?: { self: boolean }): Iterable<Shown> {
    const pose = { x: 1.2, y: 0, z: 8, yaw: Math.PI, pitch: 0, reach: [0, 0, 0], animation: 0 };
    const me = this.members.get(ME);
    if (options?.self && me) yield { member: me, pose: pose as unknown as Pose, away: false };
    for (const [slot, { pose }] of this.#strollers) {
      const member = this.members.get(slot);
      if (member) yield { member, pose, away: slot === 10 };
    }
  }

  setPose(): void {}
  signal(): boolean {
    return true;
  }
  on<K extends keyof RoomEvents>(name: K, listener: (...args: RoomEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  async command(name: string, body: Record<string, unknown>): Promise<unknown> {
    const target = this.state.items[String(body.item)] as Mutable<PlazaItem> | undefined;
    if (name === "say") {
      const n = this.index + 100;
      const chat = this.state.chat as Record<string, ChatLine>;
      chat[String(n)] = line(n, this.me.person, ME, String(body.text));
    } else if (name === "grab" && target) target.holder = ME;
    else if (name === "place" && target) {
      Object.assign(target, { ...body, holder: null });
    } else if (name === "use" && target) target.props = { ...target.props, on: !target.props.on };
    this.index += 1;
    this.#events.emit("state", [], this.index);
    return null;
  }
}

/** Stands for the SDK in the preview: see preview.ts. */
export async function connect(options: {
  onConnection?: (state: "open", detail: { url: string }) => void;
}): Promise<unknown> {
  options.onConnection?.("open", { url: "ws://127.0.0.1:1/" });
  return {
    join: async (_: string, join: JoinOptions) =>
      new PreviewRoom(join) as unknown as Room<PlazaState>,
  };
}
export class JoinRefused extends Error {}
