import { type Clock, delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { ControlClient, ControlError, ListedProcess, RestartRole } from "./control-client.ts";

export interface RestartOptions {
  /** In this order. */
  readonly roles: readonly RestartRole[];
  /** For a process that has ended to be back, and for the API or another node to recover. */
  readonly waitMs: number;
}

export interface RestartLimits {
  readonly pollMs: number;
  /** A process that was asked to drain says within this that it does. */
  readonly heedMsMax: number;
  /** And has ended within this: gateways may be told to take 10 minutes. */
  readonly drainMsMax: number;
  /** Gateways that have ended are listed beside their successors for 5 s. */
  readonly listedMsMax: number;
  /** A listing that stayed the same for so long is whole: everybody beats twice a second. */
  readonly settledMs: number;
  /** Who drains for less than this was not cut off by the API's deadline of 60 s. */
  readonly emptiedMsMax: number;
}

export const RESTART_LIMITS: RestartLimits = {
  pollMs: 250,
  heedMsMax: 10_000,
  listedMsMax: 10_000,
  settledMs: 1_500,
  emptiedMsMax: 55_000,
  drainMsMax: 660_000,
};

export interface RestartedProcess {
  readonly role: RestartRole;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** From the beginning of its turn until its successor is there. */
  readonly ms: number;
}

/** `refused`: nothing was done. `incomplete`: `left` were not restarted, or are not back. */
export interface RestartReport {
  readonly outcome: "done" | "refused" | "incomplete";
  readonly reason: string | null;
  readonly restarted: readonly RestartedProcess[];
  readonly left: readonly string[];
}

export interface RestartParts {
  readonly api: ControlClient;
  readonly clock: Clock;
  /** Progress, for people. */
  readonly say: (line: string) => void;
  readonly limits?: RestartLimits;
}

/**
 * Restarts every node and gateway, one at a time: each is emptied first, and the next one's turn
 * comes when it is back. Who starts processes again is their supervisor.
 */
export async function restartCluster(
  options: RestartOptions,
  parts: RestartParts,
): Promise<RestartReport> {
  const first = await settledListing(parts);
  const targets = first.ok ? targetsOf(first.value, options.roles) : [];
  const refusal = first.ok ? refusalOf(first.value, options.roles) : first.error;
  const names = targets.map(({ name }) => name);
  if (refusal !== undefined)
    return { outcome: "refused", reason: refusal, restarted: [], left: names };
  const expected = new Set(first.ok ? first.value.map(({ role, name }) => `${role} ${name}`) : []);
  const restarted: RestartedProcess[] = [];
  for (const [i, target] of targets.entries()) {
    const done = await new OneRestart(target, expected, options, parts).run();
    if (!done.ok) {
      const left = names.slice(i);
      return { outcome: "incomplete", reason: done.error, restarted, left };
    }
    restarted.push(done.value);
    const { name, ms, to } = done.value;
    parts.say(`${i + 1} of ${targets.length}: ${name} is back as ${to} after ${seconds(ms)}`);
  }
  return { outcome: "done", reason: null, restarted, left: [] };
}

/**
 * The listing, once it stays the same: a placement replica that has just started does not know all
 * yet, and a gateway that has crashed is listed beside its successor.
 */
async function settledListing(
  parts: RestartParts,
): Promise<Result<readonly ListedProcess[], string>> {
  const { api, clock, limits = RESTART_LIMITS } = parts;
  const until = clock.now() + limits.listedMsMax;
  let seen = "";
  let since = clock.now();
  for (;;) {
    const listed = await api.list();
    if (!listed.ok) return err(listed.error.sentence);
    const now = clock.now();
    const ids = listed.value.map(({ role, id }) => `${role} ${id}`).sort();
    const same = seen === ids.join();
    if (!same) since = now;
    seen = ids.join();
    const over = now >= until;
    if (now - since >= limits.settledMs && (over || !twiceIn(listed.value)))
      return ok(listed.value);
    if (over) return err("The listing does not come to rest; nothing was restarted.");
    await delay(clock, limits.pollMs);
  }
}

/** A name that several incarnations have in the listing: which of them is past it does not say. */
function twiceIn(all: readonly ListedProcess[]): string | undefined {
  const known = new Set<string>();
  return all.find(({ role, name }) => known.size === known.add(`${role} ${name}`).size)?.name;
}

const leftBehind = (name: string, rooms: number, ms: number): string =>
  `${name} ended after ${seconds(ms)} with ${rooms} rooms that had not moved: can another node take them?`;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** By role as asked, then by name, with 2 before 10. */
function targetsOf(all: readonly ListedProcess[], roles: readonly RestartRole[]): ListedProcess[] {
  const order = new Intl.Collator("en", { numeric: true });
  return roles.flatMap((role) =>
    all.filter((one) => one.role === role).sort((a, b) => order.compare(a.name, b.name)),
  );
}

/** Why not to begin. */
function refusalOf(
  all: readonly ListedProcess[],
  roles: readonly RestartRole[],
): string | undefined {
  const trouble = troubleOf(all);
  if (trouble !== undefined) return `${trouble}; nothing was restarted.`;
  for (const role of roles) {
    const count = all.filter((one) => one.role === role).length;
    if (count === 0) return `There is no ${role}.`;
    const held = role === "node" ? "its rooms" : "its clients";
    if (count === 1) return `There is only one ${role}: ${held} would have nowhere to go.`;
  }
  return undefined;
}

/** What keeps the next process from being taken away. */
function troubleOf(all: readonly ListedProcess[]): string | undefined {
  const twice = twiceIn(all);
  if (twice !== undefined) return `${twice} is listed twice`;
  for (const { role, name, state, draining } of all) {
    if (role === "node" && state !== "alive") return `${name} is ${state}`;
    if (draining) return `${name} is draining`;
  }
  return undefined;
}

/** The restart of one process. */
class OneRestart {
  readonly #target: ListedProcess;
  /** Role and name of everybody who was there at the beginning. */
  readonly #expected: ReadonlySet<string>;
  readonly #options: RestartOptions;
  readonly #parts: RestartParts;
  readonly #limits: RestartLimits;
  readonly #startedAt: number;
  #asked = false;
  /** When the API began not to answer. */
  #silentSince: number | undefined;

  constructor(
    target: ListedProcess,
    expected: ReadonlySet<string>,
    options: RestartOptions,
    parts: RestartParts,
  ) {
    this.#target = target;
    this.#expected = expected;
    this.#options = options;
    this.#parts = parts;
    this.#limits = parts.limits ?? RESTART_LIMITS;
    this.#startedAt = parts.clock.now();
  }

  async run(): Promise<Result<RestartedProcess, string>> {
    const { name } = this.#target;
    for (;;) {
      const calm = await this.#untilCalm();
      if (!calm.ok) return calm;
      // Somebody else, or a crash, was faster: it has started since this began.
      const successor = this.#successor(calm.value);
      if (successor) return ok(this.#restarted(successor));
      const asked = await this.#ask();
      if (!asked.ok) return asked;
      if (asked.value === "asked") break;
    }
    this.#parts.say(`${name} drains`);
    const back = await this.#untilBack();
    return back.ok ? ok(this.#restarted(back.value)) : back;
  }

  #restarted({ id: to }: ListedProcess): RestartedProcess {
    const { role, name, id: from } = this.#target;
    return { role, name, from, to, ms: this.#parts.clock.now() - this.#startedAt };
  }

  /** A process that ended is no longer listed: its rooms or clients are others' to carry. */
  #missing(all: readonly ListedProcess[]): string | undefined {
    const there = new Set(all.map(({ role, name }) => `${role} ${name}`));
    for (const key of this.#expected)
      if (!there.has(key)) return `${key.split(" ")[1]} is not there`;
    return undefined;
  }

  /** Everybody is there, all nodes are alive and nothing drains. */
  async #untilCalm(): Promise<Result<readonly ListedProcess[], string>> {
    const { clock, api } = this.#parts;
    const until = clock.now() + this.#options.waitMs;
    for (;;) {
      const listed = await this.#heard(api.list());
      if (!listed.ok) return listed;
      const others = listed.value?.filter(({ id }) => !this.#isPast(id, listed.value ?? []));
      const trouble = others && (troubleOf(others) ?? this.#missing(others));
      if (others && trouble === undefined) return ok(others);
      if (clock.now() >= until)
        return err(`${trouble ?? "The operator API does not answer"}: ${this.#state()}`);
      await delay(clock, this.#limits.pollMs);
    }
  }

  #state(): string {
    const { name } = this.#target;
    return this.#asked ? `it is not known whether ${name} is back.` : `${name} was not restarted.`;
  }

  /** A gateway stays listed for seconds after its end, beside its successor. */
  #isPast(id: string, all: readonly ListedProcess[]): boolean {
    const one = all.find((listed) => listed.id === id);
    if (one?.role !== "gateway" || !one.draining) return false;
    return all.some((other) => other.name === one.name && other.id !== id && !other.draining);
  }

  /** `unknown`: it has ended meanwhile. An answer that is lost is not asked for in the dark. */
  async #ask(): Promise<Result<"asked" | "unknown", string>> {
    const { clock, api } = this.#parts;
    const { role, name, id } = this.#target;
    for (;;) {
      this.#asked = true;
      const asked = await this.#heard(api.drain(role, name));
      if (!asked.ok) return asked;
      this.#asked = asked.value !== "unknown";
      if (asked.value !== undefined) return ok(asked.value);
      await delay(clock, this.#limits.pollMs);
      const listed = await this.#heard(api.list());
      if (!listed.ok) return listed;
      const old = listed.value?.find((one) => one.id === id);
      if (listed.value && (!old || old.draining)) return ok("asked");
    }
  }

  async #untilBack(): Promise<Result<ListedProcess, string>> {
    const { clock, api, say } = this.#parts;
    const { id, name, role } = this.#target;
    const askedAt = clock.now();
    let heeded = false;
    let rooms = 0;
    let goneAt: number | undefined;
    for (;;) {
      await delay(clock, this.#limits.pollMs);
      const listed = await this.#heard(api.list());
      if (!listed.ok) return listed;
      if (listed.value === undefined) continue;
      const now = clock.now();
      const old = listed.value.find((one) => one.id === id);
      if (!old && rooms > 0 && (goneAt ?? now) - askedAt >= this.#limits.emptiedMsMax)
        return err(leftBehind(name, rooms, (goneAt ?? now) - askedAt));
      rooms = old?.rooms ?? rooms;
      const successor = this.#successor(listed.value);
      if (successor) return ok(successor);
      heeded ||= old?.draining === true;
      if (old && !heeded && now - askedAt >= this.#limits.heedMsMax)
        return err(`${name} was asked to drain and does not.`);
      if (old && now - askedAt >= this.#limits.drainMsMax)
        return err(`${name} drains and does not end (${seconds(now - askedAt)}).`);
      if (old) continue;
      if (goneAt === undefined) say(`${name} has ended; its supervisor is to start it again`);
      goneAt ??= now;
      if (now - goneAt >= this.#options.waitMs) return err(this.#notBack(role, name));
    }
  }

  #notBack(role: RestartRole, name: string): string {
    const waited = seconds(this.#options.waitMs);
    return `${name} ended as it should, and no ${role} of that name came back within ${waited}. Does a supervisor (systemd, Kubernetes, npm start) start it again, also after exit code 0?`;
  }

  /** A new incarnation of the name, at work. */
  #successor(all: readonly ListedProcess[]): ListedProcess | undefined {
    const { id, name, role } = this.#target;
    return all.find(
      (one) =>
        one.role === role &&
        one.name === name &&
        one.id !== id &&
        one.state === "alive" &&
        !one.draining,
    );
  }

  /** Undefined while the API is silent, which a replica's own restart may be; not for long. */
  async #heard<T>(
    asking: Promise<Result<T, ControlError>>,
  ): Promise<Result<T | undefined, string>> {
    const answer = await asking;
    const now = this.#parts.clock.now();
    if (answer.ok) {
      this.#silentSince = undefined;
      return ok(answer.value);
    }
    const { code, sentence } = answer.error;
    this.#silentSince ??= now;
    const given = now - this.#silentSince < this.#options.waitMs;
    return code === "silent" && given ? ok(undefined) : err(`${sentence} So ${this.#state()}`);
  }
}

/** Runs it for a person, or with `json` for a program; answers whether to call it a success. */
export async function runRestart(
  options: RestartOptions & { readonly json: boolean },
  parts: Omit<RestartParts, "say">,
): Promise<RestartReport["outcome"]> {
  const say = (line: string): void => void process.stderr.write(`roomcluster: ${line}\n`);
  const report = await restartCluster(options, { ...parts, say });
  const { outcome, reason, restarted, left } = report;
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  if (outcome === "done") say(`${restarted.length} processes were restarted, one after the other`);
  else say(reason ?? outcome);
  if (outcome === "incomplete") say(`not done: ${left.join(", ")}`);
  return outcome;
}
