import type { Profile } from "../protocol/client-messages.ts";
import type { SavedSession } from "./membership.ts";

export interface JoinOptions {
  /** How this person looks; others see it, the journal never does. */
  readonly profile: Profile;
  /** What `onSession` last gave, to go on as the same avatar. */
  readonly resume?: SavedSession | undefined;
  /** Called before each attach is sent and whenever the token is new; keep the last one. */
  readonly onSession?: ((saved: SavedSession) => void) | undefined;
  /** To an event (`event/<name>`): friends who give the same text sit together where they can. */
  readonly beside?: string | undefined;
  /** To an event: called every now and then while there is no seat yet. */
  readonly onWaiting?: ((waiting: Waiting) => void) | undefined;
  /** Poses a second at most; the client's limit by default. */
  readonly poseHz?: number | undefined;
}

/** How far somebody has come who waits to be let in to an event. */
export interface Waiting {
  /** How many are before them. */
  readonly ahead: number;
  readonly total: number;
  /** Null where nobody can say: doors are not open, or all seats are taken. */
  readonly etaMs: number | null;
}

/** Who this is in the room. `person` is empty for an observer, who has no place in it. */
export interface Me {
  readonly session: string;
  readonly slot: number;
  readonly generation: number;
  readonly person: string;
}
