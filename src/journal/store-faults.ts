/** What can happen to one append, apart from being answered. */
export type AppendFault =
  /** It lands; its acknowledgement does not come back. */
  | "ack_lost"
  /** It never lands. */
  | "lost"
  /** It is reported undecided and lands some time after that, if it still may. */
  | "late"
  /** A leader that does not know that it leads no more refuses it; the new one stores it. */
  | "refused";

/** The faults between one process and the stores. May be changed at any time. */
export interface StoreFaults {
  /** How long each way takes, drawn from this range. 0: answered without the clock moving. */
  latencyMsMin: number;
  latencyMsMax: number;
  /** Nothing arrives and nothing is answered: reads time out, appends are undecided. */
  unreachable: boolean;
  /** What befalls the next appends, in this order, before any rate. `none` lets one pass. */
  readonly nextAppends: (AppendFault | "none")[];
  /** Shares of appends, 0 to 1. */
  ackLostRate: number;
  lostRate: number;
  lateRate: number;
  refusedRate: number;
  /** How long after it was reported undecided a late append arrives. */
  lateMsMin: number;
  lateMsMax: number;
  /** Share of readThrough calls answered by a follower that lacks up to `staleRecordsMax`. */
  staleRate: number;
  staleRecordsMax: number;
  /** What waiting in vain takes. A later answer is none. */
  timeoutMs: number;
  /** Hints of changes of the index come so much later, still in their order. */
  watchLagMsMin: number;
  watchLagMsMax: number;
  /** Share of hints that come twice. */
  watchDuplicateRate: number;
  /** None comes, as where the server that hosts a consumer is gone. */
  watchSilent: boolean;
}

export const noStoreFaults = (): StoreFaults => ({
  latencyMsMin: 0,
  latencyMsMax: 0,
  unreachable: false,
  nextAppends: [],
  ackLostRate: 0,
  lostRate: 0,
  lateRate: 0,
  refusedRate: 0,
  lateMsMin: 0,
  lateMsMax: 1_000,
  staleRate: 0,
  staleRecordsMax: 8,
  timeoutMs: 1_500,
  watchLagMsMin: 0,
  watchLagMsMax: 0,
  watchDuplicateRate: 0,
  watchSilent: false,
});

/** What a stream without a leader does with what is sent to it; the rest is not answered. */
export interface OutageFaults {
  /** Share of writes that the next leader finds and stores, if they still may be. */
  keptRate: number;
  /** Share of requests that are told at once that there is no leader. */
  refusedRate: number;
  /** Share of answers on their way that were not sent before the leader died. */
  answerLostRate: number;
}

/** How long a slow stream takes for one request, beside the ways. Requests wait for each other. */
export interface SlowStream {
  msMin: number;
  msMax: number;
}

/** How often each fault has struck. */
export interface StoreFaultsFired {
  unreachable: number;
  frozen: number;
  /** Of `frozen`: told so at once, and kept for the next leader. */
  refused: number;
  kept: number;
  /** Of `kept`: appends that were accepted when the next leader came. */
  keptLanded: number;
  answerLost: number;
  ackLost: number;
  lost: number;
  late: number;
  /** Late ones that were still accepted when they arrived. */
  lateLanded: number;
  /** Refused by a deposed leader and stored by the new one. */
  refusedLanded: number;
  stale: number;
  slowed: number;
  /** Records that a restored journal lacks. */
  restoredWithout: number;
  watchLagged: number;
  watchDuplicated: number;
  watchSilent: number;
}

export const nothingFired = (): StoreFaultsFired => ({
  unreachable: 0,
  frozen: 0,
  refused: 0,
  kept: 0,
  keptLanded: 0,
  answerLost: 0,
  ackLost: 0,
  lost: 0,
  late: 0,
  lateLanded: 0,
  refusedLanded: 0,
  stale: 0,
  slowed: 0,
  restoredWithout: 0,
  watchLagged: 0,
  watchDuplicated: 0,
  watchSilent: 0,
});
