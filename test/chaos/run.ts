import { SignJWT } from "jose";
import type { CheckCounts } from "../../src/load/checks.ts";
import { MachineLoad, OwnLoad } from "../../src/load/cpu.ts";
import { EXIT } from "../../src/roles/process.ts";
import { SECRET } from "../support/cluster.ts";
import { type Audited, Bots, type CommandSeen } from "./bots.ts";
import { monotonicMs } from "./bots-messages.ts";
import { chooseFault, type Fault } from "./faults.ts";
import { Fleet, type FleetShape } from "./fleet.ts";
import type { FaultRecord } from "./measure.ts";
import { ALL_KINDS, factsOf, type Kind, type PlannedFault, planFaults } from "./plan.ts";
import { clock, describe } from "./words.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** No fault begins later. */
  readonly runMs: number;
  /** Or after so many. */
  readonly faultsMax?: number;
  readonly kinds?: readonly Kind[];
  readonly fleet: FleetShape;
  readonly bots: number;
  readonly botProcesses: number;
  readonly sayMs: number;
  readonly say: (line: string) => void;
  /** Before the first fault; default 4 s. */
  readonly warmUpMs?: number;
}

export interface ChaosResult {
  readonly records: readonly FaultRecord[];
  /** Kinds that this run should have fired. */
  readonly kinds: readonly Kind[];
  readonly skipped: Readonly<Record<string, string>>;
  readonly commands: readonly CommandSeen[];
  readonly startMs: number;
  readonly tookMs: number;
  readonly counts: CheckCounts;
  readonly audit: Audited;
  readonly fenced: Readonly<Record<string, number>>;
  /** Bots at the end, and those who never came in. */
  readonly present: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly machineBusy: number;
  /** Cores that this run's own processes took on average. */
  readonly ownCores: number;
  /** Processes that ended though nobody had ended them. */
  readonly deaths: readonly string[];
  /** Faults that could not be fired, and why. */
  readonly misfired: readonly string[];
  /** What bots found wrong: who, where, when and what. */
  readonly findings: readonly string[];
}

const SERVED_MS_MAX = 45_000;
const POLL_MS = 25;
/** Frames under way when a fault strikes still arrive. */
const IN_FLIGHT_MS = 300;
const FRAME_AGE_MS_MAX = 1_500;
/** Before a planned move people command more often, or hardly a command would meet it. */
const LEAD_MS = 1_500;
const HURRY_MS = 500;
const SCRAPE_MS = 4_000;
const STATUS_MS = 30_000;
const WARM_UP_MS = 4_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A cluster, people in it, and one fault after the other. */
export class Chaos {
  readonly #options: ChaosOptions;
  readonly #fleet: Fleet;
  readonly #bots: Bots;
  readonly #load = new MachineLoad();
  readonly #ownLoad = new OwnLoad();
  readonly #records: FaultRecord[] = [];
  readonly #deaths: string[] = [];
  readonly #misfired: string[] = [];
  readonly #startMs = monotonicMs();
  #stopped = false;

  private constructor(options: ChaosOptions, fleet: Fleet, bots: Bots) {
    this.#options = options;
    this.#fleet = fleet;
    this.#bots = bots;
  }

