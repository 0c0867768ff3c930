import type { Room } from "../../client/client.ts";
import { type Clock, holdingClock } from "../../kernel/clock.ts";
import { AvatarCrowd } from "../avatar-crowd.ts";
import { Avatars } from "../avatars.ts";
import { Chat } from "../chat.ts";
import { EMOTE, floatEmote, isEmote } from "../emotes.ts";
import type { Hud } from "../hud.ts";
import { type Actions, type Input, restingInput } from "../input.ts";
import { type Label, layOutLabels } from "../labels.ts";
import { Mover } from "../mover.ts";
import { element } from "../page-elements.ts";
import type { Picture } from "../picture.ts";
import { EMOTES, type EmoteKind } from "../plaza-room.ts";
import { arenaTerrain, markAt, seatAt } from "./arena.ts";
import type { ArenaSetting } from "./arena-setting.ts";
import { beatOf, type ShardState, type StageState } from "./concert-room.ts";
import { CrowdMood } from "./crowd-mood.ts";
import { type Light, LightDesk } from "./light-desk.ts";
import { ShowHud } from "./show-hud.ts";

/** A finger that does not let go is no applause; the SDK sends 8 signals a second at most. */
const REACTION_GAP_MS = 250;
const STEP_S_MAX = 0.1;
const FRAMES_KEPT = 121;
/** Names of neighbours only: the others' would hide the stage. */
const AUDIENCE_NAMES_M = 9;
const PERFORMER_NAMES_M = 60;

/** What a reaction of the event looks like on whoever gives it. */
export const REACTIONS = [
  { name: "clap", emote: "clap" },
  { name: "cheer", emote: "jump" },
] as const;

export interface ConcertRooms {
  readonly stage: Room<StageState>;
  /** Where I sit; undefined for a performer, who is on the stage. */
  readonly shard: Room<ShardState> | undefined;
}

/** One person's visit to the concert: before the stage, or on it. */
export class Concert implements Actions {
  readonly stage: Room<StageState>;
  readonly shard: Room<ShardState> | undefined;
  readonly input: Input = restingInput();
  readonly mover = new Mover(arenaTerrain);
  readonly performers: Avatars;
  readonly neighbours: Avatars;
  readonly mood = new CrowdMood();
  readonly keys: Actions["keys"];
  readonly thumb: Actions["thumb"];
  readonly #picture: Picture<ArenaSetting>;
  readonly #crowd: AvatarCrowd;
  readonly #desk = new LightDesk();
  readonly #show = new ShowHud();
  readonly #clock: Clock = holdingClock;
  readonly #labels: Label[] = [];
  #reactedAt = Number.NEGATIVE_INFINITY;
  #confetti = false;
  /** What the last frames took on this side of the graphics card, in ms; for the seam. */
  readonly frameMs = new Float32Array(FRAMES_KEPT);
  #frames = 0;

