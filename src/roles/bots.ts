import { type Clock, holdingClock } from "../kernel/clock.ts";
import { processId } from "../kernel/ids.ts";
import { randomHex, systemRandom } from "../kernel/random.ts";
import { reasonOf } from "../kernel/reason.ts";
import { Crowd } from "../load/crowd.ts";
import { isLoud } from "../load/show-script.ts";
import { concertScript, plazaScript } from "../load/world-script.ts";
import { createLog } from "../observe/log.ts";
import type { Log } from "../observe/observer.ts";
import { Arrivals } from "./arrivals.ts";
import { startBand } from "./demo-band.ts";
import { devToken } from "./demo-room.ts";
import { crashOnBugs, EXIT, endWhen, stopOnSignals, tellWhenReady } from "./process.ts";

export interface BotFlags {
  readonly gateways: readonly string[];
  readonly room: string;
  readonly bots: number;
  /** An event at which some perform and others are the audience; undefined for none. */
  readonly show: { readonly event: string; readonly audience: number } | undefined;
  /** Started by another process, which watches over this one. */
  readonly supervised: boolean;
}

const REPORT_MS = 30_000;
const LOOK_MS = 250;
const STOP_MS_MAX = 2_000;
/** All at once would be a load test of joining, which the demo is not. */
const STARTS_PER_SECOND = 20;

/** Visitors of the demo room as a whole process. */
export async function runBots(flags: BotFlags): Promise<void> {
  const self = processId(`bots.${randomHex(systemRandom, 8)}`);
  const log = createLog({
    level: "info",
    who: { role: "bots", process: self },
    clock: holdingClock,
    pretty: process.stdout.isTTY === true,
  });
  crashOnBugs(log);
  // Beside a log that nobody may look at. A supervisor passes the log on.
  const say = (sentence: string): void => {
    if (flags.supervised) log.warn({ reason: sentence }, "Bots do not come in.");
    else process.stderr.write(`roomcluster bots: ${sentence}\n`);
  };
  const bots = startBots(flags, log, holdingClock, say);
  stopOnSignals(log, () => bots, STOP_MS_MAX, flags.supervised);
  endWithoutAnybody(bots, log, say);
  if (flags.supervised) tellWhenReady(bots, self);
}

/** Nobody is started again who has given up: without anybody this process has nothing to do. */
function endWithoutAnybody(bots: Bots, log: Log, say: (sentence: string) => void): void {
  const clock = holdingClock;
  const looking = clock.every(LOOK_MS, () => {
    if (bots.arrival() === "coming") return;
    looking.cancel();
    if (bots.arrival() === "in") return;
    say("nobody has come in, so this ends.");
    endWhen(bots.stop(), { clock, log }, STOP_MS_MAX, EXIT.failed);
  });
}

/** Between two reactions of one person in the audience, in the mean. */
const LOUD_MS = 1_500;
const CALM_MS = 9_000;
const LISTEN_MS = 500;

export interface Bots {
  notReady(): readonly string[];
  /** Whether anybody has come in; `nobody` where no one will. */
  arrival(): ReturnType<Arrivals["look"]>;
  stop(): Promise<void>;
}

/**
 * The same inside of another process. They are ready at once: a demo need not wait for them. `tell`
 * hears each cause for which somebody does not come in, once.
 */
export function startBots(
  { gateways, room, bots, show }: Omit<BotFlags, "supervised">,
  log: Log,
  clock: Clock,
  tell: (cause: string) => void,
): Bots {
  const arrivals = new Arrivals(tell);
  const sinceMs = clock.now();
  const token = async (person: string, url: string): Promise<string> => {
    try {
      return await devToken(url, { person, role: "audience" });
    } catch (error) {
      arrivals.failed(reasonOf(error));
      throw error;
    }
  };
  const common = { urls: gateways, token, startsPerSecond: STARTS_PER_SECOND, clock };
  const crowds = [new Crowd({ ...common, bots, world: { ...plazaScript, room } })];
  const band = show && startBand(gateways, show.event, log, clock);
  const reportAll = (): void => {
    for (const crowd of crowds) report(crowd, log);
  };
  const arrival = () => arrivals.look(crowds, clock.now() - sinceMs);
  const timers = [clock.every(REPORT_MS, reportAll), clock.every(LOOK_MS, arrival)];
  if (show && band) {
    const world = concertScript(show.event);
    const habits = { sayMs: 60_000, emoteMs: CALM_MS };
    const crowd = new Crowd({ ...common, bots: show.audience, world, habits });
    crowds.push(crowd);
    let loud = false;
    const listen = (): void => {
      const moment = band.moment();
      const now = moment !== undefined && isLoud(moment);
      if (now !== loud) crowd.adopt({ emoteMs: now ? LOUD_MS : CALM_MS });
      loud = now;
    };
    timers.push(clock.every(LISTEN_MS, listen));
  }
  return {
    notReady: () => [],
    arrival,
    stop: async () => {
      for (const timer of timers) timer.cancel();
      reportAll();
      await Promise.all([band?.stop(), ...crowds.map((crowd) => crowd.stop())]);
    },
  };
}

function report(crowd: Crowd, log: Log): void {
  const { latency, frameGap, failures, ...counts } = crowd.report();
  const broken = counts.lost + counts.doubled + counts.ghosts + counts.regressed;
  const fields = { ...counts, latency, frameGap, failures };
  const wanted = counts.waiting + counts.ended + Object.keys(failures).length;
  if (broken > 0) log.error(fields, "Bots found a promise broken.");
  else if (counts.bots === 0 && wanted > 0) log.warn(fields, "No bot is in.");
  else log.info(fields, "Bots found every promise kept.");
}
