import type { Timer } from "../kernel/clock.ts";
import { randomId } from "../kernel/random.ts";
import type { Commands } from "./commands.ts";
import {
  type Joined,
  Membership,
  type MembershipHandlers,
  type MembershipHost,
  type MembershipOptions,
} from "./membership.ts";

export interface ResidenceHandlers extends MembershipHandlers {
  /** From here on everything is said of that room. */
  readonly moved: (joined: Joined) => void;
}

/**
 * The membership that a room object lives by. An event may ask people over to another shard (PR63):
 * that is another membership, which takes over once it has a seat, between two commands, and while
 * the one before still serves. Where it gets none, or would have to wait for it, nothing has
 * changed: nobody's commands rest for a move that may take long.
 */
export class Residence {
  readonly #host: MembershipHost;
  readonly #handlers: ResidenceHandlers;
  readonly #commands: Pick<Commands, "rest" | "goOn">;
  readonly #onSession: MembershipOptions["onSession"];
  #current: Membership;
  #next: Membership | undefined;
  #moveTimer: Timer | undefined;

  constructor(
    host: MembershipHost,
    room: string,
    handlers: ResidenceHandlers,
    commands: Pick<Commands, "rest" | "goOn">,
    how: MembershipOptions,
  ) {
    this.#host = host;
    this.#handlers = handlers;
    this.#commands = commands;
    this.#onSession = how.onSession;
    this.#current = this.#membershipIn(room, how);
  }

  get current(): Membership {
    return this.#current;
  }

  get live(): Membership["live"] {
    return this.#current.live;
  }

  get ended(): boolean {
    return this.#current.ended;
  }

  leave(transfer: string | null): void {
    this.#next?.leave(null);
    this.#current.leave(transfer);
  }

  /** To another shard of the event. Whoever is refused there, or has no time now, stays here. */
  move(to: string): void {
    if (this.#next || this.#current.ended) return;
    const { clock, limits, random } = this.#host;
    const how = { onSession: this.#onSession, transfer: randomId(random) };
    const next = this.#membershipIn(to, { ...how, onWaiting: () => next.leave(null) });
    this.#next = next;
    this.#moveTimer = clock.after(limits.moveMsMax, () => next.leave(null));
    this.#commands.rest(limits.moveMsMax, (rested) => {
      if (rested) next.start();
      else this.#stay();
    });
  }

  /** What a membership says counts while it is the one to live by. */
  #membershipIn(name: string, how: MembershipOptions): Membership {
    const handlers = this.#handlers;
    const here = (): boolean => this.#current === membership;
    const membership: Membership = new Membership(
      this.#host,
      name,
      {
        cursor: () => (here() ? handlers.cursor() : null),
        profile: handlers.profile,
        lastTick: () => (here() ? handlers.lastTick() : undefined),
        joined: (joined) => {
          if (membership === this.#next) this.#arrive(membership, how.transfer, joined);
          if (here()) handlers.joined(joined);
        },
        message: (message) => {
          if (here()) handlers.message(message);
        },
        frame: (frame) => {
          if (here()) handlers.frame(frame);
        },
        detached: () => {
          if (here()) handlers.detached();
        },
        ended: (code, reason, refusal) => {
          if (membership === this.#next) this.#stay();
          if (!here()) return;
          this.#next?.leave(null);
          handlers.ended(code, reason, refusal);
        },
      },
      how,
    );
    return membership;
  }

  #arrive(next: Membership, transfer: string | null, joined: Joined): void {
    const before = this.#current;
    this.#moveTimer?.cancel();
    this.#next = undefined;
    this.#current = next;
    before.leave(transfer);
    this.#handlers.moved(joined);
  }

  #stay(): void {
    this.#moveTimer?.cancel();
    this.#next = undefined;
    this.#commands.goOn();
  }
}
