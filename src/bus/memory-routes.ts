import { assert } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import { type Random, randomBelow } from "../kernel/random.ts";
import type { BusMessage } from "./bus.ts";
import type { NetworkFaults } from "./network-faults.ts";
import { isPattern, subjectMatches } from "./subject-match.ts";

/** Subjects whose receivers are remembered; then it begins anew. */
const SUBJECTS_MAX = 16_384;

/** An endpoint, as far as the servers know it. */
export interface Peer {
  /** Whether it has a connection. */
  readonly open: boolean;
  readonly server: string | undefined;
  /** Before this, other servers do not know that it has come; until that, not that it has gone. */
  readonly heardAt: number;
  readonly goneUntil: number;
}

export interface Route<P extends Peer> {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly peer: P;
  readonly receive: (message: BusMessage) => void;
  /** The same as of the peer, for one subscription. */
  readonly heardAt: number;
  goneUntil: number;
  open: boolean;
}

export interface Hearing<P extends Peer> {
  readonly routes: readonly Route<P>[];
  /** Whether the publisher's server thinks that anyone hears it. */
  readonly interest: boolean;
}

interface Listeners<P extends Peer> extends Hearing<P> {
  readonly routes: Route<P>[];
  readonly groups: Route<P>[][];
}

/**
 * Who hears what, as the servers of a cluster know it: at once on a subscriber's own server, on the
 * others some ms later. A subject's receivers are remembered until anyone subscribes or leaves.
 */
export class RouteTable<P extends Peer> {
  /** After this everyone knows of everything. */
  #settledAt = 0;
  readonly #exact = new Map<string, Set<Route<P>>>();
  readonly #patterns = new Set<Route<P>>();
  readonly #known = new Map<string, Listeners<P>>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #faults: NetworkFaults;

  constructor(clock: Clock, random: Random, faults: NetworkFaults) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
  }

  /** How many are subscribed: a released part must leave none behind. */
  get size(): number {
    let size = this.#patterns.size;
    for (const routes of this.#exact.values()) size += routes.size;
    return size;
  }

  add(what: Pick<Route<P>, "pattern" | "queue" | "peer" | "receive">): Route<P> {
    const route: Route<P> = {
      ...what,
      heardAt: this.knownAt(),
      goneUntil: Number.NEGATIVE_INFINITY,
      open: true,
    };
    if (isPattern(route.pattern)) this.#patterns.add(route);
    else {
      const routes = this.#exact.get(route.pattern) ?? new Set();
      this.#exact.set(route.pattern, routes.add(route));
    }
    this.#known.clear();
    return route;
  }

  remove(route: Route<P>): void {
    if (!route.open) return;
    route.open = false;
    route.goneUntil = this.knownAt();
    const lagMs = route.goneUntil - this.#clock.now();
    if (lagMs > 0) this.#clock.after(lagMs, () => this.#forget(route));
    else this.#forget(route);
  }

  /** When the other servers will know of what changes now. */
  knownAt(): number {
    const at = this.#clock.now() + this.#faults.interestLagMs();
    this.#settledAt = Math.max(this.#settledAt, at);
    return at;
  }

  /** One member is picked of each queue group. */
  hear(subject: string, from: P): Hearing<P> {
    const known = this.#listeners(subject);
    if (known.groups.length === 0 && this.#clock.now() >= this.#settledAt && allOpen(known.routes))
      return known;
    const routes: Route<P>[] = [];
    let interest = false;
    for (const route of known.routes) if (this.#reaches(route, from)) routes.push(route);
    for (const group of known.groups) {
      const members = group.filter((route) => this.#reaches(route, from));
      if (members.length > 0)
        routes.push(members[randomBelow(this.#random, members.length)] as Route<P>);
    }
    interest = routes.length > 0;
    if (!interest) interest = this.#isThoughtHeard(known, from);
    return { routes, interest };
  }

  #reaches(route: Route<P>, from: P): boolean {
    const { peer } = route;
    if (!route.open || !peer.open) return false;
    if (this.#clock.now() >= Math.max(route.heardAt, peer.heardAt) || near(peer, from)) return true;
    this.#faults.fired.interestLate++;
    return false;
  }

  #isThoughtHeard(known: Listeners<P>, from: P): boolean {
    const now = this.#clock.now();
    if (now >= this.#settledAt) return false;
    const stale = [...known.routes, ...known.groups.flat()].some(({ open, goneUntil, peer }) => {
      if (open && peer.open) return false;
      return now < Math.max(goneUntil, peer.goneUntil) && !near(peer, from);
    });
    if (stale) this.#faults.fired.interestStale++;
    return stale;
  }

  #listeners(subject: string): Listeners<P> {
    const known = this.#known.get(subject);
    if (known) return known;
    assert(subject !== "" && !isPattern(subject), `cannot publish on ${JSON.stringify(subject)}`);
    const routes: Route<P>[] = [];
    const groups = new Map<string, Route<P>[]>();
    const consider = (route: Route<P>): void => {
      if (route.queue === undefined) {
        routes.push(route);
        return;
      }
      // One group, whatever its members' patterns are.
      const members = groups.get(route.queue);
      if (members) members.push(route);
      else groups.set(route.queue, [route]);
    };
    for (const route of this.#exact.get(subject) ?? []) consider(route);
    for (const route of this.#patterns) if (subjectMatches(route.pattern, subject)) consider(route);
    const found = { routes, groups: [...groups.values()], interest: routes.length > 0 };
    if (this.#known.size >= SUBJECTS_MAX) this.#known.clear();
    this.#known.set(subject, found);
    return found;
  }

  #forget(route: Route<P>): void {
    this.#known.clear();
    if (this.#patterns.delete(route)) return;
    const routes = this.#exact.get(route.pattern);
    routes?.delete(route);
    if (routes?.size === 0) this.#exact.delete(route.pattern);
  }
}

/** Interest travels between servers only. */
const near = (a: Peer, b: Peer): boolean =>
  a === b || (a.server !== undefined && a.server === b.server);

function allOpen<P extends Peer>(routes: readonly Route<P>[]): boolean {
  for (const route of routes) if (!route.peer.open) return false;
  return true;
}
