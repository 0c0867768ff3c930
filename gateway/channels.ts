import { CHANNELS_MAX } from "../src/protocol/client-messages.ts";
import { shardOf } from "../src/protocol/event-names.ts";
import type { HeldRoom } from "./held-room.ts";
import type { Session } from "./session.ts";

/** A channel in use: a join on its way (told apart by identity), or a membership. */
export type Channel =
  | { readonly kind: "joining"; readonly channel: number }
  | {
      readonly kind: "member";
      readonly channel: number;
      readonly session: Session;
      readonly room: HeldRoom;
    };

type Membership = Extract<Channel, { kind: "member" }>;

/** Who watches a stage and sits in one of its shards is shown the one with the other. */
function pair({ room: stage, session }: Membership, seated: Membership): boolean {
  const isSeated = shardOf(seated.room.id)?.stage === stage.id && session.init.spectator;
  if (!isSeated) return false;
  const { viewer } = session;
  seated.session.viewer.ride = { viewer, show: stage.show };
  // What they come in with shows the stage as it is: the next that they see of it rides.
  stage.show.expectFrame(viewer, seated.room.composer.frameMs);
  return true;
}

const NONE: readonly Channel[] = [];

/** The channels of one connection that are in use: few, and nearly always one. */
export class Channels {
  #used = NONE;

  get empty(): boolean {
    return this.#used.length === 0;
  }

  /** What is there, for who waits on something to see whether it still stands. */
  get(channel: number): Channel | undefined {
    for (const used of this.#used) if (used.channel === channel) return used;
    return undefined;
  }

  /** What waits in the tails of its memberships. */
  get tailBytes(): number {
    let bytes = 0;
    for (const channel of this.#used)
      if (channel.kind === "member") bytes += channel.session.viewer.outbox.bytes;
    return bytes;
  }

  values(): Iterable<Channel> {
    return this.#used;
  }

  /** Takes a channel for a join, unless it is in use or there are too many. */
  reserve(channel: number): Channel | "channel_taken" {
    if (this.get(channel) || this.#used.length >= CHANNELS_MAX) return "channel_taken";
    const joining: Channel = { kind: "joining", channel };
    this.#used = [...this.#used, joining];
    return joining;
  }

  settle(member: Membership): void {
    this.#used = this.#used.map((used) => (used.channel === member.channel ? member : used));
    for (const other of this.#used)
      if (other.kind === "member" && !pair(other, member)) pair(member, other);
  }

  free(channel: number): void {
    const freed = this.get(channel);
    const ride = freed?.kind === "member" ? freed.session.viewer.ride : undefined;
    ride?.show.left(ride.viewer);
    this.#used = this.#used.filter((used) => used.channel !== channel);
  }

  clear(): void {
    this.#used = NONE;
  }
}
