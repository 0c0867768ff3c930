import { SignJWT } from "jose";
import { connect } from "../../src/client/client.ts";
import { holdingClock } from "../../src/kernel/clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import type { BotWitness, CommandTold } from "../../src/load/bot.ts";
import { Checks } from "../../src/load/checks.ts";
import { Crowd } from "../../src/load/crowd.ts";
import { auditLedger, type LedgerLike, ledgerScript } from "../../src/load/ledger-script.ts";
import type {
  CommandNews,
  CutNews,
  FindingNews,
  FreshNews,
  FromBots,
  ToBots,
} from "./bots-messages.ts";
import { monotonicOf } from "./bots-messages.ts";

/**
 * A process full of checking bots, a crowd for each room. It tells the run what happened four times
 * a second, because the run judges faults by when people were served again.
 */
const NEWS_MS = 250;
const STEP_MS = 500;
/** In one message; the counts go on. */
const FINDINGS_MAX = 100;
const REST_MS_MAX = 20_000;
const READ_MS_MAX = 20_000;

interface Hall {
  readonly room: string;
  readonly crowd: Crowd;
  readonly acked: Set<string>;
}

const halls: Hall[] = [];
let start: Extract<ToBots, { type: "start" }> | undefined;
let fresh: FreshNews[] = [];
let commands: CommandNews[] = [];
let cuts: CutNews[] = [];
let findings: FindingNews[] = [];
let cpu = process.cpuUsage();
let cpuAtMs = performance.now();

process.on("disconnect", () => process.exit(1));
process.on("message", (message: ToBots) => {
  if (message.type === "start") begin(message);
  else if (message.type === "pace") {
    const { rooms, sayMs } = message;
    for (const { room, crowd } of halls) if (rooms.includes(room)) crowd.adopt({ sayMs });
  } else if (message.type === "audit") void audit();
  else void stop();
});

function begin(order: Extract<ToBots, { type: "start" }>): void {
  start = order;
  const { prefix, rooms, sayMs, seed, startsPerSecond, ways } = order;
  const key = new TextEncoder().encode(order.secret);
  const all = rooms.reduce((sum, { bots }) => sum + bots, 0);
  for (const [i, { room, bots }] of rooms.entries()) {
    const acked = new Set<string>();
    const crowd = new Crowd({
      urls: ways[i % ways.length] ?? [],
      token: (person) => tokenOf(person, key),
      bots,
      startsPerSecond: (startsPerSecond * bots) / all,
      world: ledgerScript(room),
      habits: { sayMs, emoteMs: 30_000, grabMs: Number.POSITIVE_INFINITY, stepMs: STEP_MS },
      prefix: `${prefix}${i}`,
      clock: holdingClock,
      random: seededRandom(seed * 1_000 + i),
      witness: witnessOf(room, acked),
    });
    halls.push({ room, crowd, acked });
  }
  setInterval(tell, NEWS_MS);
}

/** As an identity provider would sign it. */
function tokenOf(person: string, key: Uint8Array): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const claims = { sub: person, name: person, tenant: "demo", exp };
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(key);
}

function witnessOf(room: string, acked: Set<string>): BotWitness {
  return {
    fresh: (bot, epoch, atMs) => fresh.push([bot.name, room, epoch, monotonicOf(atMs)]),
    command: (_bot, told: CommandTold) => {
      const { key = "", moved, outcome, sentMs, tookMs } = told;
      // A key is `say:` and the token.
      if (outcome === "acked") acked.add(key.slice(4));
      commands.push([room, monotonicOf(sentMs), tookMs, moved, outcome]);
    },
    cut: (bot, code, reason) => {
      const why = `${code ?? ""} ${reason}`.trim();
      cuts.push([bot.name, room, monotonicOf(performance.now()), why]);
    },
    found: (bot, what, detail) => {
      const atMs = monotonicOf(performance.now());
      if (findings.length < FINDINGS_MAX) findings.push([bot.name, room, atMs, what, detail]);
    },
  };
}

function tell(): void {
  const checks = new Checks();
  let waiting = 0;
  const failures: Record<string, number> = {};
  const rooms = halls.map(({ room, crowd }) => {
    const living = crowd.bots.filter(({ room: { ended } }) => !ended);
    for (const bot of crowd.bots) checks.add(bot.current().counts);
    const report = crowd.progress();
    waiting += report.waiting;
    for (const [why, count] of Object.entries(report.failures))
      failures[why] = (failures[why] ?? 0) + count;
    const stalest = Math.min(...living.map(({ frameAtMs }) => frameAtMs));
    return { room, bots: living.length, stalestFrameMs: monotonicOf(stalest) };
  });
  say({
    type: "news",
    fresh,
    commands,
    cuts,
    findings,
    rooms,
    waiting,
    failures,
    counts: checks.counts,
    busy: busy(),
  });
  fresh = [];
  commands = [];
  cuts = [];
  findings = [];
}

function busy(): number {
  const { user, system } = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - cpuAtMs;
  cpu = process.cpuUsage();
  cpuAtMs = performance.now();
  return (user + system) / 1_000 / elapsedMs;
}

/** Reads every room as somebody who was never there, once nothing is open any more. */
async function audit(): Promise<void> {
  for (const { crowd } of halls) crowd.adopt({ sayMs: Number.POSITIVE_INFINITY });
  const openOf = (): number =>
    halls.reduce((sum, { crowd }) => sum + crowd.bots.reduce((open, bot) => open + bot.open, 0), 0);
  const deadline = performance.now() + REST_MS_MAX;
  while (openOf() > 0 && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, NEWS_MS));
  const audits = await Promise.all(
    halls.map(async ({ acked, room }) => auditLedger(acked, await ledgerOf(room))),
  );
  tell();
  say({
    type: "audited",
    acked: audits.reduce((sum, one) => sum + one.acked, 0),
    lost: audits.flatMap(({ lost }) => lost),
    doubled: audits.flatMap(({ doubled }) => doubled),
    open: openOf(),
  });
}

async function ledgerOf(name: string): Promise<LedgerLike> {
  if (!start) throw new Error("nothing was started");
  const { prefix, secret, ways } = start;
  const client = await connect({
    urls: ways.flat(),
    token: () => tokenOf(`${prefix}-auditor`, new TextEncoder().encode(secret)),
    agent: "audit",
    limits: { connectMsMax: READ_MS_MAX },
  });
  const profile = { name: "auditor", color: 0, model: "capsule" };
  const room = await client.join<LedgerLike>(name, { profile });
  const { tokens } = room.state;
  await room.leave();
  client.close();
  return { tokens };
}

async function stop(): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, 3_000));
  await Promise.race([Promise.all(halls.map(({ crowd }) => crowd.stop())), late]);
  process.exit(0);
}

function say(message: FromBots): void {
  process.send?.(message);
}
