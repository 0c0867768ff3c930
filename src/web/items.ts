import {
  AdditiveBlending,
  Color,
  Group,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
  RingGeometry,
  type Scene,
  Sprite,
  SpriteMaterial,
} from "three";
import { type Avatars, handOf, turnBetween } from "./avatars.ts";
import { glowTexture, poolTexture } from "./canvas.ts";
import { BODY_MATERIAL, ITEM_MODELS, shineMaterial } from "./item-models.ts";
import { REACH_M } from "./layout.ts";
import { ITEM_KINDS, type ItemKind, type PlazaItem, type PlazaState } from "./plaza-room.ts";

/** Items drawn at once; more are left out. */
const ITEMS_MAX = 300;

interface Shown {
  readonly id: string;
  item: PlazaItem;
  readonly group: Group;
  readonly shine: Mesh;
  readonly halo: Sprite;
  readonly pool: Mesh;
  on: boolean | undefined;
  color: number | undefined;
}

const hand = { x: 0, y: 0, z: 0 };
const POOL = new PlaneGeometry(1, 1).rotateX(-Math.PI / 2);

/** The things that can be picked up, drawn where the room says: on the ground or in a hand. */
export class Items {
  readonly #scene: Scene;
  readonly #shown = new Map<string, Shown>();
  readonly #ring: Mesh<RingGeometry, MeshBasicMaterial>;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#ring = new Mesh(
      new RingGeometry(0.92, 1, 56).rotateX(-Math.PI / 2),
      new MeshBasicMaterial({
        color: new Color("#ffc873"),
        transparent: true,
        depthWrite: false,
        blending: AdditiveBlending,
      }),
    );
    this.#ring.visible = false;
    this.#ring.renderOrder = 3;
    scene.add(this.#ring);
  }

  #make(id: string, item: PlazaItem): Shown {
    const model = ITEM_MODELS[item.kind];
    const group = new Group();
    const body = new Mesh(model.body, BODY_MATERIAL);
    const shine = new Mesh(model.shine, shineMaterial(item.kind, model.color, false));
    body.castShadow = body.receiveShadow = shine.castShadow = shine.receiveShadow = true;
    const halo = new Sprite(
      new SpriteMaterial({
        map: glowTexture(),
        blending: AdditiveBlending,
        depthWrite: false,
        transparent: true,
      }),
    );
    halo.position.y = model.height * 0.62;
    halo.renderOrder = 5;
    const pool = new Mesh(
      POOL,
      new MeshBasicMaterial({
        map: poolTexture(),
        blending: AdditiveBlending,
        depthWrite: false,
        transparent: true,
      }),
    );
    pool.position.y = 0.025;
    pool.renderOrder = 2;
    group.add(body, shine, halo, pool);
    group.position.set(item.x, item.y, item.z);
    group.rotation.y = item.yaw;
    this.#scene.add(group);
    const shown: Shown = { id, item, group, shine, halo, pool, on: false, color: undefined };
    this.#shown.set(id, shown);
    this.#dress(shown);
    return shown;
  }

  #dress(shown: Shown): void {
    const { kind, props } = shown.item;
    shown.on = props.on;
    shown.color = props.color;
    const on = props.on === true;
    const color = props.color ?? ITEM_MODELS[kind].color;
    shown.shine.material = shineMaterial(kind, color, on);
    shown.halo.visible = shown.pool.visible = on;
    shown.halo.material.color.set(color).multiplyScalar(0.42);
    (shown.pool.material as MeshBasicMaterial).color.set(color).multiplyScalar(0.42);
    shown.halo.scale.setScalar(kind === "lamp" ? 2.4 : 1.5);
    shown.pool.scale.setScalar(kind === "lamp" ? 6 : 2.8);
  }

  #remove(shown: Shown): void {
    this.#scene.remove(shown.group);
    shown.halo.material.dispose();
    (shown.pool.material as MeshBasicMaterial).dispose();
    this.#shown.delete(shown.id);
  }

  update({ items }: PlazaState, avatars: Avatars, seconds: number, dt: number): void {
    for (const id in items) {
      const item = items[id];
      if (!item || !ITEM_KINDS.includes(item.kind)) continue;
      let shown = this.#shown.get(id);
      if (!shown) {
        if (this.#shown.size >= ITEMS_MAX) continue;
        shown = this.#make(id, item);
      }
      shown.item = item;
      // The replica changes items in place, so what is drawn is compared, not the object.
      const { on, color } = item.props;
      if (shown.on !== on || shown.color !== color) this.#dress(shown);
    }
    for (const shown of this.#shown.values()) {
      if (!items[shown.id]) this.#remove(shown);
      else this.#move(shown, avatars, seconds, dt);
    }
  }

  #move(shown: Shown, avatars: Avatars, seconds: number, dt: number): void {
    const { item, group } = shown;
    const bearer = item.holder === null ? undefined : avatars.get(item.holder);
    const ease = 1 - Math.exp(-dt * (bearer ? 26 : 11));
    if (bearer) handOf(bearer, hand);
    else Object.assign(hand, { x: item.x, y: item.y, z: item.z });
    const lower = bearer ? ITEM_MODELS[item.kind].height * 0.4 : 0;
    group.position.x += (hand.x - group.position.x) * ease;
    group.position.y += (hand.y - lower - group.position.y) * ease;
    group.position.z += (hand.z - group.position.z) * ease;
    const yaw = bearer ? bearer.yaw : item.yaw;
    group.rotation.y += turnBetween(group.rotation.y, yaw) * ease;
    shown.pool.visible = item.props.on === true && !bearer;
    if (item.props.on !== true) {
      shown.shine.scale.setScalar(1);
      return;
    }
    const beat = 0.5 + 0.5 * Math.sin(seconds * 7.5);
    if (item.kind === "speaker") shown.shine.scale.set(1, 1, 1 + beat * 0.12);
    shown.halo.material.opacity = item.kind === "lamp" ? 1 : 0.65 + beat * 0.35;
  }

  /** The item I could grab from here, if any. */
  nearest(x: number, y: number, z: number): { id: string; item: PlazaItem } | undefined {
    let best: Shown | undefined;
    let bestDistance = REACH_M;
    for (const shown of this.#shown.values()) {
      if (shown.item.holder !== null) continue;
      const distance = Math.hypot(shown.item.x - x, shown.item.z - z, (shown.item.y - y) * 0.7);
      if (distance >= bestDistance) continue;
      best = shown;
      bestDistance = distance;
    }
    return best;
  }

  heldBy(slot: number): { id: string; item: PlazaItem } | undefined {
    for (const shown of this.#shown.values()) if (shown.item.holder === slot) return shown;
    return undefined;
  }

  /** Marks the item with this id, or none, and says where its top is. */
  highlight(
    id: string | undefined,
    seconds: number,
  ): { x: number; y: number; z: number } | undefined {
    const shown = id === undefined ? undefined : this.#shown.get(id);
    this.#ring.visible = shown !== undefined && shown.item.holder === null;
    if (!shown) return undefined;
    const { x, y, z } = shown.group.position;
    const model = ITEM_MODELS[shown.item.kind];
    this.#ring.position.set(x, y + 0.03, z);
    this.#ring.scale.setScalar(model.radius * 1.5 + Math.sin(seconds * 4.5) * 0.035);
    this.#ring.material.opacity = 0.75 + Math.sin(seconds * 4.5) * 0.2;
    hand.x = x;
    hand.y = y + model.height;
    hand.z = z;
    return hand;
  }
}

export const itemLabel = (kind: ItemKind): string => ITEM_MODELS[kind].label;
