import { residentBytes } from "../../../src/load/cpu.ts";
import type { Window } from "../crowd/crowd.ts";
import { ROOM_SIZE } from "../crowd/mix.ts";
import type { Say } from "../crowd/progress.ts";
import { Show } from "../crowd/show.ts";
import type { Cores } from "../density/cores.ts";
import { type GrowthLimit, type Point, type Trend, trendOf } from "./trend.ts";

export interface SoakOptions {
  /** So many people; undefined takes as many as fill `share` of the gateway's core. */
  readonly users: number | undefined;
  readonly share: number;
  readonly usersMax: number;
  readonly warmUpS: number;
  readonly seconds: number;
  /** One sample is of so many. */
  readonly sampleS: number;
  readonly processes: number;
  readonly joinsPerSecond: number;
  readonly cores: Cores | undefined;
  readonly judgesTime: boolean;
  readonly say: Say;
  /** Of each server process, and of the frames' p99. */
  readonly memory: GrowthLimit;
  readonly p99Ms: GrowthLimit;
}

/** What one sample shows. */
export interface Sample {
  readonly atS: number;
  readonly frame_p50_ms: number;
  readonly frame_p99_ms: number;
  readonly pose_p99_ms: number;
  readonly frames_per_s: number;
  readonly skipped: number;
  readonly gateway_cores: number;
  /** Resident bytes of each server process. */
  readonly resident: Readonly<Record<string, number>>;
}

export type SoakReport = Awaited<ReturnType<typeof soak>>;

/** Of the gateway's core, in the search for the load: near enough. */
const NEAR = 0.05;
const STEPS_MAX = 12;
const FIRST_USERS = 400;

/** A steady load for long: does memory grow, do frames come later and later, is anything missed? */
export async function soak(options: SoakOptions) {
  const show = await Show.start({ ...options, gateways: 1, nodes: 1, seed: 1 });
  try {
    await load(show, options);
    options.say(`${show.crowd.users} people; ${options.warmUpS} s to warm up`);
    await show.crowd.settle(options.warmUpS);
    const { missed, samples } = await watch(show, options);
    const users = show.crowd.users;
    await show.close();
    return reportOf(samples, missed, users, options);
  } catch (error) {
    await show.kill();
    throw error;
  }
}

/** Lets people in until the gateway has as much to do as it should. */
async function load(show: Show, { say, share, users, usersMax }: SoakOptions): Promise<void> {
  if (users !== undefined) return show.grow(users);
  let wanted = FIRST_USERS;
  for (let step = 0; step < STEPS_MAX; step++) {
    await show.grow(Math.min(wanted, usersMax));
    await show.crowd.settle(3);
    show.cpu.since();
    await show.crowd.settle(5);
    const busy = show.cpu.since().gateway ?? 0;
    const now = show.crowd.users;
    say(`${now} people: the gateway has ${busy.toFixed(2)} of its core to do`);
    if (busy >= share - NEAR || now >= usersMax) return;
    // What the process costs by itself would lead too far at first.
    wanted = now + Math.max(ROOM_SIZE, Math.min(now, 0.8 * now * (share / busy - 1)));
  }
}

async function watch(show: Show, { sampleS, say, seconds }: SoakOptions) {
  const samples: Sample[] = [];
  const missed = new Set<string>();
  const fromMs = performance.now();
  show.cpu.since();
  for (let at = 0; at < seconds; at += sampleS) {
    const window = await show.crowd.window(sampleS);
    for (const finding of window.findings) missed.add(finding);
    const atS = (performance.now() - fromMs) / 1_000;
    const sample = sampleOf(show, window, atS);
    samples.push(sample);
    say(lineOf(sample));
  }
  return { samples, missed: [...missed] };
}

function sampleOf(show: Show, window: Window, atS: number): Sample {
  const { cluster } = show.product;
  const processes = [
    ...cluster.members.map(({ name, pid }) => [name, pid] as const),
    ...cluster.nats.servers.map(({ pid }, i) => [`nats-${i + 1}`, pid] as const),
  ];
  return {
    atS: Number(atS.toFixed(1)),
    frame_p50_ms: Number(window.frameMs.p50.toFixed(2)),
    frame_p99_ms: Number(window.frameMs.p99.toFixed(2)),
    pose_p99_ms: Number(window.poseMs.p99.toFixed(2)),
    frames_per_s: Math.round(window.frames / window.seconds),
    skipped: window.skipped,
    gateway_cores: Number((show.cpu.since().gateway ?? 0).toFixed(3)),
    resident: Object.fromEntries(processes.map(([name, pid]) => [name, residentBytes(pid) ?? 0])),
  };
}

function lineOf({ atS, frame_p99_ms: p99, gateway_cores: busy, resident }: Sample): string {
  const sizes = Object.entries(resident).map(
    ([name, bytes]) => `${name} ${(bytes / 1024 / 1024).toFixed(0)}`,
  );
  return `${atS.toFixed(0).padStart(5)} s: p99 ${p99} ms, gateway ${busy} cores, MiB: ${sizes.join(" ")}`;
}

function reportOf(
  samples: readonly Sample[],
  missed: readonly string[],
  users: number,
  options: SoakOptions,
) {
  const points = (of: (sample: Sample) => number): Point[] =>
    samples.map((sample) => ({ atS: sample.atS, value: of(sample) }));
  const names = Object.keys(samples[0]?.resident ?? {});
  const trends = names.map((name) => [
    name,
    trendOf(
      points(({ resident }) => resident[name] ?? 0),
      options.memory,
    ),
  ]);
  const memory = Object.fromEntries(trends) as Record<string, Trend | undefined>;
  const p99 = trendOf(
    points(({ frame_p99_ms }) => frame_p99_ms),
    options.p99Ms,
  );
  const isFlat = (trend: Trend | undefined): boolean => trend?.flat === true;
  const frames = samples.reduce((sum, sample) => sum + sample.frames_per_s * options.sampleS, 0);
  const skipped = samples.reduce((sum, sample) => sum + sample.skipped, 0);
  return {
    verdict: {
      memory_flat: names.length > 0 && Object.values(memory).every(isFlat),
      p99_flat: isFlat(p99),
      nothing_missed: missed.length === 0,
    },
    users,
    seconds: samples.at(-1)?.atS ?? 0,
    memory_bytes: memory,
    frame_p99_ms: p99,
    missed,
    skipped_share: Number((skipped / Math.max(1, frames + skipped)).toFixed(5)),
    samples,
  };
}
