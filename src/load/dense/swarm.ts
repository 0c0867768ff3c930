import { type Random, randomBelow, seededRandom, systemRandom } from "../../kernel/random.ts";
import type { WalkArea } from "../walker.ts";
import { type Absence, Absences } from "./absences.ts";
import { type ClientPlan, type Common, DenseClient, type GatewayAddress } from "./dense-client.ts";
import { LocalFrameClock, RemoteFrameClock } from "./frame-clock.ts";
import { FrameOrder } from "./frame-order.ts";
import { Gait, type GaitMix } from "./gait.ts";
import { botNames } from "./names.ts";
import type { InterestPromise } from "./promise.ts";
import { type CrowdShare, numberOf, portOf } from "./split.ts";
import { sharedClock } from "./stamp.ts";
import { Tally, type TallyPart } from "./tally.ts";
import type { TokenSource } from "./tokens.ts";
import { tokensOf } from "./tokens.ts";
import { upgradeWith } from "./upgrade.ts";
import { Pace, Wheel } from "./wheel.ts";
import { inflowOf } from "./ws-reader.ts";
import { WsWriter } from "./ws-writer.ts";

/** One process's share of a run, as it is told to it. */
export interface SwarmPlan {
  readonly run: string;
  readonly seed: number;
  readonly share: CrowdShare;
  readonly clients: number;
  readonly gateways: readonly GatewayAddress[];
  /** Whether gateways stand on this machine. */
  readonly local: boolean;
  /** Addresses to dial from, used one after the other; empty leaves it to the system. */
  readonly sources: readonly string[];
  readonly clientsPerSource: number;
  readonly tenant: string;
  readonly rooms: readonly string[];
  /** People fill one room after the other, so many each; 0 deals them out to all rooms in turn. */
  readonly roomSize: number;
  /** Everybody of a room at one gateway, or spread over all. */
  readonly byRoom: boolean;
  readonly tokens: TokenSource;
  readonly joinsPerSecond: number;
  /** Under way; a cluster that is slower is asked for no more. */
  readonly joinsAtOnce: number;
  /** Who is cut off comes back by its session. */
  readonly returns: boolean;
  readonly area: WalkArea;
  readonly mix: GaitMix;
  readonly beaconShare: number;
  readonly decodeShare: number;
  /** Of each client that decodes; 0 says nothing. */
  readonly saysPerMinute: number;
  /** What who does not decode watches as well: the stage of the event that they sit in. */
  readonly stage: string | null;
  readonly promise: InterestPromise;
}

/** What a process did since it last told. */
export interface SwarmSample {
  readonly part: TallyPart;
  readonly inRoom: number;
  /** Who was cut off, and on the way back. */
  readonly away: number;
  readonly admitted: number;
  /** Everybody who was let in is in, or never will be. */
  readonly settled: boolean;
  readonly lagMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

const INFLOW_BYTES = 64 * 1024;
const STEP_MS = 5;
const SLOTS = 10_240;
/** Nobody waits longer than this between two poses. */
export const TURN_MS_MAX = (SLOTS - 1) * STEP_MS;
const STEPS_AT_ONCE_MAX = 40;
const JOIN_MS_MAX = 30_000;
const LEAVES_PER_STEP = 25;
const LINGER_MS = 500;

/** All clients of one process, on one timer. */
export class Swarm {
  readonly #plan: SwarmPlan;
  readonly #random: Random;
  readonly #common: Common;
  readonly #tokens: (person: string) => Promise<string>;
  readonly #clients: (DenseClient | undefined)[] = [];
  readonly #joining = new Map<DenseClient, number>();
  readonly #absences: Absences;
  /** How often each has dialled. */
  readonly #dials: Uint8Array;
  /** Who has a place on the wheel; nobody has two. */
  readonly #turning: Uint8Array;
  readonly #wheel: Wheel;
  readonly #pace: Pace;
  readonly #timer: NodeJS.Timeout;
  #admitted = 0;
  #started = 0;
  #asking = 0;
  #due = 0;
  #inRoom = 0;
  #over = 0;
  #away = 0;
  #leaving: (() => void) | undefined;
  #cpu = process.cpuUsage();
  #framesFrom: { readonly counts: Uint32Array; readonly atMs: number } | undefined;

