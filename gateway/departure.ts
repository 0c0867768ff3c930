import type { Epoch } from "../src/kernel/epoch.ts";
import type { Seat } from "../src/protocol/client-messages.ts";
import type { ToRoom } from "../src/protocol/room-messages.ts";
import type { GatewayConfig } from "./config.ts";
import type { Replica } from "./replica.ts";
import type { RoomRoute } from "./room-route.ts";
import type { Session } from "./session.ts";

const REPEAT_MS = 100;
const REPEAT_MS_MAX = 2_000;

/**
 * A session that is gone from this gateway, until the room shows that it knows. The bus may lose a
 * message; a person nobody removes would stand there as a ghost.
 */
class Departure {
  readonly connection: string;
  readonly #membership: (floor: Epoch) => ReturnType<Session["membership"]>;
  readonly #seat: Seat | undefined;
  /** Why the person left, or undefined where only the socket is gone. */
  readonly #left: string | undefined;
  readonly #since: number;
  #tries = 0;
  #dueAt: number;

  constructor(session: Session, left: string | undefined, now: number) {
    this.connection = session.init.connection;
    this.#membership = (floor) => session.membership(floor);
    this.#seat = session.viewer.seat;
    this.#left = left;
    this.#since = now;
    this.#dueAt = now;
  }

  /** To an owner who knows nothing of what an earlier one was told. */
  startAnew(now: number): void {
    this.#tries = 0;
    this.#dueAt = now;
  }

  /** What to say now, "wait", or "over" once the room shows it or enough was said. */
  next(
    replica: Replica,
    floor: Epoch,
    now: number,
    config: Pick<GatewayConfig, "departureTriesMax" | "departureMsMax">,
  ): ToRoom | "wait" | "over" {
    if (this.#tries > 0 && this.#shown(replica)) return "over";
    if (now < this.#dueAt) return "wait";
    // Enough was said; but a dead owner hears none of it, and the next one has to. Only a seat
    // shows whether it did: without one, nothing is kept.
    const keep = this.#seat !== undefined && now - this.#since < config.departureMsMax;
    if (this.#tries >= config.departureTriesMax) return keep ? "wait" : "over";
    this.#dueAt = now + Math.min(REPEAT_MS * 2 ** this.#tries++, REPEAT_MS_MAX);
    const membership = this.#membership(floor);
    if (this.#left === undefined) return { type: "away", ...membership };
    return { type: "leave", ...membership, reason: this.#left };
  }

  #shown(replica: Replica): boolean {
    if (!replica.ready || !this.#seat) return false;
    if (!replica.seats(this.#seat)) return true;
    return this.#left === undefined && replica.showsAway(this.#seat);
  }
}

export interface DepartureDeps {
  readonly route: RoomRoute;
  readonly replica: Replica;
  readonly config: GatewayConfig;
  /** To the owner. */
  readonly send: (message: ToRoom) => void;
}

/** Whoever is gone from one room, and the room does not show it yet. */
export class Departures {
  readonly #going = new Set<Departure>();
  readonly #deps: DepartureDeps;

  constructor(deps: DepartureDeps) {
    this.#deps = deps;
  }

  get empty(): boolean {
    return this.#going.size === 0;
  }

  /** Tells the room at once; `left` is why, undefined where only the socket is gone. */
  add(session: Session, left: string | undefined, now: number): void {
    this.#going.add(new Departure(session, left, now));
    this.run(now);
  }

  /** The room knows better of this socket. */
  forget(connection: string): void {
    for (const departure of this.#going)
      if (departure.connection === connection) this.#going.delete(departure);
  }

  /** There is a new owner. */
  startAnew(now: number): void {
    for (const departure of this.#going) departure.startAnew(now);
    this.run(now);
  }

  /** Says what is due. */
  run(now: number): void {
    const { config, replica, route, send } = this.#deps;
    for (const departure of this.#going) {
      const next = route.owner ? departure.next(replica, route.floor, now, config) : "wait";
      if (next === "over") this.#going.delete(departure);
      else if (next !== "wait") send(next);
    }
  }
}
