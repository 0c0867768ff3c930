import { writeFileSync } from "node:fs";
import os from "node:os";
import { toolFlags } from "../support/tool-flags.ts";
import type { Contestant } from "./density/contestant.ts";
import { beNice, coresOfMachine } from "./density/cores.ts";
import { ours } from "./density/ours.ts";
import { installPeers, peers } from "./density/peers.ts";
import { lineOf, reportOf } from "./density/report.ts";
import { type Turn, takeTurn } from "./density/turn.ts";
import type { Work, WorkName } from "./density/work.ts";

/**
 * How many people one core serves, ours and what a user would pick instead, at the same work in
 * turns. README.md here says what is measured, and why it is fair.
 */
const values = toolFlags({
  works: { type: "string", default: "rooms50,room500,crowd" },
  contestants: { type: "string", default: "ours,ours_public,ws,socketio,colyseus,ws_interest" },
  users: { type: "string", default: "2000", least: 1, whole: true },
  rounds: { type: "string", default: "3", least: 1, whole: true },
  seconds: { type: "string", default: "10", least: 0.1 },
  "warm-up": { type: "string", default: "5", least: 0 },
  witnesses: { type: "string", least: 0, whole: true },
  nice: { type: "string", default: "0", least: -20, whole: true },
  quick: { type: "boolean", default: false },
  json: { type: "string" },
});
const users = values.quick ? 200 : Number(values.users);
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 4 : Number(values.seconds);
const warmUpSeconds = values.quick ? 2 : Number(values["warm-up"]);
const say = (text: string): void => console.error(text);

const WORKS: Readonly<Record<WorkName, Work>> = {
  rooms50: { name: "rooms50", rooms: Math.ceil(users / 50), roomSize: 50, moversOfTen: 10 },
  room500: { name: "room500", rooms: 1, roomSize: values.quick ? 200 : 500, moversOfTen: 10 },
  crowd: { name: "crowd", rooms: Math.ceil(users / 200), roomSize: 200, moversOfTen: 3 },
};

const cores = coresOfMachine();
if (!cores) say("one core, or no taskset: nothing is pinned, and the figures are worth less");
installPeers(say);
const contestants = chosen(values.contestants, [...ours(), ...peers()], ({ name }) => name);
const works = chosen(values.works, Object.values(WORKS), ({ name }) => name);
beNice(Number(values.nice));
const turns: Turn[] = [];
const failures: string[] = [];
for (let round = 0; round < rounds; round++) {
  for (const work of works) {
    const among = contestants.filter(
      ({ name }) => name !== "ws_interest" || work.name === "room500",
    );
    // Whoever begins changes from round to round: a machine gets slower or faster meanwhile.
    const order = among.map((_, i) => among[(i + round) % among.length] as Contestant);
    for (const contestant of order) {
      const options = {
        round,
        cores,
        warmUpSeconds,
        seconds,
        witnessesPerRoom: Number(values.witnesses ?? (work.rooms === 1 ? 5 : 1)),
      };
      try {
        const turn = await takeTurn(contestant, work, options);
        turns.push(turn);
        say(`${round + 1}/${rounds} ${lineOf(turn)}`);
      } catch (error) {
        // What the others did is not lost because of one.
        const { message } = error as Error;
        failures.push(`${work.name} ${contestant.name}: ${message}`);
        say(`${round + 1}/${rounds} ${work.name} ${contestant.name} FAILED: ${message}`);
      }
    }
  }
}

const report = {
  ...reportOf(turns, works, contestants, failures),
  pinned: cores ?? null,
  options: { users, rounds, seconds, warmUpSeconds, nice: Number(values.nice) },
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  date: new Date().toISOString().slice(0, 10),
  turns,
};
const { turns: _, ...short } = report;
console.log(JSON.stringify(short, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(failures.length === 0 ? 0 : 1);

function chosen<T>(list: string, all: readonly T[], name: (each: T) => string): T[] {
  return list.split(",").map((wanted) => {
    const found = all.find((each) => name(each) === wanted);
    if (!found) throw new Error(`no ${wanted}: there are ${all.map(name).join(", ")}`);
    return found;
  });
}
