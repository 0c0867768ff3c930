import type { Member } from "../protocol/client-messages.ts";
import type { Patch } from "../protocol/patches.ts";
import type { EndCode } from "./errors.ts";
import type { Quality } from "./link-quality.ts";

/** A reliable event of the world. */
export interface WorldEvent {
  readonly name: string;
  readonly data: unknown;
  /** The journal index of the record it came with. */
  readonly index: number;
  /** Room time of that record. */
  readonly atMs: number;
}

export interface Signal {
  readonly member: Member;
  readonly name: string;
  readonly body: unknown;
}

/** How the crowd of an event is, all shards together. */
export interface CrowdNews {
  readonly seated: number;
  readonly waiting: number;
  /** How often each was heard since the event began, in the order of `state.event.reactions`. */
  readonly reactions: readonly number[];
  /** Reactions a second, smoothed. */
  readonly energy: number;
}

/** What a frame said of itself. For tests, load bots and debugging panels. */
export interface FrameHeadline {
  readonly epoch: number;
  readonly tick: number;
  readonly atMs: number;
  readonly index: number;
  readonly rows: number;
  /** False where it was older than what had been seen, and its rows were dropped. */
  readonly accepted: boolean;
  /** Which attach of this session it came in on. */
  readonly attach: number;
}

/** What this replica had to refuse or to repair. */
export interface RoomStats {
  readonly framesFenced: number;
  readonly duplicates: number;
  readonly holes: number;
  readonly resyncs: number;
}

/** The arguments of each event's listener. */
export interface RoomEvents {
  /** The public state changed: by these patches, or (null) it was replaced by a snapshot. */
  readonly state: readonly [patches: readonly Patch[] | null, index: number];
  readonly joined: readonly [member: Member];
  readonly left: readonly [member: Member];
  readonly profile: readonly [member: Member];
  /** Each exactly once and in order of index. */
  readonly event: readonly [event: WorldEvent];
  readonly signal: readonly [signal: Signal];
  /** Of an event's stage, about once a second: the whole crowd. */
  readonly crowd: readonly [crowd: CrowdNews];
  /**
   * The event has this person sit in another shard now: everybody of before has left, those who sit
   * there and the state come next.
   */
  readonly moved: readonly [place: string];
  /** Another owner serves the room. */
  readonly epoch: readonly [epoch: number];
  /** No owner is reachable (`room`), or no gateway is (`connection`). Commands wait. */
  readonly suspended: readonly [cause: "room" | "connection", forMs: number];
  readonly resumed: readonly [];
  /** The level changed. */
  readonly quality: readonly [quality: Quality];
  readonly frame: readonly [headline: FrameHeadline];
  /** The membership is over. Nothing comes after it. */
  readonly ended: readonly [code: EndCode, reason: string];
}
