import type { Room } from "../client/client.ts";
import { type Clock, holdingClock } from "../kernel/clock.ts";
import { randomBelow, systemRandom } from "../kernel/random.ts";
import { AvatarCrowd } from "./avatar-crowd.ts";
import { Avatars } from "./avatars.ts";
import { Chat } from "./chat.ts";
import { EMOTE, floatEmote, isEmote } from "./emotes.ts";
import type { Hud } from "./hud.ts";
import { type Actions, digitKeys, type Input, restingInput } from "./input.ts";
import { Items, itemLabel } from "./items.ts";
import { type Label, layOutLabels, project } from "./labels.ts";
import { groundAt, plazaTerrain } from "./layout.ts";
import { Mover } from "./mover.ts";
import { element } from "./page-elements.ts";
import type { Picture } from "./picture.ts";
import { EMOTES, type EmoteKind, holdersOf, ITEM_KINDS, type PlazaState } from "./plaza-room.ts";

/** Where an item is put down: this far in front of whoever carries it. */
const PLACE_AHEAD_M = 1.05;
const EMOTE_GAP_MS = 350;
const STEP_S_MAX = 0.1;
const NAMES_M = 30;

/** One person's visit: the room on one side, the picture and the controls on the other. */
export class Plaza implements Actions {
  readonly room: Room<PlazaState>;
  readonly input: Input = restingInput();
  readonly mover = new Mover(plazaTerrain);
  readonly avatars: Avatars;
  readonly items: Items;
  readonly chatting: Chat;
  readonly keys: Actions["keys"] = {
    ...{ KeyE: () => this.grabOrPlace(), KeyF: () => this.use(), KeyB: () => this.bring() },
    ...{ Enter: () => this.chat(), KeyT: () => this.chat() },
    ...digitKeys(EMOTES.length, (index) => this.emote(index)),
  };
  readonly thumb: Actions["thumb"] = {
    ...{ grab: () => this.grabOrPlace(), use: () => this.use(), chat: () => this.chat() },
  };
  readonly #picture: Picture;
  readonly #crowd: AvatarCrowd;
  readonly #holders = new Set<number>();
  readonly #labels: Label[] = [];
  readonly #hud: Hud;
  readonly #clock: Clock = holdingClock;
  readonly #spot = { left: 0, top: 0, distance: 0 };
  #emotedAt = Number.NEGATIVE_INFINITY;
  #busy = false;
  #reachable: string | undefined;
  #carried: string | undefined;

  constructor(room: Room<PlazaState>, picture: Picture, hud: Hud) {
    this.room = room;
    this.#picture = picture;
    this.#hud = hud;
    this.#crowd = new AvatarCrowd(picture.scene);
    this.avatars = new Avatars(this.#crowd, element("labels"), plazaTerrain);
    this.items = new Items(picture.scene);
    this.chatting = new Chat(room, this.avatars, this.#clock, {
      failed: (error) => hud.refused(error),
    });
    room.on("state", () => this.chatting.refresh());
    room.on("signal", ({ member, name, body }) => {
      const { kind, on } = (body ?? {}) as { readonly kind?: unknown; readonly on?: unknown };
      if (member.slot === room.me.slot) return;
      if (name === "typing") this.chatting.heardTyping(member.slot, on === true);
      if (name === "emote" && isEmote(kind)) this.#float(member.slot, kind);
    });
  }

  /** Stands where the room put me; after a reload, that is where I was. */
  arrive(): void {
    const { room, mover } = this;
    mover.stand(0, 9, Math.PI);
    for (const { member, pose } of room.poses(room.roomTime(), { self: true })) {
      if (member.slot === room.me.slot) mover.stand(pose.x, pose.z, pose.yaw);
    }
    this.#picture.view.heading = mover.pose.yaw;
  }

