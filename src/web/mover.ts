import { CARRY_REACH, turnBetween } from "./avatars.ts";
import { EMOTE } from "./emotes.ts";
import type { Input } from "./input.ts";
import { ANIMATION, type EmoteKind } from "./plaza-room.ts";
import type { Terrain } from "./terrain.ts";

const WALK_M_PER_S = 3.1;
const RUN_M_PER_S = 6.2;
const ARRIVED_M = 0.15;

/** My own avatar: moved here at once, told to the room, never waited for. */
export class Mover {
  /** The pose the room gets; one object, changed in place. */
  readonly pose = {
    x: 0,
    y: 0,
    z: 0,
    yaw: Math.PI,
    pitch: 0,
    reach: [0, 0, 0] as [number, number, number],
    animation: ANIMATION.idle as number,
  };
  #speedX = 0;
  #speedZ = 0;
  #emoteAnimation = 0;
  #emoteLeftMs = 0;
  #goal: { x: number; z: number; arrived: () => void } | undefined;
  carrying = false;
  readonly #terrain: Terrain;

  constructor(terrain: Terrain) {
    this.#terrain = terrain;
  }

  stand(x: number, z: number, yaw: number): void {
    Object.assign(this.pose, { x, z, yaw, y: this.#terrain.groundAt(x, z) });
  }

  emote(kind: EmoteKind): void {
    const { animation, forMs } = EMOTE[kind];
    if (animation === null) return;
    this.#emoteAnimation = animation;
    this.#emoteLeftMs = forMs;
  }

  /** Walks to a spot by itself; resolves on arrival, or when the person takes over. */
  goTo(x: number, z: number): Promise<void> {
    this.#goal?.arrived();
    return new Promise((arrived) => {
      this.#goal = { x, z, arrived };
    });
  }

  /** The velocity that is wanted, in the world's axes. */
  #wish(input: Input, heading: number): { x: number; z: number } {
    const length = Math.hypot(input.right, input.forward);
    if (length > 0.05) {
      this.#arrive();
      const speed = (input.run ? RUN_M_PER_S : WALK_M_PER_S) * Math.min(1, length);
      const sin = Math.sin(heading);
      const cos = Math.cos(heading);
      return {
        x: ((sin * input.forward - cos * input.right) / length) * speed,
        z: ((cos * input.forward + sin * input.right) / length) * speed,
      };
    }
    if (!this.#goal) return { x: 0, z: 0 };
    const dx = this.#goal.x - this.pose.x;
    const dz = this.#goal.z - this.pose.z;
    const distance = Math.hypot(dx, dz);
    if (distance < ARRIVED_M) {
      this.#arrive();
      return { x: 0, z: 0 };
    }
    const speed = Math.min(WALK_M_PER_S * 1.3, 0.6 + distance * 4);
    return { x: (dx / distance) * speed, z: (dz / distance) * speed };
  }

  #arrive(): void {
    const goal = this.#goal;
    this.#goal = undefined;
    goal?.arrived();
  }

  update(input: Input, heading: number, pitch: number, dt: number): void {
    const wish = this.#wish(input, heading);
    const moving = Math.hypot(wish.x, wish.z) > 0.05;
    const grip = 1 - Math.exp(-dt * (moving ? 12 : 16));
    this.#speedX += (wish.x - this.#speedX) * grip;
    this.#speedZ += (wish.z - this.#speedZ) * grip;
    const speed = Math.hypot(this.#speedX, this.#speedZ);
    const { pose } = this;
    if (speed > 0.02) this.#terrain.walk(pose, this.#speedX * dt, this.#speedZ * dt);
    const ground = this.#terrain.groundAt(pose.x, pose.z);
    pose.y += (ground - pose.y) * (1 - Math.exp(-dt * 16));
    if (moving) {
      const towards = Math.atan2(wish.x, wish.z);
      pose.yaw += turnBetween(pose.yaw, towards) * (1 - Math.exp(-dt * 11));
      pose.yaw = turnBetween(0, pose.yaw);
      this.#emoteLeftMs = 0;
    }
    pose.pitch = Math.max(-0.6, Math.min(0.6, -pitch * 0.4));
    this.#emoteLeftMs = Math.max(0, this.#emoteLeftMs - dt * 1000);
    if (speed > WALK_M_PER_S * 1.35) pose.animation = ANIMATION.run;
    else if (speed > 0.35) pose.animation = ANIMATION.walk;
    else pose.animation = this.#emoteLeftMs > 0 ? this.#emoteAnimation : ANIMATION.idle;
    for (let i = 0; i < 3; i++) pose.reach[i] = this.carrying ? (CARRY_REACH[i] ?? 0) : 0;
  }
}