  static async open(options: ChaosOptions): Promise<Chaos> {
    const { bots, botProcesses, fleet: shape, sayMs, seed, say } = options;
    const kinds = options.kinds ?? ALL_KINDS;
    say(
      `starting ${shape.nats} NATS servers, ${shape.nodes} nodes, ${shape.placements} placement ` +
        `replicas, ${shape.gateways} gateways; ${shape.rooms} rooms`,
    );
    const fleet = await Fleet.start(
      shape,
      kinds.some((kind) => factsOf(kind).namespaces),
    );
    try {
      say(`${bots} bots come in`);
      const { directUrls, rooms, urls } = fleet;
      const ways = [urls, directUrls];
      const crowd = { processes: botProcesses, bots, rooms, ways, secret: SECRET, seed, sayMs };
      return new Chaos(options, fleet, await Bots.start(crowd));
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  /** Fires faults until the time is over. */
  async run(): Promise<ChaosResult> {
    const { faultsMax = Number.POSITIVE_INFINITY, runMs, say, seed } = this.#options;
    const { warmUpMs = WARM_UP_MS } = this.#options;
    const skipped = this.#skipped();
    const kinds = (this.#options.kinds ?? ALL_KINDS).filter((kind) => !(kind in skipped));
    for (const [kind, why] of Object.entries(skipped)) say(`skipped: ${kind}: ${why}`);
    const scrapes = setInterval(() => void this.#scrape(), SCRAPE_MS);
    const status = setInterval(() => say(this.#status()), STATUS_MS);
    try {
      await pause(warmUpMs);
      for (const planned of planFaults(seed, kinds)) {
        await pause(planned.restMs);
        if (this.#stopped || this.#sinceStart() >= runMs) break;
        await this.#fire(planned).catch((error: Error) => {
          const [first] = error.message.split("\n");
          say(`#${planned.number} ${planned.kind} could not be fired: ${first}`);
          this.#misfired.push(`#${planned.number} ${planned.kind}: ${first}`);
        });
        if (this.#records.length >= faultsMax) break;
      }
    } finally {
      clearInterval(scrapes);
      clearInterval(status);
    }
    const tookMs = this.#sinceStart();
    const machineBusy = this.#load.total();
    const ownCores = this.#ownLoad.cores(tookMs);
    say("no more faults: the ledgers are compared with what was acknowledged");
    await this.#fleet.scrape();
    // The ledgers can be read only from rooms that somebody serves.
    await this.#reviveOthers().catch((error: Error) => say(error.message.split("\n")[0] ?? ""));
    const audit = await this.#bots.audit();
    return {
      records: this.#records,
      kinds,
      skipped,
      commands: this.#bots.commands,
      startMs: this.#startMs,
      tookMs,
      counts: this.#bots.counts,
      audit,
      fenced: this.#fleet.fenced(),
      present: this.#bots.present,
      failures: this.#bots.failures,
      machineBusy,
      ownCores,
      deaths: this.#deaths,
      misfired: this.#misfired,
      findings: this.#bots.findings.map(
        ([bot, room, atMs, what, detail]) =>
          `${clock(atMs - this.#startMs)} ${bot} in ${room}: ${what} ${detail}`,
      ),
    };
  }

  /** Ends the run after the fault under way. */
  stop(): void {
    this.#stopped = true;
  }

  async close(): Promise<void> {
    await this.#bots.close();
    await this.#fleet.close();
  }

  #scrape(): Promise<void> {
    this.#ownLoad.sample([process.pid, ...this.#bots.pids, ...this.#fleet.pids]);
    return this.#fleet.scrape();
  }

  #sinceStart = (): number => monotonicMs() - this.#startMs;

  #skipped(): Record<string, string> {
    const skipped: Record<string, string> = {};
    for (const kind of this.#options.kinds ?? ALL_KINDS) {
      const { cluster, namespaces } = factsOf(kind);
      const { unzoned } = this.#fleet;
      if (namespaces && unzoned !== undefined)
        skipped[kind] = `no network namespaces here (${unzoned})`;
      if (cluster && this.#options.fleet.nats === 1) skipped[kind] = "there is one NATS server";
    }
    return skipped;
  }

  async #fire(planned: PlannedFault): Promise<void> {
    const fleet = this.#fleet;
    const before = await this.#reviveOthers();
    const owners = await fleet.owners();
    const gateways = await fleet.gatewaysInUse();
    const fault = await chooseFault({ fleet, owners, gateways, token: signed }, planned);
    const rooms = [...owners].filter(([, owner]) => fault.dispossessed.includes(owner));
    const affected = new Set(rooms.map(([room]) => room));
    if (factsOf(planned.kind).planned) {
      this.#bots.pace([...affected], HURRY_MS);
      await pause(LEAD_MS);
    }
    const seen = { fresh: this.#bots.fresh.length, commands: this.#bots.commands.length };
    const cutsBefore = this.#bots.cuts.length;
    const foundBefore = this.#bots.findings.length;
    const bots = this.#botsIn(affected);
    const strikeMs = monotonicMs();
    await fault.strike();
    const healing = this.#heal(fault);
    const served = await this.#served(strikeMs, strikeMs, affected, seen.fresh, bots);
    const { failed, atMs: healedMs } = await healing;
    // The next fault is to find a cluster that is whole.
    const whole = await this.#served(strikeMs, healedMs, affected, seen.fresh, bots);
    if (factsOf(planned.kind).planned) this.#bots.pace([...affected]);
    const waits = this.#waits(strikeMs, affected, seen.fresh);
    const died = await this.#reviveOthers(fault.victims);
    for (const [bot, room, , what, detail] of this.#bots.findings.slice(foundBefore))
      this.#options.say(`FOUND ${what} by ${bot} in ${room}: ${detail}`);
    const record: FaultRecord = {
      number: planned.number,
      kind: planned.kind,
      victims: fault.victims,
      atMs: Math.round(strikeMs - this.#startMs),
      healedAfterMs: Math.round(healedMs - strikeMs),
      servedAfterMs: served === undefined ? null : Math.round(served - strikeMs),
      waitsMs: waits.map(Math.round),
      unserved: this.#mustMove(planned) ? Math.max(0, bots - waits.length) : 0,
      movedMs: this.#movedSince(seen.commands, affected),
      cuts: this.#bots.cuts.length - cutsBefore,
      note: [failed, whole === undefined ? "not whole again" : "", ...before, ...died]
        .filter((text) => text !== "")
        .join("; "),
    };
    this.#records.push(record);
    this.#options.say(`${clock(this.#sinceStart())}  ${describe(record)}`);
  }

  #mustMove = ({ kind }: PlannedFault): boolean => factsOf(kind).figure !== undefined;

  async #heal(fault: Fault): Promise<{ readonly failed: string; readonly atMs: number }> {
    await pause(fault.holdMs);
    try {
      await fault.heal();
      return { failed: "", atMs: monotonicMs() };
    } catch (error) {
      const [first = ""] = (error as Error).message.split("\n");
      return { failed: first, atMs: monotonicMs() };
    }
  }

  #botsIn(rooms: ReadonlySet<string>): number {
    const inside = this.#bots.rooms.filter(({ room }) => rooms.has(room));
    return inside.reduce((sum, { bots }) => sum + bots, 0);
  }

  /**
   * When every room has acknowledged a command that was sent after `sinceMs`, everybody sees
   * frames, and everybody in rooms that had to move sees those of a new owner.
   */
  async #served(
    strikeMs: number,
    sinceMs: number,
    moved: ReadonlySet<string>,
    freshFrom: number,
    bots: number,
  ): Promise<number | undefined> {
    const deadline = monotonicMs() + SERVED_MS_MAX;
    const silent = new Set(this.#fleet.rooms);
    let read = this.#bots.commands.findLastIndex(({ sentMs, tookMs }) => sentMs + tookMs < sinceMs);
    for (read = Math.max(0, read); monotonicMs() < deadline; await pause(POLL_MS)) {
      for (; read < this.#bots.commands.length; read++) {
        const { outcome, room, sentMs } = this.#bots.commands[read] as CommandSeen;
        if (outcome === "acked" && sentMs >= sinceMs) silent.delete(room);
      }
      const now = monotonicMs();
      const sees = this.#bots.rooms.every(
        ({ bots: present, stalestFrameMs: at }) =>
          present === 0 || (at > sinceMs + IN_FLIGHT_MS && now - at < FRAME_AGE_MS_MAX),
      );
      const renewed = this.#waits(strikeMs, moved, freshFrom).length >= bots;
      if (silent.size === 0 && sees && renewed) return now;
    }
    return undefined;
  }

  /** Of each client in these rooms, how long it waited for the first frame of a new owner. */
  #waits(strikeMs: number, rooms: ReadonlySet<string>, from: number): number[] {
    const waits = new Map<string, number>();
    for (const [bot, room, , atMs] of this.#bots.fresh.slice(from))
      if (rooms.has(room) && atMs >= strikeMs && !waits.has(bot)) waits.set(bot, atMs - strikeMs);
    return [...waits.values()];
  }

  #movedSince(from: number, rooms: ReadonlySet<string>): number[] {
    return this.#bots.commands
      .slice(from)
      .filter(({ moved, outcome, room }) => moved && outcome === "acked" && rooms.has(room))
      .map(({ tookMs }) => Math.round(tookMs * 10) / 10);
  }

  /**
   * Nobody had ended them, so something in the product did: told, and started again. Only a victim
   * of the fault may end rightly: it was cut off or frozen until others had its rooms (MS37).
   */
  async #reviveOthers(victims: readonly string[] = []): Promise<string[]> {
    const died: string[] = [];
    for (const { name, child, output } of [...this.#fleet.cluster.members]) {
      if (child.exitCode === null && child.signalCode === null) continue;
      const how = child.signalCode ?? `exit ${child.exitCode}`;
      died.push(`${name} ended by itself (${how})`);
      const isHeldDead = child.exitCode === EXIT.declaredDead && victims.includes(name);
      if (!isHeldDead) this.#deaths.push(`${name} ${how}\n${output.slice(-12).join("\n")}`);
      await this.#fleet.cluster.restart(name);
      if (name.startsWith("node")) await this.#fleet.standsBy(name);
    }
    return died;
  }

  #status(): string {
    const { commands, doubled, lost, regressed } = this.#bots.counts;
    const busy = Math.round(this.#load.since() * 100);
    return (
      `${clock(this.#sinceStart())}  ${this.#records.length} faults, ${this.#bots.present} bots, ` +
      `${commands} commands acknowledged; lost ${lost}, doubled ${doubled}, ` +
      `regressed ${regressed}; machine ${busy} % busy, bots ${this.#bots.busy.toFixed(2)} cores`
    );
  }
}

function signed(person: string): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { sub: person, name: person, tenant: "demo", exp };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));
}
