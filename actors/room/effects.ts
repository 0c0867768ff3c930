import type { AppendOutcome, StoredRecord } from "../../src/journal/journal.ts";
import type { SnapshotName } from "../../src/journal/snapshot-store.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import type { JournalEntry } from "../../src/protocol/journal-record.ts";
import type { ToRoom } from "../../src/protocol/room-messages.ts";
import type { WarmState } from "../../src/protocol/warm-state.ts";
import type { World } from "./define-room.ts";
import type { NextOwner } from "./hand-over.ts";
import type { HookOutcome, runHook } from "./hooks.ts";
import type { Ledger } from "./ledger.ts";
import type { Outlet } from "./outlet.ts";
import type { Presence } from "./presence.ts";
import type { PlacedRecord } from "./recovery.ts";
import type { RoomConfig } from "./room-config.ts";
import type { EncodedSnapshot } from "./snapshot.ts";
import type { Spotlights } from "./spotlights.ts";

/** The time of a decision: monotonic for durations, wall time for what is recorded. */
export interface Moment {
  readonly now: number;
  readonly wallNow: number;
}

export type RoomMessage =
  | { readonly type: "gateway"; readonly from: ProcessId; readonly message: ToRoom }
  | { readonly type: "appended"; readonly nonce: string; readonly outcome: AppendOutcome }
  | {
      readonly type: "readAfter";
      readonly nonce: string;
      readonly stored: StoredRecord | undefined;
    }
  /** The room's tick, of so many a second now: rows, hooks and expiries. */
  | { readonly type: "tick"; readonly tickHz: number }
  /** Slow work came back. */
  | { readonly type: "later"; readonly command: string; readonly body: unknown }
  /** It failed, and comes back no more. */
  | { readonly type: "laterFailed" }
  | { readonly type: "stored"; readonly name: SnapshotName; readonly sequence: number }
  | { readonly type: "storeFailed" }
  /** An operator's command, answered by `operated` with the same number. */
  | {
      readonly type: "operate";
      readonly request: number;
      readonly name: string;
      readonly body: unknown;
    }
  | { readonly type: "prepareHandOver" }
  | ({ readonly type: "handOver" } & NextOwner)
  | { readonly type: "close" };

export type RoomEffect =
  | {
      readonly type: "append" | "repeat";
      readonly nonce: string;
      readonly expected: number;
      readonly data: Uint8Array;
    }
  | { readonly type: "readAfter"; readonly nonce: string; readonly sequence: number }
  | { readonly type: "send"; readonly gateway: ProcessId; readonly data: Uint8Array }
  | { readonly type: "store"; readonly snapshot: EncodedSnapshot }
  /** The snapshot counts: what it covers may go. */
  | { readonly type: "trim"; readonly sequence: number; readonly index: number }
  | { readonly type: "later"; readonly command: string; readonly work: () => Promise<unknown> }
  /** Somebody claims a higher epoch: read the tail, now. */
  | { readonly type: "verify" }
  | { readonly type: "fenced" }
  | { readonly type: "closed" }
  | {
      readonly type: "operated";
      readonly request: number;
      readonly status: string;
      readonly data: unknown;
    }
  /** The record that names the next owner is in the journal: this ownership is over. */
  | {
      readonly type: "handedOver";
      readonly target: ProcessId;
      readonly claim: PlacedRecord;
      readonly warm: Omit<WarmState, "letters">;
      /** What became durable while the target read; undefined where that is too much to tell. */
      readonly since: readonly StoredRecord[] | undefined;
    }
  | {
      readonly type: "count";
      readonly what:
        | "stale_message"
        | "busy"
        | "dead_letter"
        | "duplicate"
        | "reply_too_large"
        | "later_full"
        | "state_full"
        | "journal_full";
    }
  | { readonly type: "snapshotTooLarge"; readonly bytes: number }
  /** No snapshot counts for so long that the journal would become too long to read. */
  | { readonly type: "journalTooLong"; readonly records: number };

/** What the parts of a room share. */
export interface RoomParts {
  readonly world: World;
  readonly config: RoomConfig;
  readonly ledger: Ledger;
  readonly presence: Presence;
  readonly outlet: Outlet;
  readonly spotlights: Spotlights;
  readonly effects: { push(effect: RoomEffect): void };
  /**
   * Runs a hook on the decided room at room time `at`. What it wrote fits the room's limits: else
   * the outcome is a refusal, `LATER_FULL` or `STATE_FULL`, that wrote nothing.
   */
  readonly hook: (at: number, run: Parameters<typeof runHook>[1]) => HookOutcome;
  /** The journal must not grow any more by what can wait: no snapshot has counted for too long. */
  readonly overgrown: () => boolean;
  /** Decides an entry, with what its hook wrote; `settled` runs when it is durable. */
  readonly record: (entry: JournalEntry, outcome?: HookOutcome, settled?: () => void) => void;
  /** Decides what the room did of itself at room time `at`: an entry only where it wrote. */
  readonly system: (cause: string, outcome: HookOutcome, at: number) => void;
}
