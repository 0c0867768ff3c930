import type { Camera } from "three";
import type { Pose } from "../protocol/pose-row.ts";
import type { AvatarCrowd } from "./avatar-crowd.ts";
import { type Look, lookOf } from "./avatar-look.ts";
import { moveJoints, restingJoints, strideOf } from "./avatar-motion.ts";
import { CROWN_Y } from "./avatar-parts.ts";
import { Label, placeLabel } from "./labels.ts";
import { ANIMATION, nameOf, type PeopleRoom, type PlazaMember } from "./plaza-room.ts";
import type { Terrain } from "./terrain.ts";

/** Where a carried item is, relative to a bearer whose pose does not say. */
export const CARRY_REACH = [0, 0.875, 0.5] as const;

interface Avatar {
  readonly slot: number;
  generation: number;
  profile: PlazaMember["profile"];
  look: Look;
  readonly label: Label;
  x: number;
  y: number;
  z: number;
  yaw: number;
  pitch: number;
  reach: readonly [number, number, number];
  animation: number;
  animationSince: number;
  stride: number;
  away: boolean;
  /** The last frame that had this avatar. */
  seenAt: number;
}

export const turnBetween = (from: number, to: number): number => {
  const turn = (to - from) % (Math.PI * 2);
  return turn > Math.PI ? turn - Math.PI * 2 : turn < -Math.PI ? turn + Math.PI * 2 : turn;
};

export interface View {
  readonly camera: Camera;
  readonly width: number;
  readonly height: number;
  /** Names of people further away are not shown. */
  readonly namesM: number;
}

const NOBODY: ReadonlySet<number> = new Set();

/** Everybody the room shows, me included: where they are drawn, how they move, their names. */
export class Avatars {
  readonly #crowd: AvatarCrowd;
  readonly #layer: HTMLElement;
  readonly #terrain: Terrain;
  readonly #shown = new Map<number, Avatar>();
  readonly #joints = restingJoints();
  readonly #crown = { x: 0, y: 0, z: 0 };

  constructor(crowd: AvatarCrowd, layer: HTMLElement, terrain: Terrain) {
    this.#crowd = crowd;
    this.#layer = layer;
    this.#terrain = terrain;
  }

  get(slot: number): Readonly<Avatar> | undefined {
    return this.#shown.get(slot);
  }

  all(): IterableIterator<Readonly<Avatar>> {
    return this.#shown.values();
  }

  label(slot: number): Label | undefined {
    return this.#shown.get(slot)?.label;
  }

  #take(room: PeopleRoom, member: PlazaMember, pose: Pose): Avatar {
    let avatar = this.#shown.get(member.slot);
    const same = avatar?.generation === member.generation;
    if (avatar && same && avatar.profile === member.profile) return avatar;
    const { profile } = member;
    const look = lookOf(member.person, profile?.color, profile?.model ?? "");
    if (!avatar || !same) {
      avatar?.label.remove();
      avatar = {
        slot: member.slot,
        generation: member.generation,
        profile,
        look,
        label: new Label(this.#layer),
        x: pose.x,
        y: pose.y,
        z: pose.z,
        yaw: pose.yaw,
        pitch: 0,
        reach: [0, 0, 0],
        animation: 0,
        animationSince: 0,
        stride: 0,
        away: false,
        seenAt: 0,
      };
      this.#shown.set(member.slot, avatar);
    }
    avatar.profile = profile;
    avatar.look = look;
    const tint = `#${look.shirt.toString(16).padStart(6, "0")}`;
    const mine = member.slot === room.me.slot;
    avatar.label.set(nameOf(room, member.slot, member.person), tint, mine, avatar.away);
    return avatar;
  }

