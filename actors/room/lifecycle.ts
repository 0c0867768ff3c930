import { assign, createActor, setup } from "xstate";
import type { Clock } from "../../src/kernel/clock.ts";

/** Why a room left this node. */
export type EndReason =
  | "claim_refused"
  | "claim_expired"
  | "journal_broken"
  | "recovery_expired"
  | "fenced"
  | "gave_up"
  | "handed_over"
  | "closed"
  | "stopped";

export type LifecycleEvent =
  | { readonly type: "CLAIMED" }
  | { readonly type: "REFUSED" }
  | { readonly type: "RECOVERED" }
  | { readonly type: "BROKEN" }
  | { readonly type: "FENCED" }
  | { readonly type: "CRASHED"; readonly retryAfterMs: number | undefined }
  | { readonly type: "CLOSED" }
  | { readonly type: "HANDED_OVER" }
  | { readonly type: "STOP" };

/** What each stage does; a step answers with an event, or the stage's deadline speaks for it. */
export interface LifecycleSteps {
  claim(): void;
  recover(): void;
  activate(): void;
  /** Whatever ran for this ownership stops: timers, subscriptions, the core. */
  deactivate(): void;
  ended(reason: EndReason): void;
}

export interface LifecycleDeadlines {
  /**
   * A claim of unknown fate is repeated until it is settled. JetStream freezes for 4 to 9 s when a
   * stream's leader dies, so less than 10 s would give up claims that are about to land.
   */
  readonly claimMsMax: number;
  readonly recoverMsMax: number;
}

export const LIFECYCLE_DEFAULTS: LifecycleDeadlines = { claimMsMax: 15_000, recoverMsMax: 10_000 };

interface Context {
  readonly steps: LifecycleSteps;
  readonly deadlines: LifecycleDeadlines;
  readonly retryAfterMs: number;
  readonly reason: EndReason;
}

const because = (reason: EndReason) => ({ type: "because", params: { reason } }) as const;
const ends = (reason: EndReason) => ({ target: "ended", actions: because(reason) }) as const;

/**
 * One for all rooms: making a machine costs 2 ms before the code is warm, a takeover has hundreds.
 */
const machine = setup({
  types: {
    context: {} as Context,
    events: {} as LifecycleEvent,
    input: {} as Pick<Context, "steps" | "deadlines">,
  },
  delays: {
    claimDeadline: ({ context }) => context.deadlines.claimMsMax,
    recoverDeadline: ({ context }) => context.deadlines.recoverMsMax,
    retryDelay: ({ context }) => context.retryAfterMs,
  },
  actions: {
    claim: ({ context }) => context.steps.claim(),
    recover: ({ context }) => context.steps.recover(),
    activate: ({ context }) => context.steps.activate(),
    deactivate: ({ context }) => context.steps.deactivate(),
    ended: ({ context }) => context.steps.ended(context.reason),
    because: assign({ reason: (_, params: { readonly reason: EndReason }) => params.reason }),
    noteRetry: assign({
      retryAfterMs: ({ event }) => (event.type === "CRASHED" ? (event.retryAfterMs ?? 0) : 0),
    }),
  },
  guards: {
    mayRetry: ({ event }) => event.type === "CRASHED" && event.retryAfterMs !== undefined,
  },
}).createMachine({
  context: ({ input }) => ({ ...input, retryAfterMs: 0, reason: "stopped" }),
  initial: "claiming",
  on: {
    STOP: ".ended",
    FENCED: { target: ".ended", actions: because("fenced") },
    CLOSED: { target: ".ended", actions: because("closed") },
    HANDED_OVER: { target: ".ended", actions: because("handed_over") },
    CRASHED: [
      { guard: "mayRetry", target: ".restarting", actions: "noteRetry" },
      { target: ".ended", actions: because("gave_up") },
    ],
  },
  states: {
    claiming: {
      entry: "claim",
      on: { CLAIMED: "recovering", REFUSED: ends("claim_refused") },
      after: { claimDeadline: ends("claim_expired") },
    },
    recovering: {
      entry: "recover",
      on: { RECOVERED: "active", BROKEN: ends("journal_broken") },
      after: { recoverDeadline: ends("recovery_expired") },
    },
    active: { entry: "activate", exit: "deactivate" },
    /** A restart is a new ownership: it claims again. */
    restarting: { after: { retryDelay: "claiming" } },
    ended: { entry: "ended", type: "final" },
  },
});

export type Stage = "claiming" | "recovering" | "active" | "restarting" | "ended";

/** The stages of one room on one node. */
export interface Lifecycle {
  readonly stage: Stage;
  start(): void;
  send(event: LifecycleEvent): void;
}

/**
 * Runs the machine on our clock. A step that throws would leave an XState actor dead for good and,
 * unobserved, end the process: `failed` hears of it and ends the room in an orderly way.
 */
export function createLifecycle(
  steps: LifecycleSteps,
  deadlines: LifecycleDeadlines,
  clock: Clock,
  failed: (error: unknown) => void,
): Lifecycle {
  const timers = new Map<number, { cancel: () => void }>();
  let nextTimer = 0;
  const actor = createActor(machine, {
    input: { steps, deadlines },
    clock: {
      setTimeout: (fire: () => void, delayMs: number) => {
        const id = nextTimer++;
        timers.set(
          id,
          clock.after(delayMs, () => {
            timers.delete(id);
            fire();
          }),
        );
        return id;
      },
      clearTimeout: (id: number) => {
        timers.get(id)?.cancel();
        timers.delete(id);
      },
    },
  });
  actor.subscribe({ error: failed });
  return {
    get stage() {
      return actor.getSnapshot().value as Stage;
    },
    start: () => void actor.start(),
    send: (event) => actor.send(event),
  };
}