  constructor(plan: SwarmPlan) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed + (plan.share.places[0] ?? 0));
    this.#tokens = tokensOf(plan.tokens, plan.tenant);
    this.#absences = new Absences(this.#random);
    this.#dials = new Uint8Array(plan.clients);
    this.#turning = new Uint8Array(plan.clients);
    this.#wheel = new Wheel(plan.clients, SLOTS);
    this.#common = {
      inflow: inflowOf(new Uint8Array(INFLOW_BYTES)),
      writer: new WsWriter(systemRandom),
      upgrade: upgradeWith(systemRandom),
      order: new FrameOrder(plan.clients),
      stageOrder: plan.stage === null ? undefined : new FrameOrder(plan.clients),
      clock: sharedClock(),
      names: botNames(plan.run),
      promise: plan.promise,
      frameClock: plan.local ? new LocalFrameClock() : new RemoteFrameClock(),
      lastFrames: new Float64Array(plan.clients),
      frames: new Uint32Array(plan.clients),
      tally: new Tally(),
      readMs: 0,
      judging: false,
      waits: (client) => {
        // In line before an event, and last of those whose patience ends.
        if (this.#joining.delete(client)) this.#joining.set(client, performance.now());
      },
      settled: (client, came) => this.#settled(client, came),
      cutOff: (client) => this.#cutOff(client),
    };
    this.#pace = new Pace(STEP_MS, STEPS_AT_ONCE_MAX, performance.now());
    this.#timer = setInterval(() => this.#steps(), STEP_MS);
  }

  /** So many of its clients may come by now; nobody does before. */
  admit(clients: number): void {
    this.#admitted = clients;
  }

  /** Rows may be judged from now on, and rates measured: everybody who comes is there. */
  begin(): void {
    this.#common.judging = true;
    const { frames } = this.#common;
    this.#framesFrom = { counts: frames.slice(), atMs: performance.now() };
  }

  /** Frames a second of each client since `begin`. */
  rates(): number[] {
    const from = this.#framesFrom;
    if (from === undefined) return [];
    const seconds = (performance.now() - from.atMs) / 1_000;
    return this.#clients.flatMap((client, n) => {
      if (client?.phase !== "in") return [];
      return [((this.#common.frames[n] as number) - (from.counts[n] as number)) / seconds];
    });
  }

  sample(): SwarmSample {
    const { order, tally } = this.#common;
    tally.counts.ticks_skipped += order.skipped;
    tally.counts.frames_after_gap += order.gaps;
    tally.counts.epochs_risen += order.epochsRisen;
    order.skipped = 0;
    order.gaps = 0;
    order.epochsRisen = 0;
    this.#common.tally = new Tally();
    this.#common.frameClock.look();
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    const lagMs = this.#pace.lagMs;
    this.#pace.lagMs = 0;
    return {
      part: tally.part(),
      inRoom: this.#inRoom,
      away: this.#away,
      admitted: this.#admitted,
      settled: this.#inRoom + this.#over >= this.#admitted,
      lagMs,
      cpuMs: (user + system) / 1_000,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  /** Everybody leaves, a few at a time. */
  stop(): Promise<void> {
    this.#common.judging = false;
    return new Promise((resolve) => {
      this.#leaving = resolve;
    });
  }

  #steps(): void {
    const now = performance.now();
    const steps = this.#pace.due(now);
    for (let i = 0; i < steps; i++) {
      if (this.#leaving) this.#leaveSome(this.#leaving);
      else this.#rampUp(now);
      this.#wheel.step((n) => this.#turn(n, now));
    }
  }

  #turn(n: number, now: number): number {
    const client = this.#clients[n];
    if (client?.phase !== "in") {
      this.#turning[n] = 0;
      return 0;
    }
    const steps = Math.round(client.pose(now) / STEP_MS);
    const { saysPerMinute } = this.#plan;
    if (saysPerMinute > 0 && client.plan.decodes) {
      const chance = (saysPerMinute / 60_000) * steps * STEP_MS;
      if (this.#random.next() < chance) client.say(`${client.plan.person} ${Math.round(now)}`);
    }
    return Math.max(1, steps);
  }

  #rampUp(now: number): void {
    const { joinsAtOnce, joinsPerSecond } = this.#plan;
    for (const absence of this.#absences.takeDue(now)) void this.#dial(absence.n, absence);
    if (this.#started >= this.#admitted && this.#joining.size === 0) return;
    this.#due = Math.min(this.#admitted, this.#due + (joinsPerSecond * STEP_MS) / 1_000);
    const busy = () => this.#joining.size + this.#asking >= joinsAtOnce;
    while (this.#started < Math.floor(this.#due) && !busy()) void this.#dial(this.#started++);
    for (const [client, sinceMs] of this.#joining) {
      if (now - sinceMs < JOIN_MS_MAX) break;
      client.timedOut();
    }
  }

  async #dial(n: number, absence?: Absence): Promise<void> {
    const plan = this.#clientPlan(n, absence);
    if (absence === undefined) this.#common.tally.counts.joins_started++;
    this.#asking++;
    let token: string;
    try {
      token = await this.#tokens(plan.person);
    } catch (error) {
      const { failures } = this.#common.tally;
      const why = `token: ${(error as Error).message}`;
      failures.set(why, (failures.get(why) ?? 0) + 1);
      this.#over++;
      if (absence) this.#away--;
      return;
    } finally {
      this.#asking--;
    }
    if (this.#leaving) return;
    const client = new DenseClient({ ...plan, token }, this.#common);
    this.#clients[n] = client;
    this.#joining.set(client, performance.now());
  }

  #clientPlan(n: number, absence: Absence | undefined): Omit<ClientPlan, "token"> {
    const { area, beaconShare, byRoom, decodeShare, gateways } = this.#plan;
    const { mix, roomSize, rooms, share } = this.#plan;
    const number = numberOf(share, n);
    const room = roomSize === 0 ? number % rooms.length : Math.floor(number / roomSize);
    const random = seededRandom(this.#plan.seed * 7 + number);
    const beacon = spread(number, 1) < beaconShare;
    const decodes = spread(number, 2) < decodeShare;
    // Who was cut off tries another gateway, as the SDK does.
    const elsewhere = absence === undefined ? 0 : absence.tries + 1;
    const dealt = roomSize === 0 ? Math.floor(number / rooms.length) : number;
    const gateway = (byRoom ? room : dealt) + elsewhere;
    return {
      n,
      gateway: gateways[gateway % gateways.length] as GatewayAddress,
      source: this.#sourceOf(n),
      room: rooms[room] as string,
      person: this.#common.names.nameOf(number, beacon),
      beacon,
      decodes,
      stage: decodes ? null : this.#plan.stage,
      absence,
      gait: this.#clients[n]?.plan.gait ?? new Gait(random, area, mix, performance.now()),
    };
  }

  #sourceOf(n: number): ClientPlan["source"] {
    const { clientsPerSource, sources } = this.#plan;
    const localAddress = sources[Math.floor(n / clientsPerSource)];
    if (localAddress === undefined) return undefined;
    const dials = (this.#dials[n] as number)++;
    return { localAddress, localPort: portOf(n % clientsPerSource, dials) };
  }

  #settled(client: DenseClient, came: boolean): void {
    const joining = this.#joining.delete(client);
    if (client.plan.absence && joining) this.#away--;
    if (came) {
      this.#inRoom++;
      const { n, gait } = client.plan;
      const { movingMs, standingMs } = this.#plan.mix;
      // Where it stands is of use at once; after that everybody has a phase of their own.
      client.pose(performance.now());
      if (this.#turning[n]) return;
      this.#turning[n] = 1;
      const periodMs = gait.moving ? movingMs : standingMs;
      this.#wheel.put(n, 1 + randomBelow(this.#random, Math.max(1, periodMs / STEP_MS)));
      return;
    }
    if (!joining) this.#inRoom--;
    this.#over++;
  }

  #cutOff(client: DenseClient): boolean {
    const { plan, resume } = client;
    if (!this.#plan.returns || resume === undefined || this.#leaving) return false;
    const now = performance.now();
    const wasIn = !this.#joining.has(client);
    const earlier = wasIn ? undefined : plan.absence;
    const { sinceMs = now, tries = -1 } = earlier ?? {};
    if (!this.#absences.put({ n: plan.n, resume, sinceMs, tries: tries + 1 }, now)) return false;
    this.#joining.delete(client);
    if (!wasIn) return true;
    this.#inRoom--;
    this.#away++;
    this.#common.tally.counts.cut_off++;
    this.#common.order.forget(plan.n);
    this.#common.stageOrder?.forget(plan.n);
    this.#common.lastFrames[plan.n] = 0;
    return true;
  }

  #leaveSome(done: () => void): void {
    for (let i = 0; i < LEAVES_PER_STEP; i++) {
      const client = this.#clients.pop();
      if (client === undefined && this.#clients.length === 0) {
        clearInterval(this.#timer);
        // Gateways answer a close; who ends before that resets the connection under its last words.
        setTimeout(done, LINGER_MS);
        return;
      }
      client?.leave();
    }
  }
}

/** A share of all that is even and the same in every run, in [0, 1). */
function spread(number: number, salt: number): number {
  return (Math.imul(number * 2 + salt, 0x9e3779b1) >>> 0) / 2 ** 32;
}
