import type { IndexStore } from "../../src/journal/index-store.ts";
import type { Journal } from "../../src/journal/journal.ts";
import type { SnapshotStore } from "../../src/journal/snapshot-store.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import type { Random } from "../../src/kernel/random.ts";
import type { Observer } from "../../src/observe/observer.ts";
import type { ToRoom } from "../../src/protocol/room-messages.ts";
import type { EncodedLetter } from "../../src/protocol/warm-state.ts";
import type { Lane } from "../mailbox.ts";
import type { RoomEffect } from "./effects.ts";
import type { EndReason } from "./lifecycle.ts";
import type { RoomConfig } from "./room-config.ts";
import type { RoomRuntime } from "./runtime.ts";
import type { Pace } from "./ticker.ts";

export type HandedOver = Extract<RoomEffect, { type: "handedOver" }> & {
  /** What gateways said and was not decided any more. */
  readonly letters: readonly EncodedLetter[];
};

/** What a node gives each of its rooms. */
export interface RoomHost {
  readonly self: ProcessId;
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly index: IndexStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly config: RoomConfig;
  readonly pace: Pace;
  send(gateway: ProcessId, data: Uint8Array): void;
  /** Marks whose turn runs, for the liveness thread: what a stalled loop is stuck in. */
  turn(room: RoomId | undefined): void;
  /** The room serves under a new epoch. */
  activated(room: RoomRuntime): void;
  /** It serves no more under that epoch; it may come back under another. */
  crashed(room: RoomRuntime): void;
  /** Another node owns the room now: it should know at once. */
  handedOver(room: RoomRuntime, to: HandedOver): void;
  ended(room: RoomRuntime, reason: EndReason): void;
}

/** Runs author's code as the room's turn. */
export function inTurn<T>({ turn }: Pick<RoomHost, "turn">, room: RoomId, run: () => T): T {
  turn(room);
  try {
    return run();
  } finally {
    turn(undefined);
  }
}

/** Which lane of the mailbox a gateway's message takes. */
export const LANES: Record<ToRoom["type"], Lane> = {
  watch: "control",
  away: "control",
  fetch: "control",
  profile: "control",
  askSeats: "control",
  attach: "durable",
  leave: "durable",
  command: "durable",
  signal: "volatile",
  poses: "volatile",
};
