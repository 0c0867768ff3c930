import { CHANNELS_MAX } from "../src/protocol/client-messages.ts";
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

  settle(member: Channel): void {
    this.#used = this.#used.map((used) => (used.channel === member.channel ? member : used));
  }

  free(channel: number): void {
    this.#used = this.#used.filter((used) => used.channel !== channel);
  }

  clear(): void {
    this.#used = NONE;
  }
}
