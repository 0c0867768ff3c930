import type { Clock } from "../kernel/clock.ts";
import type { Member, Seat } from "../protocol/client-messages.ts";
import type { ClientLimits } from "./limits.ts";
import type { Pace } from "./pace.ts";
import type { Replica } from "./replica.ts";

export interface FollowsHost {
  readonly clock: Clock;
  readonly signalPace: Pace;
  readonly limits: Pick<ClientLimits, "followedMax">;
}

/**
 * Whom this client follows. A gateway knows of it for one attach only, so each is told anew, when
 * the replica is as far as the gateway is: before that, a seat may be somebody else's by now. There
 * is no timer: what can not go out goes with a later frame.
 */
export class Follows {
  readonly #host: FollowsHost;
  readonly #replica: Pick<Replica<unknown>, "members">;
  /** False while there is no gateway to tell. */
  readonly #send: (members: readonly Seat[]) => boolean;
  #members: readonly Member[] = [];
  #caughtUp = false;
  #due = false;

  constructor(
    host: FollowsHost,
    replica: Pick<Replica<unknown>, "members">,
    send: (members: readonly Seat[]) => boolean,
  ) {
    this.#host = host;
    this.#replica = replica;
    this.#send = send;
  }

  /** In place of those before; answers whom, because not everybody may be here or have a place. */
  set(seats: Iterable<Seat>): readonly Member[] {
    const bySlot = new Map<number, Member>();
    for (const { slot, generation } of seats) {
      const member = this.#replica.members.get(slot);
      if (member?.generation === generation) bySlot.set(slot, member);
    }
    this.#members = [...bySlot.values()].slice(0, this.#host.limits.followedMax);
    this.#due = true;
    this.#tell();
    return this.#members;
  }

  attached(): void {
    this.#caughtUp = false;
    this.#due ||= this.#members.length > 0;
  }

  /** A frame came, and nothing before it is missing here. */
  caughtUp(): void {
    this.#caughtUp = true;
    if (this.#due) this.#tell();
  }

  #tell(): void {
    const { clock, signalPace } = this.#host;
    if (!this.#caughtUp || !signalPace.take(1, clock.now())) return;
    // The seat, and the person too: generations come round, and history may be another one.
    this.#members = this.#members.filter(({ slot, generation, person }) => {
      const member = this.#replica.members.get(slot);
      return member?.generation === generation && member.person === person;
    });
    this.#due = !this.#send(this.#members.map(({ slot, generation }) => ({ slot, generation })));
  }
}
