import type { RoomId } from "../../src/kernel/ids.ts";
import type { Random } from "../../src/kernel/random.ts";
import type { JournalEntry } from "../../src/protocol/journal-record.ts";
import type { RoomEffect } from "./effects.ts";
import { type HookContext, type HookOutcome, runHook } from "./hooks.ts";
import { LATER_FULL, type LaterWork } from "./later-work.ts";
import type { Ledger } from "./ledger.ts";
import type { Presence } from "./presence.ts";
import type { RoomConfig } from "./room-config.ts";
import type { Spotlights } from "./spotlights.ts";
import { STATE_FULL, StateSize } from "./state-size.ts";

export interface DecisionsDeps {
  readonly room: RoomId;
  readonly config: RoomConfig;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly presence: Presence;
  readonly later: LaterWork;
  readonly spotlights: Spotlights;
  readonly effects: { push(effect: RoomEffect): void };
}

/** What author's code decides: run within the room's limits, then taken down for the journal. */
export class Decisions {
  readonly #deps: DecisionsDeps;
  readonly #size: StateSize;

  constructor(deps: DecisionsDeps) {
    this.#deps = deps;
    this.#size = new StateSize(deps.config, deps.ledger.decided.document);
  }

  readonly hook = (at: number, run: Parameters<typeof runHook>[1]): HookOutcome => {
    const { effects, later, ledger } = this.#deps;
    const { document } = ledger.decided;
    const outcome = later.admit(runHook(this.#context(at), run), document);
    if (outcome.value === LATER_FULL) effects.push({ type: "count", what: "later_full" });
    const fitting = this.#size.admit(outcome, document);
    if (fitting.value === STATE_FULL) effects.push({ type: "count", what: "state_full" });
    return fitting;
  };

  readonly record = (entry: JournalEntry, outcome?: HookOutcome, done?: () => void): void => {
    const { effects, later, ledger, spotlights } = this.#deps;
    later.taken(outcome?.later.length ?? 0);
    const settled = (): void => {
      done?.();
      for (const { command, work } of outcome?.later ?? [])
        effects.push({ type: "later", command, work });
    };
    ledger.push(entry, outcome ? { written: outcome.document, settled } : { settled });
    spotlights.decided(outcome?.spotlights ?? []);
  };

  /** What the room did of itself, which is journaled only where anything was written. */
  readonly system = (cause: string, outcome: HookOutcome, at: number): void => {
    const { spotlights } = this.#deps;
    const { patches, events, later } = outcome;
    if (patches.length > 0 || events.length > 0 || later.length > 0)
      return this.record({ type: "system", cause, patches, events }, outcome);
    spotlights.decided(outcome.spotlights);
    spotlights.release(at);
  };

  #context(at: number): HookContext {
    const { ledger, presence, random, room } = this.#deps;
    const fold = ledger.decided;
    return {
      id: room,
      fold,
      now: at,
      random: () => random.next(),
      pose: (slot) => {
        const session = fold.slots[slot];
        const row = session ? fold.sessions.get(session) : undefined;
        return row && presence.pose(slot, row.generation);
      },
    };
  }
}