  #follow(avatar: Avatar, pose: Pose, away: boolean, seconds: number, dt: number): void {
    const dx = pose.x - avatar.x;
    const dz = pose.z - avatar.z;
    const far = Math.hypot(dx, dz) > 6;
    // The SDK has interpolated between frames; this only takes the last edge off.
    const ease = far ? 1 : 1 - Math.exp(-dt * 22);
    avatar.x += dx * ease;
    // Somebody without a sense of the ground would wade through the stage.
    avatar.y += (Math.max(pose.y, this.#terrain.groundAt(pose.x, pose.z)) - avatar.y) * ease;
    avatar.z += dz * ease;
    avatar.yaw += turnBetween(avatar.yaw, pose.yaw) * (1 - Math.exp(-dt * 14));
    avatar.pitch += (pose.pitch - avatar.pitch) * ease;
    avatar.reach = pose.reach;
    if (!far) avatar.stride += strideOf(Math.hypot(dx, dz) * ease);
    const animation = pose.animation & 0x7f;
    if (animation !== avatar.animation) {
      avatar.animation = animation;
      avatar.animationSince = seconds;
    }
    if (away !== avatar.away) {
      avatar.away = away;
      avatar.label.away(away);
    }
    avatar.seenAt = seconds;
  }

  /**
   * One frame, between the crowd's `begin` and `end`. `mine` is where I am now, which the room
   * hears a moment later; undefined where I only watch.
   */
  update(
    room: PeopleRoom,
    mine: Pose | undefined,
    seconds: number,
    dt: number,
    holders = NOBODY,
  ): void {
    for (const { member, pose, away } of room.poses()) {
      if (member.slot === room.me.slot) continue;
      this.#follow(this.#take(room, member, pose), pose, away, seconds, dt);
    }
    const me = room.members.get(room.me.slot);
    if (me && mine) this.#followMe(this.#take(room, me, mine), mine, seconds, dt);
    for (const avatar of this.#shown.values()) {
      const gone = !room.members.has(avatar.slot) || seconds - avatar.seenAt > 5;
      if (gone) {
        avatar.label.remove();
        this.#shown.delete(avatar.slot);
        continue;
      }
      this.#draw(avatar, seconds, holders.has(avatar.slot));
    }
  }

  #followMe(avatar: Avatar, mine: Pose, seconds: number, dt: number): void {
    this.#follow(avatar, mine, false, seconds, dt);
    avatar.x = mine.x;
    avatar.y = mine.y;
    avatar.z = mine.z;
  }

  #draw(avatar: Avatar, seconds: number, carrying: boolean): void {
    moveJoints(this.#joints, {
      animation: avatar.away ? ANIMATION.idle : avatar.animation,
      age: seconds - avatar.animationSince,
      stride: avatar.stride,
      seconds: seconds + avatar.slot * 1.7,
      carrying,
    });
    this.#joints.headPitch += avatar.pitch * 0.5;
    const { x, y, z, yaw, look, away } = avatar;
    this.#crowd.add(x, y, z, yaw, look, this.#joints, away);
  }

  /** Puts the names where the heads now are on the screen, and into `placed` for the layout. */
  placeLabels(view: View, nowMs: number, placed: Label[]): void {
    for (const avatar of this.#shown.values()) {
      const jump = avatar.animation === ANIMATION.jump ? 0.3 : 0;
      this.#crown.x = avatar.x;
      this.#crown.y = avatar.y + CROWN_Y + jump;
      this.#crown.z = avatar.z;
      avatar.label.tick(nowMs);
      placeLabel(avatar.label, view, this.#crown);
      placed.push(avatar.label);
    }
  }
}

/** The world position of an avatar's hand, written into `out`. */
export function handOf(
  avatar: { x: number; y: number; z: number; yaw: number; reach: readonly number[] },
  out: { x: number; y: number; z: number },
): void {
  const [rx = 0, ry = 0, rz = 0] = avatar.reach;
  const idle = rx === 0 && ry === 0 && rz === 0;
  const [hx, hy, hz] = idle ? CARRY_REACH : [rx, ry, rz];
  const sin = Math.sin(avatar.yaw);
  const cos = Math.cos(avatar.yaw);
  out.x = avatar.x + hx * cos + hz * sin;
  out.y = avatar.y + hy;
  out.z = avatar.z - hx * sin + hz * cos;
}
