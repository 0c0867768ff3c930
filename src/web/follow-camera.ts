import { PerspectiveCamera, Vector3 } from "three";
import { turnBetween } from "./avatars.ts";
import type { Input } from "./input.ts";
import type { Terrain } from "./terrain.ts";

const ZOOM_MIN_M = 2.6;
const ZOOM_MAX_M = 15;
const TILT_MIN = -0.3;
const TILT_MAX = 1.15;

/** How a place is looked at first; metres and radians. */
export interface Framing {
  readonly distanceM: number;
  readonly tilt: number;
  /** Of the middle of the picture, above the person's feet. */
  readonly aimM: number;
}

/** Follows a person from behind. They turn it; where they do not, it comes round by itself. */
export class FollowCamera {
  readonly camera = new PerspectiveCamera(52, 1, 0.1, 400);
  /** The way it looks, as a heading: what "forward" means at the controls. */
  heading = Math.PI;
  tilt: number;
  #distance: number;
  #shownDistance: number;
  #shownHeading = Math.PI;
  #shownTilt: number;
  readonly #aimM: number;
  readonly #aim = new Vector3();
  readonly #goal = new Vector3();
  #placed = false;
  readonly #terrain: Terrain;

  constructor(terrain: Terrain, { aimM, distanceM, tilt }: Framing) {
    this.#terrain = terrain;
    this.#aimM = aimM;
    this.tilt = this.#shownTilt = tilt;
    this.#distance = this.#shownDistance = distanceM;
  }

  /** How far behind; what is shown follows with a little delay. */
  get distance(): number {
    return this.#distance;
  }

  resize(width: number, height: number): void {
    this.camera.aspect = width / height;
    // A tall screen would see a slit: widen what it sees across.
    this.camera.fov = height > width ? 66 : 52;
    this.camera.updateProjectionMatrix();
  }

  look(input: Input): void {
    this.heading += input.turn;
    this.tilt = Math.max(TILT_MIN, Math.min(TILT_MAX, this.tilt + input.tilt));
    this.#distance *= 1 + input.zoom * 0.09;
    this.#distance = Math.max(ZOOM_MIN_M, Math.min(ZOOM_MAX_M, this.#distance));
    input.turn = input.tilt = input.zoom = 0;
  }

  follow(at: { x: number; y: number; z: number; yaw: number }, input: Input, dt: number): void {
    if (!input.looking && input.forward > 0.1) {
      this.heading += turnBetween(this.heading, at.yaw) * (1 - Math.exp(-dt * 0.9));
    }
    const ease = (rate: number): number => (this.#placed ? 1 - Math.exp(-dt * rate) : 1);
    this.#goal.set(at.x, at.y + this.#aimM, at.z);
    this.#aim.lerp(this.#goal, ease(13));
    this.#shownHeading += (this.heading - this.#shownHeading) * ease(18);
    this.#shownTilt += (this.tilt - this.#shownTilt) * ease(18);
    this.#shownDistance += (this.#distance - this.#shownDistance) * ease(9);
    this.#placed = true;
    const flat = Math.cos(this.#shownTilt) * this.#shownDistance;
    const { position } = this.camera;
    position.set(
      this.#aim.x - Math.sin(this.#shownHeading) * flat,
      this.#aim.y + Math.sin(this.#shownTilt) * this.#shownDistance + 0.25,
      this.#aim.z - Math.cos(this.#shownHeading) * flat,
    );
    this.#terrain.clear(position, at);
    this.camera.lookAt(this.#aim);
    this.camera.updateMatrixWorld();
  }
}
