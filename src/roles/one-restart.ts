import { delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Draining, ListedProcess, Listing, RestartRole } from "./control-client.ts";
import type { Fleet } from "./fleet.ts";
import {
  RESTART_LIMITS,
  type RestartLimits,
  type RestartOptions,
  type RestartParts,
  type Stop,
  seconds,
} from "./restart-terms.ts";

export interface RestartedProcess {
  readonly role: RestartRole;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** From the beginning of its turn until its successor is there. */
  readonly ms: number;
  /** Of a node: that it had not handed over when it ended. */
  readonly roomsLeft: number;
}

const IMMOVABLE_SHOWN_MAX = 5;

const incomplete = (reason: string) => err({ outcome: "incomplete", reason } as const);

/** The restart of one process. */
export class OneRestart {
  readonly #target: ListedProcess;
  readonly #fleet: Fleet;
  readonly #options: RestartOptions;
  readonly #parts: RestartParts;
  readonly #limits: RestartLimits;
  readonly #startedAt: number;
  #asked = false;

  constructor(target: ListedProcess, fleet: Fleet, options: RestartOptions, parts: RestartParts) {
    this.#target = target;
    this.#fleet = fleet;
    this.#options = options;
    this.#parts = parts;
    this.#limits = parts.limits ?? RESTART_LIMITS;
    this.#startedAt = parts.clock.now();
  }

  async run(): Promise<Result<RestartedProcess, Stop>> {
    for (;;) {
      const calm = await this.#fleet.untilCalm(this.#standing);
      if (!calm.ok) return calm;
      // Somebody else, or a crash, was faster: it has started since this began.
      const successor = this.#successor(calm.value);
      if (successor) return ok(this.#restarted(successor, 0));
      const asked = await this.#ask();
      if (!asked.ok) return asked;
      if (asked.value === "unknown") continue;
      this.#announce(asked.value);
      return this.#untilBack(asked.value.deadlineMs);
    }
  }

  get #standing(): string {
    const { name } = this.#target;
    return this.#asked ? `It is not known whether ${name} is back.` : `${name} was not restarted.`;
  }

  #restarted(successor: ListedProcess, roomsLeft: number): RestartedProcess {
    this.#fleet.replaced(this.#target, successor);
    const { role, name, id: from } = this.#target;
    const ms = this.#parts.clock.now() - this.#startedAt;
    return { role, name, from, to: successor.id, ms, roomsLeft };
  }

  /** Until it is answered: the request names the incarnation, and of several the first counts. */
  async #ask(): Promise<Result<Draining | "unknown", Stop>> {
    const { clock, api } = this.#parts;
    for (let tries = 1; ; tries++) {
      this.#asked = true;
      const asking = api.drain(this.#target, this.#options.drainMs);
      const asked = await this.#fleet.heard(asking, this.#standing);
      if (!asked.ok) return asked;
      const { value } = asked;
      if (value !== undefined && value !== "unknown") return ok(value);
      // An earlier request was heard, and it has ended since.
      if (value === "unknown" && tries > 1) return ok({ deadlineMs: 0, immovable: [] });
      await delay(clock, this.#limits.pollMs);
      if (value === undefined) continue;
      this.#asked = false;
      return ok(value);
    }
  }

  #announce({ deadlineMs, immovable }: Draining): void {
    const { say } = this.#parts;
    const { name } = this.#target;
    say(`${name} drains, within ${seconds(deadlineMs)}`);
    if (immovable.length === 0) return;
    const shown = immovable.slice(0, IMMOVABLE_SHOWN_MAX).join(", ");
    const more = immovable.length > IMMOVABLE_SHOWN_MAX ? ", …" : "";
    say(`${name} has ${immovable.length} immovable rooms, which move last: ${shown}${more}`);
  }

  async #untilBack(deadlineMs: number): Promise<Result<RestartedProcess, Stop>> {
    const { clock, api } = this.#parts;
    const { id } = this.#target;
    const askedAt = clock.now();
    // A placement does not say that it drains: it ends.
    let heeded = this.#target.role === "placement";
    let rooms = 0;
    let goneAt: number | undefined;
    for (;;) {
      await delay(clock, this.#limits.pollMs);
      const listed = await this.#fleet.heard(api.list(), this.#standing);
      if (!listed.ok) return listed;
      if (listed.value === undefined) continue;
      const { processes } = listed.value;
      const old = processes.find((one) => one.id === id);
      rooms = old?.rooms ?? rooms;
      const successor = this.#successor(processes);
      if (successor) return ok(this.#restarted(successor, roomsLeftBy(id, listed.value, rooms)));
      heeded ||= old?.draining === true;
      const now = clock.now();
      if (old) {
        goneAt = undefined;
        const late = this.#late(now - askedAt, deadlineMs, heeded);
        if (late !== undefined) return incomplete(late);
        continue;
      }
      if (goneAt === undefined) this.#ended();
      goneAt ??= now;
      if (now - goneAt >= this.#options.waitMs)
        return err({ outcome: "degraded", reason: notBack(this.#target, this.#options.waitMs) });
    }
  }

  #late(ms: number, deadlineMs: number, heeded: boolean): string | undefined {
    const { name } = this.#target;
    const { heedMsMax, endMsMax } = this.#limits;
    if (!heeded && ms >= heedMsMax) return `${name} was asked to drain and does not.`;
    if (ms < deadlineMs + endMsMax) return undefined;
    return `${name} drains and does not end (${seconds(ms)}, of which it has ${seconds(deadlineMs)}).`;
  }

  #ended(): void {
    this.#parts.say(`${this.#target.name} has ended; its supervisor is to start it again`);
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
}

/** A replica that has just started may not have heard its last word: then what was seen of it. */
const roomsLeftBy = (id: string, { ended }: Listing, seen: number): number => ended.get(id) ?? seen;

function notBack({ name, role }: ListedProcess, waitMs: number): string {
  return `${name} ended as it should, and no ${role} of that name came back within ${seconds(waitMs)}: the fleet is smaller than it was. Does a supervisor (systemd, Kubernetes, npm start) start it again, also after exit code 0?`;
}
