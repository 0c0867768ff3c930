/** What a gateway promises about how old the rows are that somebody sees. */
export interface InterestPromise {
  /** Within this distance people are in focus, */
  readonly focusM: number;
  /** but no more than so many: the nearest. */
  readonly focusRowsMax: number;
  /** Who moves in focus is seen at least so often. */
  readonly focusMs: number;
  /** Everybody in the room is seen at least so often. */
  readonly farMs: number;
  /** What a busy machine may add to either. */
  readonly slackMs: number;
}

/** So far people walk while a promise is looked at: who is that near the edge is not judged. */
export const EDGE_M = 1;
