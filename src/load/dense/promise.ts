import { FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import { ROW_BYTES } from "../../protocol/pose-row.ts";

/** What a gateway promises of the rows that it sends (gateway/SPEC.md, GW35, GW56). */
export interface InterestPromise {
  /** Who moves within this distance is in every frame, as far as such rows fit. */
  readonly focusM: number;
  /** Everybody is seen within so many frames. */
  readonly farFrames: number;
  /** Of frames, by which one knows how many rows fit. */
  readonly frameBytesPerSecond: number;
  /** Between two poses of somebody who walks. */
  readonly movingMs: number;
  /** What a busy machine may add to either. */
  readonly slackFrames: number;
}

/** A view cell with its margin on either side: others in it look from as far away as this. */
export const SHARED_VIEW_M = 28;
/** So far people walk while a promise is looked at: who is that near the edge is not judged. */
export const EDGE_M = 1;

const ROWS_MIN = 8;
/** Members in the light at once, as gateways have it; with performers they go before everybody. */
const LIGHTS_MAX = 8;
const WS_HEAD_BYTES = 4;

/** Frames after which somebody has to be seen again, in a room of this size and rate. */
export interface Allowed {
  readonly far: number;
  /** Where so many who move are near one view. */
  readonly focus: (movers: number) => number;
}

/** Who is in a room, as far as it matters. */
export interface Room {
  readonly members: number;
  readonly performers: number;
  readonly tickHz: number;
}

export function allowedIn(promise: InterestPromise, room: Room): Allowed {
  const { members, performers, tickHz } = room;
  const { farFrames, frameBytesPerSecond, movingMs, slackFrames } = promise;
  const bytes = frameBytesPerSecond / tickHz - FRAME_HEADER_BYTES - WS_HEAD_BYTES;
  const rows = Math.max(ROWS_MIN, Math.floor(bytes / ROW_BYTES));
  const relevant = Math.min(LIGHTS_MAX + performers, Math.floor(rows / 3));
  const left = rows - relevant;
  // Turns leave at least an eighth of it to who is near, so they may take longer.
  const inTurn = Math.min(Math.ceil(members / farFrames), left - (left >> 3));
  const round = Math.max(farFrames, Math.ceil(members / inTurn));
  const sent = Math.ceil((movingMs / 1_000) * tickHz);
  return {
    far: round + 1 + slackFrames,
    focus: (movers) => sent + 1 + Math.ceil(movers / (left - inTurn)) + slackFrames,
  };
}
