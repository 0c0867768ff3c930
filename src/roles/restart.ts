import { Fleet, refusalOf, settledListing, targetsOf } from "./fleet.ts";
import { OneRestart, type RestartedProcess } from "./one-restart.ts";
import {
  type Outcome,
  type RestartOptions,
  type RestartParts,
  type Stop,
  seconds,
} from "./restart-terms.ts";

/**
 * `refused`: nothing was done. Else `left` were not restarted, or are not back: `degraded` where
 * the fleet is not what it was, `rooms_left` where rooms were taken over instead of handed over,
 * `incomplete` for the rest.
 */
export interface RestartReport {
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly restarted: readonly RestartedProcess[];
  readonly left: readonly string[];
}

/**
 * Restarts every process of the roles, one at a time: each is emptied first, and the next one's
 * turn comes when it is back and stays. Who starts processes again is their supervisor.
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
  const fleet = new Fleet(first.ok ? first.value : [], options, parts);
  const restarted: RestartedProcess[] = [];
  const stopped = (stop: Stop): RestartReport => ({
    ...stop,
    restarted,
    left: names.slice(restarted.length),
  });
  for (const [i, target] of targets.entries()) {
    const done = await new OneRestart(target, fleet, options, parts).run();
    if (!done.ok) return stopped(done.error);
    restarted.push(done.value);
    const { name, ms, to, roomsLeft } = done.value;
    parts.say(`${i + 1} of ${targets.length}: ${name} is back as ${to} after ${seconds(ms)}`);
    if (roomsLeft === 0) continue;
    const reason = leftBehind(name, roomsLeft);
    if (options.roomsLeft === "stop") return stopped({ outcome: "rooms_left", reason });
    parts.say(reason);
  }
  // The last one has to stay, too.
  const calm = await fleet.untilCalm("All were restarted.");
  return calm.ok ? { outcome: "done", reason: null, restarted, left: [] } : stopped(calm.error);
}

const leftBehind = (name: string, rooms: number): string =>
  `${name} ended with ${rooms} rooms that it had not handed over, so that they were taken over as after a crash. Could another node take them, and in that time (--drain)?`;

/** Runs it for a person, or with `json` for a program; answers whether to call it a success. */
export async function runRestart(
  options: RestartOptions & { readonly json: boolean },
  parts: Omit<RestartParts, "say">,
): Promise<Outcome> {
  const say = (line: string): void => void process.stderr.write(`roomcluster: ${line}\n`);
  const report = await restartCluster(options, { ...parts, say });
  const { outcome, reason, restarted, left } = report;
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  if (outcome === "done") say(`${restarted.length} processes were restarted, one after the other`);
  else say(reason ?? outcome);
  if (outcome !== "done" && outcome !== "refused" && left.length > 0)
    say(`not done: ${left.join(", ")}`);
  return outcome;
}
