import type { IndexEntry } from "../journal/index-store.ts";
import { EPOCH_NONE, type Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";
import type { Transition } from "../membership/detector.ts";
import type { ControlOf, Proposal } from "../protocol/control-messages.ts";
import type { IndexChange } from "./index-changes.ts";
import { type ScoreConfig, scoreDefaults } from "./score.ts";

export interface PlannerConfig {
  readonly score: ScoreConfig;
  readonly rankDelayMs: number;
  /** After a start, before the first proposal: nodes beat every 250 ms. */
  readonly warmUpMs: number;
  /** After a start, or after it was learned of, an owner never heard is gone. */
  readonly absentMs: number;
  /** An owner that does not announce a room for so long may have lost it. */
  readonly unannouncedMs: number;
  /**
   * A proposal without effect is repeated after the first, then twice as long, up to the second.
   */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  readonly noCapacityRetryMs: number;
  /** After a node appears, before it is offered rooms that nobody could take. */
  readonly joinSettleMs: number;
  /** How long a room's expected load stays reserved. */
  readonly reserveMs: number;
  readonly crashBackoffMs: number;
  readonly crashNodesMax: number;
  /** Crashes are forgotten after so long under one owner. */
  readonly crashMemoryMs: number;
  /** All rooms are looked over this often, for what no message tells. */
  readonly scanMs: number;
  readonly roomsMax: number;
  /** So long after its closing a room keeps its line, whoever else needs the place. */
  readonly closedKeepMs: number;
  readonly proposalsPerMessageMax: number;
  /** Tails that may be asked for in one tick, index entries that may be asked for at once. */
  readonly tailReadsMax: number;
  readonly lookUpsMax: number;
  /** Questions about one unknown room that wait for the index. */
  readonly asksPerRoomMax: number;
  /** What askers are told to wait. */
  readonly askAgainMs: number;
}

export const plannerDefaults: PlannerConfig = {
  score: scoreDefaults,
  rankDelayMs: 150,
  warmUpMs: 500,
  absentMs: 1_500,
  unannouncedMs: 5_000,
  retryMsMin: 1_000,
  retryMsMax: 5_000,
  noCapacityRetryMs: 1_000,
  joinSettleMs: 300,
  reserveMs: 3_000,
  crashBackoffMs: 5_000,
  crashNodesMax: 3,
  crashMemoryMs: 600_000,
  scanMs: 500,
  roomsMax: 100_000,
  closedKeepMs: 30_000,
  proposalsPerMessageMax: 256,
  tailReadsMax: 64,
  lookUpsMax: 256,
  asksPerRoomMax: 64,
  askAgainMs: 100,
};

/** Names a question, so that its answer finds the asker. */
export type AskId = number;

export type PlannerMessage =
  /** The view holds the new state already. */
  | Transition
  | { readonly type: "route"; readonly route: ControlOf<"route"> }
  /** A hint, or the stored entry after a change of ours. */
  | { readonly type: "entry"; readonly entry: IndexEntry }
  /** The whole index, as it was at some moment after `readAt`. */
  | { readonly type: "index"; readonly entries: readonly IndexEntry[]; readonly readAt: number }
  | { readonly type: "tail"; readonly room: RoomId; readonly tail: TailOwner | undefined }
  | { readonly type: "locate"; readonly ask: AskId; readonly room: RoomId }
  /**
   * `entry` undefined: there is none. `stage`: of a shard that there is not. `failed`: the index
   * did not answer.
   */
  | {
      readonly type: "lookedUp";
      readonly room: RoomId;
      readonly entry: IndexEntry | undefined;
      readonly stage?: IndexEntry | undefined;
      readonly failed: boolean;
    }
  | { readonly type: "tick"; readonly wallNow: number }
  /** This replica did not run, or was cut off, for a while. */
  | { readonly type: "paused" };

/** Undefined tail: the journal did not answer, or is empty. */
export interface TailOwner {
  readonly epoch: Epoch;
  readonly owner: ProcessId;
  readonly stateVersion: number;
}

export type Located = Omit<ControlOf<"located">, "type">;
/** No owner can be told. */
export const nowhere = (status: Located["status"], retryAfterMs: number): Located => ({
  status,
  epoch: EPOCH_NONE,
  owner: null,
  retryAfterMs,
});

export type PlannerEffect =
  | { readonly type: "propose"; readonly node: ProcessId; readonly proposals: readonly Proposal[] }
  | { readonly type: "answer"; readonly ask: AskId; readonly located: Located }
  /** Read the room's entry, or make it where `create` names its world; then say `lookedUp`. */
  | { readonly type: "lookUp"; readonly room: RoomId; readonly create: WorldName | undefined }
  | { readonly type: "readTail"; readonly room: RoomId }
  | { readonly type: "reread" }
  | {
      readonly type: "closeRoom";
      readonly node: ProcessId;
      readonly room: RoomId;
      readonly epoch: Epoch;
    }
  | { readonly type: "changeIndex"; readonly change: IndexChange };
