import { readFileSync } from "node:fs";
import { err, ok, type Result } from "../../kernel/result.ts";
import { addressOf } from "../../protocol/event-names.ts";
import { MachineLoad } from "../cpu.ts";
import type { GatewayAddress } from "./dense-client.ts";
import type { LoadFlags } from "./flags.ts";
import { Fleet } from "./fleet.ts";
import type { LiveView } from "./live-view.ts";
import { Recorder } from "./recorder.ts";
import { type LoadReport, type RunFacts, reportOf } from "./report.ts";
import { ServerLoad } from "./server-load.ts";
import { CLIENTS_PER_SOURCE, isLoopback, type Split, sourcesOf } from "./split.ts";
import type { SwarmPlan } from "./swarm.ts";
import { FINDINGS } from "./tally.ts";
import { createRooms, parseProcesses, parseReady, readTarget, type Target } from "./target.ts";
import { chooseTokens, type TokenSource } from "./tokens.ts";

export interface RunParts {
  readonly flags: LoadFlags;
  readonly split: Split;
  /** What a process of clients runs. */
  readonly worker: readonly [file: string, ...args: string[]];
  readonly view: LiveView;
  readonly seed: number;
  /** Tells this run's people from those of others. */
  readonly run: string;
  readonly command: string;
}

const SECOND_MS = 1_000;
/** After the last one has come, before figures count. */
const SETTLE_S = 2;
/** Over what joining takes at the rate that was asked for. */
const JOINING_FACTOR = 3;
const JOINING_S_MIN = 120;
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 200;
/** Processes that were started again are looked for this often. */
const LOOK_EACH_S = 5;

/** Where to, or a sentence that says why nowhere. `say` hears what it waits for. */
export async function resolveTarget(
  flags: LoadFlags,
  say: (sentence: string) => void,
): Promise<Result<Target, string>> {
  let target: Target = { gateways: flags.gateways, processes: [], control: undefined };
  if (flags.ready !== undefined) {
    const ready = await readReady(flags.ready, flags.controlToken, say);
    if (!ready.ok) return ready;
    target = { ...ready.value, gateways: orElse(flags.gateways, ready.value.gateways) };
  } else if (flags.control !== undefined) {
    const read = await readTarget({ url: flags.control, token: flags.controlToken });
    if (!read.ok) return read;
    target = { ...read.value, gateways: orElse(flags.gateways, read.value.gateways) };
  }
  const { control } = target;
  if (flags.world !== undefined && control !== undefined) {
    const rooms = roomsOf(flags).map((room) => `${flags.tenant}/${room}`);
    const created = await createRooms(control, rooms, flags.world);
    if (!created.ok) return created;
  }
  if (flags.pids !== undefined) {
    const named = parseProcesses(flags.pids);
    if (!named.ok) return named;
    target = { ...target, processes: named.value, control: undefined };
  }
  return ok(target);
}

const orElse = <T>(wished: readonly T[], found: readonly T[]): readonly T[] =>
  wished.length > 0 ? wished : found;

