import type { Contestant } from "./contestant.ts";
import type { Turn } from "./turn.ts";
import { UPDATES_HZ, usersOf, type Work } from "./work.ts";

type Table = Record<string, Record<string, number | null>>;

/** One turn as a line for people. */
export function lineOf(turn: Turn): string {
  const { measured, freshShare, faults } = turn;
  const parts = Object.entries(turn.cpuUsByProcess)
    .map(([name, us]) => `${name} ${us.toFixed(1)}`)
    .join(", ");
  return [
    `${turn.work} ${turn.contestant}: ${turn.cpuUsPerUserTick.toFixed(1)} us a user-tick (${parts})`,
    `${Math.round(bytesPerUserSecond(turn))} B/s a user`,
    `rows there ${(freshShare * 100).toFixed(1)} %`,
    `p50 ${measured.latencyMs.p50.toFixed(0)} p99 ${measured.latencyMs.p99.toFixed(0)} ms`,
    `${turn.serverCores.toFixed(2)} cores, clients ${measured.clientCores.toFixed(2)}`,
    `others on the core ${((turn.othersShare ?? 0) * 100).toFixed(0)} %`,
    faults.length === 0 ? "verified" : `NOT VERIFIED: ${faults.join("; ")}`,
  ].join(", ");
}

const bytesPerUserSecond = ({ measured }: Turn): number =>
  measured.bytes / measured.users / measured.seconds;

const usersPerCore = ({ cpuUsPerUserTick }: Turn): number => 1e6 / (cpuUsPerUserTick * UPDATES_HZ);

/** The figures of all turns. A turn that was not verified counts for nothing. */
export function reportOf(
  turns: readonly Turn[],
  works: readonly Work[],
  contestants: readonly Contestant[],
  failures: readonly string[],
) {
  const table = (figure: (turn: Turn) => number, digits: number): Table => {
    const rows: Table = {};
    for (const { name } of works) {
      const row: Record<string, number | null> = {};
      for (const contestant of contestants) {
        const mine = turns.filter((turn) => turn.work === name && by(contestant, turn));
        if (mine.length === 0) continue;
        row[contestant.name] = rounded(median(mine.filter(isVerified).map(figure)), digits);
      }
      rows[name] = row;
    }
    return rows;
  };
  return {
    density: table(usersPerCore, 0),
    cpu_us_per_user_tick: table(({ cpuUsPerUserTick }) => cpuUsPerUserTick, 2),
    ratio_of_ours: ratios("ours", turns, works, contestants),
    ratio_of_ours_public: ratios("ours_public", turns, works, contestants),
    egress_bytes_per_user_s: table(bytesPerUserSecond, 0),
    rows_there: table(({ freshShare }) => freshShare, 3),
    latency_p50_ms: table(({ measured }) => measured.latencyMs.p50, 1),
    latency_p99_ms: table(({ measured }) => measured.latencyMs.p99, 1),
    others_share_of_core: table(({ othersShare }) => othersShare ?? 0, 2),
    every_client_got_its_updates: everyClient(turns, works, contestants),
    not_verified: [
      ...failures,
      ...turns.flatMap(({ work, contestant, faults }) =>
        faults.map((fault) => `${work} ${contestant}: ${fault}`),
      ),
    ],
    users: Object.fromEntries(works.map((work) => [work.name, usersOf(work)])),
    contestants: Object.fromEntries(contestants.map(({ name, about }) => [name, about])),
  };
}

const by = (contestant: Contestant, turn: Turn): boolean => turn.contestant === contestant.name;
const isVerified = ({ faults }: Turn): boolean => faults.length === 0;

/**
 * The CPU of `base` over theirs, round by round, since what a round shares is the state of the
 * machine.
 */
function ratios(
  base: string,
  turns: readonly Turn[],
  works: readonly Work[],
  contestants: readonly Contestant[],
): Table {
  const rows: Table = {};
  for (const { name } of works) {
    const of = (contestant: string): Turn[] =>
      turns.filter((turn) => turn.work === name && turn.contestant === contestant);
    const mine = of(base);
    const row: Record<string, number | null> = {};
    for (const { name: peer } of contestants) {
      const theirs = of(peer);
      if (peer.startsWith("ours") || theirs.length === 0 || mine.length === 0) continue;
      const both = mine.flatMap((turn) => {
        const other = theirs.find(({ round }) => round === turn.round);
        if (!other || !isVerified(turn) || !isVerified(other)) return [];
        return turn.cpuUsPerUserTick / other.cpuUsPerUserTick;
      });
      row[peer] = rounded(median(both), 2);
    }
    rows[name] = row;
  }
  return rows;
}

function everyClient(
  turns: readonly Turn[],
  works: readonly Work[],
  contestants: readonly Contestant[],
): Record<string, Record<string, boolean>> {
  return Object.fromEntries(
    works.map(({ name }) => [
      name,
      Object.fromEntries(
        contestants.flatMap((contestant) => {
          const mine = turns.filter((turn) => turn.work === name && by(contestant, turn));
          if (mine.length === 0) return [];
          const all = mine.every(({ measured }) => measured.complete === measured.users);
          return [[contestant.name, all]];
        }),
      ),
    ]),
  );
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) return null;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
}

const rounded = (value: number | null, digits: number): number | null =>
  value === null ? null : Number(value.toFixed(digits));