  constructor(rooms: ConcertRooms, picture: Picture<ArenaSetting>, hud: Hud, bar: Actions["keys"]) {
    this.stage = rooms.stage;
    this.shard = rooms.shard;
    this.#picture = picture;
    this.#crowd = new AvatarCrowd(picture.scene);
    const layer = element("labels");
    this.performers = new Avatars(this.#crowd, layer, arenaTerrain);
    this.neighbours = new Avatars(this.#crowd, layer, arenaTerrain);
    const { shard } = rooms;
    const chat = shard && this.#chat(shard, hud);
    this.thumb = chat ? { chat: () => chat.focus() } : {};
    this.keys = {
      ...{ KeyC: () => this.react(0), KeyV: () => this.react(1), ...bar },
      ...(chat ? { Enter: () => chat.focus(), KeyT: () => chat.focus() } : {}),
    };
    this.#listen();
  }

  /** In the audience, over all shards. */
  get people(): number {
    return this.mood.news?.seated ?? 0;
  }

  /** The room that I am a member of. */
  get #mine(): Room<unknown> {
    return this.shard ?? this.stage;
  }

  #chat(shard: Room<ShardState>, hud: Hud): Chat {
    const chat = new Chat(shard, this.neighbours, this.#clock, {
      failed: (error) => hud.refused(error),
    });
    shard.on("state", () => chat.refresh());
    shard.on("signal", ({ member, name, body }) => {
      const { kind, on } = (body ?? {}) as { readonly kind?: unknown; readonly on?: unknown };
      if (member.slot === shard.me.slot) return;
      if (name === "typing") chat.heardTyping(member.slot, on === true);
      if (name === "emote" && isEmote(kind)) this.#float(this.neighbours, member.slot, kind);
    });
    return chat;
  }

  #listen(): void {
    const { stage } = this;
    const heard = (): void => {
      const { event, lights, set } = stage.state;
      this.#desk.hear(lights, this.#showMs);
      this.#show.stage(event.phase, set?.name);
      this.#picture.setting.screen.title(set?.name ?? "");
    };
    heard();
    stage.on("state", heard);
    stage.on("crowd", (news) => {
      const { reactions } = stage.state.event;
      this.mood.hear(news, reactions, this.#clock.now());
      this.#show.crowd(news, reactions);
    });
    stage.on("signal", ({ name, body }) => {
      const { kind } = (body ?? {}) as { readonly kind?: unknown };
      if (name === "pyro" && kind === "confetti") this.#confetti = true;
    });
  }

  /** Where the show is, in ms. */
  get #showMs(): number {
    return this.stage.roomTime() - (this.stage.state.startedAt ?? this.stage.roomTime());
  }

  /**
   * Stands where the room put me; after a reload, that is where I was. Before its first tick it has
   * not said where, and I take the place that my seat has.
   */
  arrive(): void {
    const room = this.#mine;
    const { x, yaw, z } = this.shard ? seatAt(room.me.slot) : markAt(room.me.slot);
    this.mover.stand(x, z, yaw);
    for (const { member, pose } of room.poses(room.roomTime(), { self: true })) {
      if (member.slot === room.me.slot) this.mover.stand(pose.x, pose.z, pose.yaw);
    }
    this.#picture.view.heading = this.mover.pose.yaw;
  }

  #float(avatars: Avatars, slot: number, kind: EmoteKind): void {
    const label = avatars.label(slot);
    if (label?.shown) floatEmote(label.element, kind);
  }

  #act(kind: EmoteKind): void {
    const { animation } = EMOTE[kind];
    this.mover.emote(animation === null ? "clap" : kind);
    this.#float(this.shard ? this.neighbours : this.performers, this.#mine.me.slot, kind);
  }

  /** One of the event's reactions: counted, and seen on me. */
  react(index: number): void {
    const reaction = REACTIONS[index];
    const now = this.#clock.now();
    if (!reaction || now - this.#reactedAt < REACTION_GAP_MS) return;
    this.#reactedAt = now;
    this.#mine.signal(reaction.name, null);
    this.#act(reaction.emote);
  }

  emote(index: number): void {
    const kind = EMOTES[index];
    if (!kind) return;
    this.shard?.signal("emote", { kind });
    this.#act(kind);
  }

  frame(seconds: number, elapsed: number): void {
    const began = this.#clock.now();
    const dt = Math.min(elapsed, STEP_S_MAX);
    const { input, mover, shard, stage } = this;
    const { view } = this.#picture;
    view.look(input);
    mover.update(input, view.heading, view.tilt, dt);
    this.#mine.setPose(mover.pose);
    this.#crowd.begin(view.camera.position);
    if (shard) this.neighbours.update(shard, mover.pose, seconds, dt);
    this.performers.update(stage, shard ? undefined : mover.pose, seconds, dt);
    this.#crowd.end();
    view.follow(mover.pose, input, dt);
    this.#light(seconds, dt);
    this.#picture.draw(seconds, elapsed, mover.pose);
    this.#name();
    this.frameMs[this.#frames++ % FRAMES_KEPT] = this.#clock.now() - began;
  }

  #light(seconds: number, dt: number): void {
    const { confetti, far, rig, screen } = this.#picture.setting;
    const showMs = this.#showMs;
    const { beat, plays } = beatOf(this.stage.state.sounds, showMs);
    const [wash, beams, band] = ["wash", "beams", "crowd"].map((name) =>
      this.#desk.at(name, showMs),
    ) as [Light, Light, Light];
    const mood = this.mood.step(dt);
    const pace = plays ? beat : seconds * 0.5;
    const lead = this.shard ? firstOf(this.performers) : this.performers.get(this.stage.me.slot);
    rig.update(pace, seconds, { wash, beams }, lead);
    screen.update(pace, mood.energy, wash, beams);
    far.update(this.people, mood, { seconds, beat, plays, band, wash }, dt);
    if (this.#confetti) confetti.fire(seconds);
    this.#confetti = false;
  }

  #name(): void {
    const { height, view, width } = this.#picture;
    const { camera } = view;
    const now = this.#clock.now();
    this.#labels.length = 0;
    const near = { camera, width, height, namesM: AUDIENCE_NAMES_M };
    this.neighbours.placeLabels(near, now, this.#labels);
    this.performers.placeLabels({ ...near, namesM: PERFORMER_NAMES_M }, now, this.#labels);
    layOutLabels(this.#labels);
  }
}

const firstOf = (avatars: Avatars) => avatars.all().next().value;
