import {
  type BufferGeometry,
  Color,
  DynamicDrawUsage,
  Euler,
  InstancedMesh,
  Matrix4,
  MeshLambertMaterial,
  type Scene,
} from "three";
import { HEAD_KINDS, type HeadKind, type Look } from "./avatar-look.ts";
import type { Joints } from "./avatar-motion.ts";
import {
  type BodyPart,
  HEAD_Y,
  HIP_X,
  HIP_Y,
  headGear,
  partGeometry,
  SHOULDER_X,
  SHOULDER_Y,
} from "./avatar-parts.ts";

/** Bodies drawn at once; the nearest, where there are more. */
export const BODIES_MAX = 400;

/** Bodies further from the eye are cut more coarsely: a quarter of the triangles. */
const FINE_M = 11;
const COARSE = 0.5;

type PartName = BodyPart | HeadKind;
type Parts = ReadonlyMap<PartName, InstancedMesh>;

function makeParts(scene: Scene, material: MeshLambertMaterial, detail: number): Parts {
  const parts = new Map<PartName, InstancedMesh>();
  const white = new Color(0xffffff);
  const make = (name: PartName, geometry: BufferGeometry, each: number): void => {
    const mesh = new InstancedMesh(geometry, material, BODIES_MAX * each);
    mesh.instanceMatrix.setUsage(DynamicDrawUsage);
    mesh.setColorAt(0, white);
    mesh.castShadow = name !== "face";
    mesh.receiveShadow = true;
    mesh.frustumCulled = false;
    mesh.count = 0;
    parts.set(name, mesh);
    scene.add(mesh);
  };
  for (const name of ["body", "head", "face"] as const) make(name, partGeometry(name, detail), 1);
  for (const name of ["arm", "hand", "leg", "shoe"] as const)
    make(name, partGeometry(name, detail), 2);
  for (const kind of HEAD_KINDS) make(kind, headGear(kind, detail), 1);
  return parts;
}

/**
 * All bodies in 26 draw calls at most, however many there are. A frame is `begin`, `add` for each
 * body, `end`; nothing is allocated in between.
 */
export class AvatarCrowd {
  readonly #fine: Parts;
  readonly #coarse: Parts;
  /** What the body that is being added is made of. */
  #parts: Parts;
  readonly #eye = { x: 0, z: 0 };
  #bodies = 0;
  readonly #root = new Matrix4();
  readonly #torso = new Matrix4();
  readonly #joint = new Matrix4();
  readonly #turn = new Euler();
  readonly #color = new Color();

  constructor(scene: Scene) {
    const material = new MeshLambertMaterial({ vertexColors: true });
    this.#fine = makeParts(scene, material, 1);
    this.#coarse = makeParts(scene, material, COARSE);
    this.#parts = this.#fine;
  }

  /** `eye`: where they are looked at from. */
  begin(eye: { readonly x: number; readonly z: number }): void {
    this.#eye.x = eye.x;
    this.#eye.z = eye.z;
    this.#bodies = 0;
    for (const parts of [this.#fine, this.#coarse])
      for (const mesh of parts.values()) mesh.count = 0;
  }

  #put(name: PartName, matrix: Matrix4, color: number): void {
    const mesh = this.#parts.get(name);
    if (!mesh) return;
    mesh.setMatrixAt(mesh.count, matrix);
    mesh.setColorAt(mesh.count, this.#color.set(color));
    mesh.count += 1;
  }

  /** Turns `#joint` into the place of a limb: at (x, y) of `base`, swung forward and lifted out. */
  #limb(base: Matrix4, x: number, y: number, swing: number, lift: number): Matrix4 {
    this.#turn.set(swing, 0, lift, "XZY");
    this.#joint.makeRotationFromEuler(this.#turn).setPosition(x, y, 0);
    return this.#joint.premultiply(base);
  }

  add(
    x: number,
    y: number,
    z: number,
    yaw: number,
    look: Look,
    joints: Joints,
    faded: boolean,
  ): void {
    if (this.#bodies >= BODIES_MAX) return;
    this.#bodies += 1;
    const near = Math.hypot(x - this.#eye.x, z - this.#eye.z) < FINE_M;
    this.#parts = near ? this.#fine : this.#coarse;
    const root = this.#root.makeRotationY(yaw).setPosition(x, y + joints.bob, z);
    const tone = (color: number): number => (faded ? ((color >> 1) & 0x7f7f7f) + 0x30303a : color);
    // Limbs on the avatar's left are at +x: it faces +z.
    for (const side of [1, -1]) {
      const swing = side > 0 ? joints.legLeft : joints.legRight;
      const leg = this.#limb(root, HIP_X * side, HIP_Y, -swing, 0);
      this.#put("leg", leg, tone(look.trousers));
      this.#put("shoe", leg, 0xffffff);
    }
    this.#turn.set(joints.lean, joints.twist, joints.sway, "YXZ");
    const torso = this.#torso.makeRotationFromEuler(this.#turn);
    torso.elements[4] *= joints.stretch;
    torso.elements[5] *= joints.stretch;
    torso.elements[6] *= joints.stretch;
    torso.setPosition(0, HIP_Y, 0).premultiply(root);
    this.#put("body", torso, tone(look.shirt));
    for (const side of [1, -1]) {
      const swing = side > 0 ? joints.armLeftSwing : joints.armRightSwing;
      const lift = side > 0 ? joints.armLeftLift : joints.armRightLift;
      const arm = this.#limb(
        torso,
        SHOULDER_X * 0.86 * side,
        SHOULDER_Y - HIP_Y - 0.02,
        swing,
        lift * side,
      );
      this.#put("arm", arm, tone(look.shirt));
      this.#put("hand", arm, tone(look.skin));
    }
    this.#turn.set(-joints.headPitch - joints.lean * 0.7, 0, joints.headTilt, "YXZ");
    const head = this.#joint
      .makeRotationFromEuler(this.#turn)
      .setPosition(0, HEAD_Y - HIP_Y - 0.07, 0)
      .premultiply(torso);
    this.#put("head", head, tone(look.skin));
    this.#put("face", head, 0xffffff);
    this.#put(look.head, head, tone(look.hair));
  }

  end(): void {
    for (const parts of [this.#fine, this.#coarse]) for (const mesh of parts.values()) sent(mesh);
  }
}

/** Only what was written goes to the graphics card. */
function sent(mesh: InstancedMesh): void {
  const { count, instanceColor, instanceMatrix } = mesh;
  mesh.visible = count > 0;
  for (const attribute of [instanceMatrix, instanceColor]) {
    if (!attribute || count === 0) continue;
    attribute.clearUpdateRanges();
    attribute.addUpdateRange(0, count * attribute.itemSize);
    attribute.needsUpdate = true;
  }
}
