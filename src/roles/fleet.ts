import { delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { ControlError, ListedProcess, RestartRole } from "./control-client.ts";
import {
  RESTART_LIMITS,
  type RestartOptions,
  type RestartParts,
  type Stop,
} from "./restart-terms.ts";

type Listed = readonly ListedProcess[];

/** A role and a name, which a process keeps when it is started again. */
const seatOf = ({ role, name }: ListedProcess): string => `${role} ${name}`;
const nameOf = (seat: string): string => seat.slice(seat.indexOf(" ") + 1);

/**
 * The listing, once it stays the same: a placement replica that has just started does not know all
 * yet, and a gateway that has crashed is listed beside its successor.
 */
export async function settledListing(parts: RestartParts): Promise<Result<Listed, string>> {
  const { api, clock, limits = RESTART_LIMITS } = parts;
  const until = clock.now() + limits.listedMsMax;
  let seen = "";
  let since = clock.now();
  for (;;) {
    const listed = await api.list();
    if (!listed.ok) return err(listed.error.sentence);
    const { processes } = listed.value;
    const now = clock.now();
    const ids = processes.map(({ role, id }) => `${role} ${id}`).sort();
    const same = seen === ids.join();
    if (!same) since = now;
    seen = ids.join();
    const over = now >= until;
    if (now - since >= limits.settledMs && (over || !twiceIn(processes))) return ok(processes);
    if (over) return err("The listing does not come to rest; nothing was restarted.");
    await delay(clock, limits.pollMs);
  }
}

/** By role as asked, then by name, with 2 before 10. */
export function targetsOf(all: Listed, roles: readonly RestartRole[]): ListedProcess[] {
  const order = new Intl.Collator("en", { numeric: true });
  return roles.flatMap((role) =>
    all.filter((one) => one.role === role).sort((a, b) => order.compare(a.name, b.name)),
  );
}

const ALONE: Readonly<Record<RestartRole, string>> = {
  node: "its rooms would have nowhere to go",
  gateway: "its clients would have nowhere to go",
  placement: "meanwhile nobody would place rooms",
};

/** Why not to begin. */
export function refusalOf(all: Listed, roles: readonly RestartRole[]): string | undefined {
  const trouble = troubleOf(all);
  if (trouble !== undefined) return `${trouble}; nothing was restarted.`;
  for (const role of roles) {
    const count = all.filter((one) => one.role === role).length;
    if (count === 0) return `There is no ${role}.`;
    if (count === 1) return `There is only one ${role}: ${ALONE[role]}. --role takes other kinds.`;
  }
  return undefined;
}

/** A name that several incarnations have in the listing: which of them is past it does not say. */
function twiceIn(all: Listed): string | undefined {
  const known = new Set<string>();
  return all.find((one) => known.size === known.add(seatOf(one)).size)?.name;
}

/** What keeps the next process from being taken away. */
function troubleOf(all: Listed): string | undefined {
  const twice = twiceIn(all);
  if (twice !== undefined) return `${twice} is listed twice`;
  for (const { role, name, state, draining } of all) {
    if (role === "node" && state !== "alive") return `${name} is ${state}`;
    if (draining) return `${name} is draining`;
  }
  return undefined;
}

/** Everybody who was there at the beginning, and what has become of them. */
export class Fleet {
  /** By seat: the incarnation that was started for this restart, and has to stay. */
  readonly #seats: Map<string, string | undefined>;
  /** Incarnations that were restarted: gateways and placements stay listed for seconds. */
  readonly #past = new Set<string>();
  readonly #options: RestartOptions;
  readonly #parts: RestartParts;
  /** When the API began not to answer. */
  #silentSince: number | undefined;

  constructor(all: Listed, options: RestartOptions, parts: RestartParts) {
    this.#seats = new Map(all.map((one) => [seatOf(one), undefined]));
    this.#options = options;
    this.#parts = parts;
  }

  /** `from` has become `to`. */
  replaced(from: ListedProcess, to: ListedProcess): void {
    this.#past.add(from.id);
    this.#seats.set(seatOf(to), to.id);
  }

  /**
   * Everybody is there, all nodes are alive and nothing drains: at once if nothing was restarted
   * yet, else for as long as what is back has to stay. `standing` is how things stand.
   */
  async untilCalm(standing: string): Promise<Result<Listed, Stop>> {
    const { clock, api, limits = RESTART_LIMITS } = this.#parts;
    const until = clock.now() + this.#options.waitMs;
    const steadyMs = this.#past.size > 0 ? this.#options.steadyMs : 0;
    let since = clock.now();
    for (;;) {
      const listed = await this.heard(api.list(), standing);
      if (!listed.ok) return listed;
      const now = clock.now();
      const present = listed.value?.processes.filter(({ id }) => !this.#past.has(id));
      const unsteady = present && this.#startedAgain(present);
      const missing = present && this.#missing(present);
      const trouble = present === undefined ? "The operator API is silent" : troubleOf(present);
      const why = unsteady ?? missing ?? trouble;
      if (present && why === undefined && now - since >= steadyMs) return ok(present);
      if (why !== undefined) since = now;
      if (unsteady !== undefined || (why !== undefined && now >= until)) {
        const outcome = (unsteady ?? missing) === undefined ? "incomplete" : "degraded";
        return err({ outcome, reason: `${why}. ${standing}` });
      }
      await delay(clock, limits.pollMs);
    }
  }

  /** Undefined while the API is silent, which a replica's own restart may be; not for long. */
  async heard<T>(
    asking: Promise<Result<T, ControlError>>,
    standing: string,
  ): Promise<Result<T | undefined, Stop>> {
    const answer = await asking;
    const now = this.#parts.clock.now();
    if (answer.ok) {
      this.#silentSince = undefined;
      return ok(answer.value);
    }
    const { code, sentence } = answer.error;
    this.#silentSince ??= now;
    const given = now - this.#silentSince < this.#options.waitMs;
    if (code === "silent" && given) return ok(undefined);
    return err({ outcome: "incomplete", reason: `${sentence} ${standing}` });
  }

  /** It came back, and did not stay. */
  #startedAgain(present: Listed): string | undefined {
    for (const one of present) {
      const to = this.#seats.get(seatOf(one));
      if (to !== undefined && to !== one.id)
        return `${one.name} came back as ${to} and has ended again: it is ${one.id} by now. Its log says why`;
    }
    return undefined;
  }

  /** A process that ended is no longer listed: its rooms or clients are others' to carry. */
  #missing(present: Listed): string | undefined {
    const there = new Set(present.map(seatOf));
    for (const [seat, to] of this.#seats) {
      if (there.has(seat)) continue;
      if (to === undefined) return `${nameOf(seat)} is not there: the fleet is smaller than it was`;
      return `${nameOf(seat)} came back as ${to} and is gone again: the fleet is smaller than it was`;
    }
    return undefined;
  }
}