  #float(slot: number, kind: EmoteKind): void {
    const label = this.avatars.label(slot);
    if (label?.shown) floatEmote(label.element, kind);
  }

  /** One command of mine at a time; a refusal becomes a sentence. */
  async #ask(name: string, body: unknown): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.room.command(name, body);
    } catch (error) {
      this.#hud.refused(error);
    } finally {
      this.#busy = false;
    }
  }

  /** The spot in front of me, on the ground. */
  #ahead(): { x: number; y: number; z: number } {
    const { pose } = this.mover;
    const x = pose.x + Math.sin(pose.yaw) * PLACE_AHEAD_M;
    const z = pose.z + Math.cos(pose.yaw) * PLACE_AHEAD_M;
    return { x, y: groundAt(x, z), z };
  }

  bring(): void {
    const kind = ITEM_KINDS[randomBelow(systemRandom, ITEM_KINDS.length)];
    void this.#ask("spawn", { kind, ...this.#ahead() });
  }

  grabOrPlace(): void {
    if (this.#carried !== undefined) {
      const { yaw } = this.mover.pose;
      void this.#ask("place", { item: this.#carried, ...this.#ahead(), yaw });
    } else if (this.#reachable !== undefined) {
      void this.#ask("grab", { item: this.#reachable });
    }
  }

  use(): void {
    const item = this.#carried ?? this.#reachable;
    if (item !== undefined) void this.#ask("use", { item });
  }

  chat(): void {
    this.chatting.focus();
  }

  emote(index: number): void {
    const kind = EMOTES[index];
    const now = this.#clock.now();
    if (!kind || now - this.#emotedAt < EMOTE_GAP_MS) return;
    this.#emotedAt = now;
    this.mover.emote(kind);
    this.room.signal("emote", { kind });
    this.#float(this.room.me.slot, kind);
    if (EMOTE[kind].animation === null) this.mover.emote("clap");
  }

  frame(seconds: number, elapsed: number): void {
    const dt = Math.min(elapsed, STEP_S_MAX);
    const { room, mover, input } = this;
    const { view } = this.#picture;
    view.look(input);
    this.#carried = this.items.heldBy(room.me.slot)?.id;
    mover.carrying = this.#carried !== undefined;
    mover.update(input, view.heading, view.tilt, dt);
    room.setPose(mover.pose);
    this.#crowd.begin(view.camera.position);
    const holders = holdersOf(room.state, this.#holders);
    this.avatars.update(room, mover.pose, seconds, dt, holders);
    this.#crowd.end();
    this.items.update(room.state, this.avatars, seconds, dt);
    view.follow(mover.pose, input, dt);
    this.#pointAtItems(seconds);
    this.#picture.draw(seconds, elapsed, mover.pose);
    const { camera } = view;
    const { width, height } = this.#picture;
    this.#labels.length = 0;
    const seen = { camera, width, height, namesM: NAMES_M };
    this.avatars.placeLabels(seen, this.#clock.now(), this.#labels);
    layOutLabels(this.#labels);
  }

  #pointAtItems(seconds: number): void {
    const { x, y, z } = this.mover.pose;
    const near = this.#carried === undefined ? this.items.nearest(x, y, z) : undefined;
    this.#reachable = near?.id;
    const top = this.items.highlight(this.#carried ?? near?.id, seconds);
    const item = this.room.state.items[this.#carried ?? near?.id ?? ""];
    const { width, height } = this.#picture;
    if (!top || !item) return this.#hud.hint([]);
    const above = { x: top.x, y: top.y + 0.25, z: top.z };
    const seen = project(this.#picture.view.camera, width, height, above, this.#spot);
    if (!seen) return this.#hud.hint([]);
    const use = item.props.on === true ? "switch off" : "switch on";
    const grab = this.#carried === undefined ? `take the ${itemLabel(item.kind)}` : "put it down";
    this.#hud.hint(
      [
        ["E", grab],
        ["F", use],
      ],
      this.#spot.left,
      this.#spot.top,
    );
  }
}
