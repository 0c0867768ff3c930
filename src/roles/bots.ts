import { type Clock, holdingClock } from "../kernel/clock.ts";
import { processId } from "../kernel/ids.ts";
import { randomHex, systemRandom } from "../kernel/random.ts";
import { Crowd } from "../load/crowd.ts";
import { plazaScript } from "../load/world-script.ts";
import { createLog } from "../observe/log.ts";
import type { Log } from "../observe/observer.ts";
import { devToken } from "./demo-room.ts";
import { crashOnBugs, stopOnSignals, tellWhenReady } from "./process.ts";

export interface BotFlags {
  readonly gateways: readonly string[];
  readonly room: string;
  readonly bots: number;
  /** Started by another process, which watches over this one. */
  readonly supervised: boolean;
}

const REPORT_MS = 30_000;
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
  const bots = startBots(flags, log, holdingClock);
  stopOnSignals(log, () => bots, STOP_MS_MAX, flags.supervised);
  if (flags.supervised) tellWhenReady(bots, self);
}

/** The same inside of another process. They are ready at once: a demo need not wait for them. */
export function startBots(
  { gateways, room, bots }: Pick<BotFlags, "gateways" | "room" | "bots">,
  log: Log,
  clock: Clock,
): { notReady(): readonly string[]; stop(): Promise<void> } {
  const crowd = new Crowd({
    urls: gateways,
    token: (person, url) => devToken(url, { person, role: "audience" }),
    bots,
    startsPerSecond: STARTS_PER_SECOND,
    world: { ...plazaScript, room },
    clock,
  });
  const report = (): void => {
    const { latency, frameGap, failures, ...counts } = crowd.report();
    const broken = counts.lost + counts.doubled + counts.ghosts + counts.regressed;
    const fields = { ...counts, latency, frameGap, failures };
    if (broken > 0) log.error(fields, "Bots found a promise broken.");
    else log.info(fields, "Bots found every promise kept.");
  };
  const reports = clock.every(REPORT_MS, report);
  return {
    notReady: () => [],
    stop: async () => {
      reports.cancel();
      report();
      await crowd.stop();
    },
  };
}
