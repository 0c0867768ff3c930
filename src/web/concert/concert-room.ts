import type { CrowdNews } from "../../client/room-events.ts";
import type { EventPublic } from "../../protocol/event-public.ts";
import type { PlazaState } from "../plaza-room.ts";

/** A cue that counts now. `at`: the show time at which it begins, in ms. */
interface Cue {
  readonly n: number;
  readonly at: number;
}
export interface LightCue extends Cue {
  readonly color: number;
  readonly level: number;
}
export interface SoundCue extends Cue {
  readonly track: string;
  readonly fromMs: number;
}

/** The stage of the demo's concert, as its room replicates it. */
export interface StageState {
  /** Room time at which show time was 0; null before the show. */
  readonly startedAt: number | null;
  readonly set: (Cue & { readonly name: string }) | null;
  readonly lights: Readonly<Record<string, LightCue>>;
  readonly sounds: Readonly<Record<string, SoundCue>>;
  readonly event: EventPublic;
}

/** A shard, in which people sit and talk. */
export type ShardState = Pick<PlazaState, "chat">;

export type { CrowdNews };

const BEAT = /@(\d{2,3})$/;

/**
 * Beats since the track began, and whether one plays. What a track is called ends with its pace,
 * `neon-tide@112`; without that, or without a track, nothing beats.
 */
export function beatOf(
  sounds: StageState["sounds"],
  showMs: number,
): { readonly beat: number; readonly plays: boolean } {
  const sound = sounds.band;
  const perMinute = Number(BEAT.exec(sound?.track ?? "")?.[1] ?? 0);
  if (!sound || perMinute === 0 || showMs < sound.at) return { beat: 0, plays: false };
  return { beat: ((showMs - sound.at + sound.fromMs) * perMinute) / 60_000, plays: true };
}
