import type { CheckCounts } from "../../src/load/checks.ts";

/** What the run and its processes of bots say to each other. Times are of `monotonicMs`. */
export interface RoomOfBots {
  readonly room: string;
  readonly bots: number;
}

export type ToBots =
  | {
      readonly type: "start";
      readonly seed: number;
      /** Rooms take these in turn: in each, where its clients dial. */
      readonly ways: readonly (readonly string[])[];
      readonly secret: string;
      readonly prefix: string;
      readonly rooms: readonly RoomOfBots[];
      readonly sayMs: number;
      readonly startsPerSecond: number;
    }
  /** Other times between commands, of the bots of these rooms. */
  | { readonly type: "pace"; readonly rooms: readonly string[]; readonly sayMs: number }
  /** No more commands; then what the ledgers hold is compared with what was acknowledged. */
  | { readonly type: "audit" }
  | { readonly type: "stop" };

export type FreshNews = readonly [bot: string, room: string, epoch: number, atMs: number];
export type CommandNews = readonly [
  room: string,
  sentMs: number,
  tookMs: number,
  moved: boolean,
  outcome: "acked" | "refused" | "unknown",
];
export type CutNews = readonly [bot: string, room: string, atMs: number, why: string];
export type FindingNews = readonly [
  bot: string,
  room: string,
  atMs: number,
  what: string,
  detail: string,
];
export interface RoomNews {
  readonly room: string;
  readonly bots: number;
  /** When the bot that waited longest had its last frame. */
  readonly stalestFrameMs: number;
}

export type FromBots =
  | {
      readonly type: "news";
      readonly fresh: readonly FreshNews[];
      readonly commands: readonly CommandNews[];
      readonly cuts: readonly CutNews[];
      readonly findings: readonly FindingNews[];
      readonly rooms: readonly RoomNews[];
      readonly waiting: number;
      readonly failures: Readonly<Record<string, number>>;
      readonly counts: CheckCounts;
      /** Share of one core that this process took since its last news. */
      readonly busy: number;
    }
  | {
      readonly type: "audited";
      readonly acked: number;
      readonly lost: readonly string[];
      readonly doubled: readonly string[];
      readonly open: number;
    };

const OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The machine's monotonic clock: the same in every process. */
export const monotonicMs = (): number => performance.now() + OFFSET_MS;
/** The same moment, from a process's own `performance.now()`. */
export const monotonicOf = (performanceMs: number): number => performanceMs + OFFSET_MS;
