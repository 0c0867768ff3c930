import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { err, ok } from "../../src/kernel/result.ts";
import type { ControlClient, ListedProcess, RestartRole } from "../../src/roles/control-client.ts";
import { type RestartReport, restartCluster } from "../../src/roles/restart.ts";
import type { RestartOptions } from "../../src/roles/restart-terms.ts";

/** How a process takes it. Everything in ms. */
export interface Manner {
  readonly drainMs?: number;
  readonly awayMs?: number;
  /** It stays listed for so long after its end, as gateways and placements do. */
  readonly listedMs?: number;
  readonly ignores?: boolean;
  readonly neverEnds?: boolean;
  readonly neverBack?: boolean;
  /** It ends without having handed these over. */
  readonly roomsLeft?: number;
  /** These are owned when it is listed for the last time. */
  readonly roomsSeen?: number;
  readonly immovable?: readonly string[];
  /** It drains, and the answer that says so is lost. */
  readonly unheard?: boolean;
  /** So long after its return it crashes; a supervisor starts it again after `awayMs`. */
  readonly crashesMs?: number;
  /** As often as it is started again after a crash. */
  readonly returns?: number;
}

const silence = err({ code: "silent", sentence: "Nobody answers." } as const);

/** A cluster whose supervisor starts again what ends, on virtual time. */
export class FakeFleet implements ControlClient {
  readonly clock = new ManualClock();
  readonly processes: ListedProcess[] = [];
  readonly ended = new Map<string, number>();
  readonly manners = new Map<string, Manner>();
  /** In the order of their drains, each once. */
  readonly drained: string[] = [];
  readonly deadlines: (number | undefined)[] = [];
  readonly said: string[] = [];
  silent = false;
  /** A replica that answers, but has not heard of anybody's end. */
  forgetful = false;
  /** Called at every look. */
  onList = (): void => undefined;
  /** The most that were away or draining at once. */
  awayMax = 0;
  #away = 0;
  #incarnation = 0;

  constructor(nodes: number, gateways: number, placements = 2) {
    for (let i = 1; i <= nodes; i++) this.start("node", `node-${i}`);
    for (let i = 1; i <= gateways; i++) this.start("gateway", `gateway-${i}`);
    for (let i = 1; i <= placements; i++) this.start("placement", `placement-${i}`);
  }

  start(role: RestartRole, name: string): ListedProcess {
    const id = `${name}.${++this.#incarnation}`;
    const started = { role, id, name, state: "alive", draining: false, rooms: 0 };
    this.processes.push(started);
    return started;
  }

  named(name: string): ListedProcess {
    const found = this.processes.find((one) => one.name === name);
    if (!found) throw new Error(`${name} is not there`);
    return found;
  }

  change(name: string, over: Partial<ListedProcess>): void {
    const at = this.processes.findIndex((one) => one.name === name);
    this.processes[at] = { ...(this.processes[at] as ListedProcess), ...over };
  }

  remove(id: string): void {
    const at = this.processes.findIndex((one) => one.id === id);
    if (at >= 0) this.processes.splice(at, 1);
  }

  list: ControlClient["list"] = async () => {
    this.onList();
    if (this.silent) return silence;
    const ended = this.forgetful ? new Map<string, number>() : new Map(this.ended);
    return ok({ processes: [...this.processes], ended });
  };

  drain: ControlClient["drain"] = async ({ role, id }, deadlineMs) => {
    if (this.silent) return silence;
    const old = this.processes.find((one) => one.id === id && one.role === role);
    if (!old) return ok("unknown");
    const { name } = old;
    const manner = this.manners.get(name) ?? {};
    const { immovable = [] } = manner;
    const answer = ok({ deadlineMs: deadlineMs ?? 60_000, immovable });
    if (this.drained.includes(name)) return answer;
    this.drained.push(name);
    this.deadlines.push(deadlineMs);
    if (manner.ignores) return answer;
    this.change(name, { draining: role !== "placement", rooms: manner.roomsSeen ?? 0 });
    this.awayMax = Math.max(this.awayMax, ++this.#away);
    if (!manner.neverEnds) this.#end(old, manner);
    return manner.unheard ? silence : answer;
  };

  #end({ role, id, name }: ListedProcess, manner: Manner): void {
    const { drainMs = 2_000, awayMs = 1_000, listedMs = 0, roomsLeft = 0, crashesMs } = manner;
    this.clock.after(drainMs + listedMs, () => {
      if (role === "node") this.ended.set(id, roomsLeft);
      this.remove(id);
    });
    if (manner.neverBack) return;
    this.clock.after(drainMs + awayMs, () => {
      this.#away--;
      const back = this.start(role, name);
      if (crashesMs !== undefined) this.#crash(back, crashesMs, manner.returns ?? 0, awayMs);
    });
  }

  #crash({ role, name, id }: ListedProcess, ms: number, returns: number, awayMs: number): void {
    this.clock.after(ms, () => this.remove(id));
    if (returns === 0) return;
    this.clock.after(ms + awayMs, () =>
      this.#crash(this.start(role, name), ms, returns - 1, awayMs),
    );
  }

  async restart(
    roles: readonly RestartRole[] = ["node", "gateway", "placement"],
    over: Partial<RestartOptions> = {},
  ): Promise<RestartReport> {
    const say = (line: string): void => void this.said.push(line);
    let report: RestartReport | undefined;
    const usual = { waitMs: 30_000, steadyMs: 5_000, drainMs: undefined, roomsLeft: "stop" };
    const options = { roles, ...usual, ...over } as RestartOptions;
    void restartCluster(options, { api: this, clock: this.clock, say }).then((done) => {
      report = done;
    });
    for (let quarters = 0; !report; quarters++) {
      if (quarters > 8_000) throw new Error(`it never ended: ${this.said.join("; ")}`);
      await this.clock.run(250, 250);
    }
    return report;
  }
}
