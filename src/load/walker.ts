import type { Random } from "../kernel/random.ts";
import type { Pose } from "../protocol/pose-row.ts";

/** Where people walk, and where they come together. */
export interface WalkArea {
  readonly x: number;
  readonly z: number;
  readonly radiusM: number;
  readonly gather: { readonly x: number; readonly z: number; readonly radiusM: number };
  /** How people stand there, where they do not stroll. */
  readonly stands?: Standing;
}

interface Standing {
  /** Of arrivals after which somebody stands for a while. */
  readonly share: number;
  readonly msMin: number;
  readonly msMax: number;
  /** What they turn to. */
  readonly facing?: { readonly x: number; readonly z: number };
}

const STROLLING: Standing = { share: 0.5, msMin: 1_000, msMax: 10_000 };

const WALK_M_S = 1.4;
const RUN_M_S = 3.2;
const TURN_RAD_S = 3.5;
const ARRIVED_M = 0.15;
const IDLE = 0;
const WALKING = 1;
const RUNNING = 2;

/**
 * Somebody strolling: to a place, a while there looking round, on to the next; now and then to
 * where everybody gathers. Turns and stops like a person, so that rows change the way real ones do.
 */
export class Walker {
  readonly #random: Random;
  readonly #area: WalkArea;
  #x: number;
  #z: number;
  #yaw: number;
  #goal: { x: number; z: number };
  #speed = WALK_M_S;
  #restMs = 0;
  #moves = { animation: IDLE, leftMs: 0 };
  #bound = false;

  constructor(random: Random, area: WalkArea) {
    this.#random = random;
    this.#area = area;
    const { x, z } = this.#within(area);
    this.#x = x;
    this.#z = z;
    this.#yaw = (random.next() - 0.5) * 2 * Math.PI;
    this.#goal = this.#within(area);
  }

  get x(): number {
    return this.#x;
  }
  get z(): number {
    return this.#z;
  }
  get yaw(): number {
    return this.#yaw;
  }

  /** Goes there next and stays until `release`. */
  goTo(x: number, z: number): void {
    this.#goal = { x, z };
    this.#restMs = 0;
    this.#bound = true;
  }

  release(): void {
    this.#bound = false;
  }

  /** What the body does while it stands. */
  perform(animation: number, forMs: number): void {
    this.#moves = { animation, leftMs: forMs };
  }

  get arrived(): boolean {
    return Math.hypot(this.#goal.x - this.#x, this.#goal.z - this.#z) <= ARRIVED_M;
  }

  /** Where they are `elapsedMs` later. */
  step(elapsedMs: number): Pose {
    this.#moves.leftMs = Math.max(0, this.#moves.leftMs - elapsedMs);
    if (this.#restMs > 0) {
      this.#restMs -= elapsedMs;
      return this.#stand(elapsedMs);
    }
    if (this.arrived) {
      if (!this.#bound) this.#choose();
      return this.#stand(elapsedMs);
    }
    const dx = this.#goal.x - this.#x;
    const dz = this.#goal.z - this.#z;
    const heading = Math.atan2(dx, dz);
    const off = this.#turn(heading, elapsedMs);
    // Nobody walks sideways: first round, then off.
    const share = Math.max(0, Math.cos(off));
    const stepM = Math.min((this.#speed * share * elapsedMs) / 1000, Math.hypot(dx, dz));
    this.#x += Math.sin(heading) * stepM;
    this.#z += Math.cos(heading) * stepM;
    return this.#pose(this.#speed > 2 ? RUNNING : WALKING);
  }

  /** Turns towards a heading; answers how far off it was. */
  #turn(heading: number, elapsedMs: number): number {
    const off = Math.atan2(Math.sin(heading - this.#yaw), Math.cos(heading - this.#yaw));
    const turn = (TURN_RAD_S * elapsedMs) / 1000;
    this.#yaw += Math.max(-turn, Math.min(turn, off));
    this.#yaw = Math.atan2(Math.sin(this.#yaw), Math.cos(this.#yaw));
    return off;
  }

  #stand(elapsedMs: number): Pose {
    const facing = this.#area.stands?.facing;
    if (facing) this.#turn(Math.atan2(facing.x - this.#x, facing.z - this.#z), elapsedMs);
    return this.#pose(this.#moves.leftMs > 0 ? this.#moves.animation : IDLE);
  }

  #choose(): void {
    const { share, msMin, msMax } = this.#area.stands ?? STROLLING;
    const dice = this.#random.next();
    this.#restMs = dice < share ? msMin + this.#random.next() * (msMax - msMin) : 0;
    this.#speed =
      this.#random.next() < 0.15 ? RUN_M_S : WALK_M_S * (0.8 + this.#random.next() * 0.4);
    this.#goal = this.#within(this.#random.next() < 0.3 ? this.#area.gather : this.#area);
  }

  #within(disc: { x: number; z: number; radiusM: number }): { x: number; z: number } {
    const angle = this.#random.next() * 2 * Math.PI;
    const radius = Math.sqrt(this.#random.next()) * disc.radiusM;
    return { x: disc.x + Math.sin(angle) * radius, z: disc.z + Math.cos(angle) * radius };
  }

  #pose(animation: number): Pose {
    const { x, z, yaw } = this;
    return { x, y: 0, z, yaw, pitch: 0, reach: [0.25, 0.9, 0.375], animation };
  }
}
