import type { Clock } from "../kernel/clock.ts";
import type { ControlClient, RestartRole } from "./control-client.ts";

export interface RestartOptions {
  /** In this order. */
  readonly roles: readonly RestartRole[];
  /** For a process that has ended to be back, and for the API or another process to recover. */
  readonly waitMs: number;
  /** A process that is back has to stay for so long before the next one's turn. */
  readonly steadyMs: number;
  /** A process that drains has so long; undefined: as long as the API gives it. */
  readonly drainMs: number | undefined;
  /** Where a node ended with rooms that it had not handed over. */
  readonly roomsLeft: "stop" | "go-on";
}

export interface RestartLimits {
  readonly pollMs: number;
  /** A process that was asked to drain says within this that it does. */
  readonly heedMsMax: number;
  /** And has ended so long after its deadline. */
  readonly endMsMax: number;
  /** Gateways that have ended are listed beside their successors for 5 s. */
  readonly listedMsMax: number;
  /** A listing that stayed the same for so long is whole: everybody beats twice a second. */
  readonly settledMs: number;
}

export const RESTART_LIMITS: RestartLimits = {
  pollMs: 250,
  heedMsMax: 10_000,
  endMsMax: 60_000,
  listedMsMax: 10_000,
  settledMs: 1_500,
};

export type Outcome = "done" | "refused" | "incomplete" | "degraded" | "rooms_left";

/** Why it ends before all is done. */
export interface Stop {
  readonly outcome: Exclude<Outcome, "done" | "refused">;
  readonly reason: string;
}

export interface RestartParts {
  readonly api: ControlClient;
  readonly clock: Clock;
  /** Progress, for people. */
  readonly say: (line: string) => void;
  readonly limits?: RestartLimits;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
