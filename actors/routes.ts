import type { Bus } from "../src/bus/bus.ts";
import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { Epoch } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../src/kernel/ids.ts";
import { control, ROUTES_PER_MESSAGE_MAX } from "../src/protocol/control-messages.ts";
import { routes } from "../src/protocol/subjects.ts";

/** After a takeover a route is told again at these moments, because any of them may be lost. */
const REPEATS_MS = [50, 100, 200, 500];
const STEADY_MS = 1_000;

/** Tells gateways and placement where rooms live: at once, again soon, then once a second. */
export class RouteAnnouncer {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #self: ProcessId;
  readonly #sessionsIn: (room: RoomId) => number;
  readonly #routes = new Map<RoomId, Epoch>();
  #fresh = new Set<RoomId>();
  #soon: Timer | undefined;
  readonly #repeats = new Set<Timer>();
  readonly #steady: Timer;

  constructor(bus: Bus, clock: Clock, self: ProcessId, sessionsIn: (room: RoomId) => number) {
    this.#bus = bus;
    this.#clock = clock;
    this.#self = self;
    this.#sessionsIn = sessionsIn;
    this.#steady = clock.every(STEADY_MS, () => this.#tell([...this.#routes.keys()]));
  }

  serve(room: RoomId, epoch: Epoch): void {
    this.#routes.set(room, epoch);
    this.#fresh.add(room);
    this.#soon ??= this.#clock.after(0, () => this.#tellFresh());
  }

  /** It is told no more, until it is served again. */
  withdraw(room: RoomId): void {
    this.#routes.delete(room);
  }

  close(): void {
    this.#soon?.cancel();
    for (const repeat of this.#repeats) repeat.cancel();
    this.#repeats.clear();
    this.#steady.cancel();
    this.#routes.clear();
  }

  /** Rooms taken over in one turn of the loop share their announcements. */
  #tellFresh(): void {
    this.#soon = undefined;
    const fresh = [...this.#fresh];
    this.#fresh = new Set();
    this.#tell(fresh);
    for (const afterMs of REPEATS_MS) {
      const repeat = this.#clock.after(afterMs, () => {
        this.#repeats.delete(repeat);
        this.#tell(fresh);
      });
      this.#repeats.add(repeat);
    }
  }

  #tell(rooms: readonly RoomId[]): void {
    const owned = rooms.flatMap((room) => {
      const epoch = this.#routes.get(room);
      return epoch === undefined ? [] : [{ room, epoch, sessions: this.#sessionsIn(room) }];
    });
    for (let at = 0; at < owned.length; at += ROUTES_PER_MESSAGE_MAX) {
      const part = owned.slice(at, at + ROUTES_PER_MESSAGE_MAX);
      const message = control.encode({ type: "route", owner: this.#self, routes: part });
      this.#bus.publish(routes(this.#self), message);
    }
  }
}