/** A cluster that is just being started needs a while to say it. */
async function readReady(
  file: string,
  token: string | undefined,
  say: (sentence: string) => void,
): Promise<ReturnType<typeof parseReady>> {
  const until = performance.now() + READY_MS_MAX;
  let told: string | undefined;
  for (;;) {
    let ready: ReturnType<typeof parseReady>;
    try {
      ready = parseReady(readFileSync(file, "utf8"), token);
    } catch (error) {
      ready = err(`${(error as Error).message}.`);
    }
    if (ready.ok) return ready;
    if (performance.now() > until) return err(`--ready ${file}: ${ready.error}`);
    if (ready.error !== told)
      say(
        `waiting, ${READY_MS_MAX / 1_000} s at most, for the ready line in ${file}: ${ready.error}`,
      );
    told = ready.error;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

export const roomsOf = ({ room, rooms }: LoadFlags): string[] =>
  rooms === 1 ? [room] : Array.from({ length: rooms }, (_, i) => `${room}-${i + 1}`);

function gatewayAt(url: string): GatewayAddress {
  const { hostname, port, protocol } = new URL(url);
  const secure = protocol === "wss:";
  // Dialled from many addresses of 127.0.0.0/8, which a name might resolve past.
  const host = hostname === "localhost" ? "127.0.0.1" : hostname.replace(/^\[|\]$/g, "");
  return { name: hostname, host, port: Number(port || (secure ? 443 : 80)), secure };
}

/** Of an event, by what people join. */
function stageOf(room: string): string | null {
  const { kind, name } = addressOf(room);
  return kind === "seat" ? `stage/${name}` : null;
}

/** Each process's share. */
export function plansOf(
  { flags, run, seed, split }: RunParts,
  gateways: readonly string[],
  tokens: TokenSource,
): SwarmPlan[] {
  const addresses = gateways.map(gatewayAt);
  const local = addresses.every(({ host }) => isLoopback(host));
  const { areaM, stage } = flags;
  const common = {
    run,
    seed,
    gateways: addresses,
    clientsPerSource: CLIENTS_PER_SOURCE,
    tenant: flags.tenant,
    rooms: roomsOf(flags),
    roomSize: 0,
    byRoom: flags.byRoom,
    tokens,
    joinsPerSecond: flags.joinsPerSecond / split.processes,
    joinsAtOnce: flags.joinsAtOnce,
    returns: flags.returns,
    area: { x: 0, z: 0, radiusM: areaM, gather: stage },
    mix: {
      movingShare: flags.moving,
      movingMs: 1_000 / flags.moveHz,
      standingMs: 1_000 / flags.standHz,
    },
    beaconShare: flags.beacons,
    decodeShare: flags.decode,
    saysPerMinute: flags.says,
    stage: flags.rooms === 1 ? stageOf(flags.room) : null,
    promise: {
      focusM: flags.focusM,
      farFrames: flags.farFrames,
      frameBytesPerSecond: flags.frameBytes,
      movingMs: 1_000 / flags.moveHz,
      slackFrames: flags.slackFrames,
    },
  };
  return Array.from({ length: split.processes }, (_, first) => {
    const clients = split.clients(first);
    const sources = local ? sourcesOf(first, clients) : [];
    const share = { of: split.processes, places: [first] };
    return { ...common, local, share, clients, sources };
  });
}

/** A run from the first client to the last one's leave. `end` cuts it short. */
export class LoadRun {
  readonly #parts: RunParts;
  readonly #target: Target;
  readonly #fleet: Fleet;
  readonly #servers: ServerLoad;
  readonly #recorder = new Recorder();
  readonly #residentBefore: Readonly<Record<string, number>>;
  readonly #startMs = performance.now();
  #ended: string | undefined;
  #wake: () => void = () => undefined;

  private constructor(parts: RunParts, target: Target, tokens: TokenSource) {
    this.#parts = parts;
    this.#target = target;
    this.#servers = new ServerLoad(target.processes, this.#startMs);
    this.#residentBefore = this.#servers.resident();
    this.#fleet = new Fleet(parts.worker, plansOf(parts, target.gateways, tokens));
    this.#fleet.admit(parts.flags.clients);
  }

  static async start(parts: RunParts): Promise<Result<LoadRun, string>> {
    const { flags, view } = parts;
    const target = await resolveTarget(flags, (sentence) =>
      view.say(`roomcluster load: ${sentence}`),
    );
    if (!target.ok) return target;
    const gateway = target.value.gateways[0] as string;
    const tokens = await chooseTokens(flags.tokenSecret, gateway, flags.tenant);
    if (!tokens.ok) return tokens;
    return ok(new LoadRun(parts, target.value, tokens.value));
  }

  end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  kill(): void {
    this.#fleet.kill();
  }

  async toEnd(): Promise<LoadReport> {
    await this.#joining();
    for (let i = 0; i < SETTLE_S && !this.#ended; i++) await this.#second(undefined);
    this.#fleet.begin();
    const machine = new MachineLoad();
    const serverBefore = this.#servers.totals();
    const fromMs = performance.now();
    let ownMs = 0;
    const { seconds } = this.#parts.flags;
    for (let i = 0; i < seconds && !this.#ended; i++)
      ownMs += await this.#second((i + 1) / seconds);
    const steadyMs = performance.now() - fromMs;
    const serverMs = [...this.#servers.totals()].map(([role, ms]) => [
      role,
      ms - (serverBefore.get(role) ?? 0),
    ]);
    const figures = {
      steadyMs,
      ownMs,
      awayAtEnd: this.#away,
      tookMs: performance.now() - this.#startMs,
      machineBusy: machine.total(),
      residentFull: this.#servers.resident(),
      serverMs: Object.fromEntries(serverMs) as Record<string, number>,
    };
    const rates = await this.#fleet.rates();
    await this.#fleet.stop();
    return this.#report(figures, rates);
  }

  #report(
    figures: Pick<
      RunFacts,
      "steadyMs" | "ownMs" | "awayAtEnd" | "tookMs" | "machineBusy" | "residentFull" | "serverMs"
    >,
    rates: readonly number[],
  ): LoadReport {
    const { command, flags, run, seed, split } = this.#parts;
    return reportOf(this.#recorder, {
      ...figures,
      rates,
      flags,
      command,
      run,
      seed,
      date: new Date().toISOString(),
      gateways: this.#target.gateways.length,
      processes: split.processes,
      local: this.#target.gateways.every((url) => isLoopback(gatewayAt(url).host)),
      residentBefore: this.#residentBefore,
      ended: this.#ended,
    });
  }

  async #joining(): Promise<void> {
    const { clients, joinsPerSecond } = this.#parts.flags;
    const most = Math.max(JOINING_S_MIN, (clients / joinsPerSecond) * JOINING_FACTOR);
    for (let s = 0; !this.#ended; s++) {
      await this.#second(undefined);
      if (this.#allSettled) {
        if (this.#recorder.all.counts.joined === 0) this.end("nobody has come in");
        return;
      }
      if (s > most) this.end(`not everybody has come in within ${Math.round(most)} s`);
    }
  }

  #allSettled = false;
  #away = 0;

  /** The next second of the run; answers this side's processor time in it. */
  async #second(share: number | undefined): Promise<number> {
    const fromMs = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SECOND_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const now = performance.now();
    const second = this.#fleet.second();
    this.#allSettled = second.settled;
    this.#away = second.away;
    if (this.#recorder.seconds.length % LOOK_EACH_S === 0) void this.#lookForProcesses();
    if (this.#fleet.crash !== undefined) this.end(this.#fleet.crash);
    const cores = this.#servers.since(now);
    const atS = Math.round((now - this.#startMs) / SECOND_MS);
    this.#recorder.add(second, now - fromMs, atS, cores, share !== undefined);
    this.#show(share);
    return second.cpuMs;
  }

  async #lookForProcesses(): Promise<void> {
    const { control } = this.#target;
    const read = control && (await readTarget(control));
    // Nobody may answer while it is rehearsed how placement is lost.
    if (read?.ok) this.#servers.watch(read.value.processes);
  }

  #show(share: number | undefined): void {
    const { all, seconds } = this.#recorder;
    const sum = (counts: Iterable<number>) =>
      [...counts].reduce((total, count) => total + count, 0);
    this.#parts.view.show({
      second: seconds.at(-1) as (typeof seconds)[number],
      clients: this.#parts.flags.clients,
      failed: sum(all.failures.values()) + sum(all.losses.values()),
      share,
      findings: sum(FINDINGS.map((name) => all.findings[name])),
    });
  }
}
