import { Percentiles } from "../../../src/load/percentiles.ts";
import { waitUntil } from "../../support/wait-until.ts";
import type { Dialect, Person, Said, Talk } from "./dialect.ts";
import { LightSocket } from "./light-socket.ts";
import { poseOf, stampAt } from "./motion.ts";
import { Witness, type WitnessReport } from "./witness.ts";
import { isMover, STANDING_HZ, UPDATES_HZ, usersOf, type Work } from "./work.ts";

/** People take their turns to send in slots of this length. */
const SLOT_MS = 5;
const MOVER_SLOTS = 1000 / UPDATES_HZ / SLOT_MS;
const STANDING_SLOTS = 1000 / STANDING_HZ / SLOT_MS;
const JOIN_MS_MAX = 20_000;
const JOINS_AT_ONCE = 40;

export interface Job {
  readonly work: Work;
  readonly host: string;
  readonly port: number;
  /** This many of each room decode and check everything that they get. */
  readonly witnessesPerRoom: number;
}

export interface Measured {
  readonly seconds: number;
  readonly users: number;
  readonly updates: number;
  /** Updates of the client that got fewest. */
  readonly updatesLeast: number;
  /** Clients that got every update, give or take the edges of the window. */
  readonly complete: number;
  readonly bytes: number;
  readonly sent: number;
  /** Longest time that any client went without an update. */
  readonly gapMsMax: number;
  readonly lost: readonly string[];
  readonly witnesses: readonly WitnessReport[];
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Share of a core that the clients took. */
  readonly clientCores: number;
}

/** Everybody who is in the rooms of one contestant, in one process. */
export class Audience {
  readonly #job: Job;
  readonly #dialect: Dialect;
  readonly #members: Member[] = [];
  readonly #lost: string[] = [];
  #latency = new Percentiles();
  #pace: NodeJS.Timeout | undefined;

  constructor(job: Job, dialect: Dialect) {
    this.#job = job;
    this.#dialect = dialect;
  }

  async join(): Promise<void> {
    const { work } = this.#job;
    const people = Array.from({ length: usersOf(work) }, (_, i): Person => {
      return { room: i % work.rooms, index: Math.floor(i / work.rooms) };
    });
    this.#walk();
    // A room's first person may be the one who makes it; two at once would make two.
    await Promise.all(people.splice(0, work.rooms).map((person) => this.#enter(person)));
    const lanes = Array.from({ length: JOINS_AT_ONCE }, async () => {
      for (let next = people.shift(); next; next = people.shift()) await this.#enter(next);
    });
    await Promise.all(lanes);
  }

  async #enter(person: Person): Promise<void> {
    const { work, host, port, witnessesPerRoom } = this.#job;
    const talk = await this.#dialect.dial(`http://${host}:${port}`, person);
    const looks = person.index < witnessesPerRoom;
    const witness = looks ? new Witness(work, person.index, this.#latency) : undefined;
    const member = new Member({ host, port }, person, talk, witness, (why) => this.#lose(why));
    this.#members.push(member);
    await waitUntil(`person ${person.index} is in room ${person.room}`, () => talk.joined, {
      timeoutMs: JOIN_MS_MAX,
      dump: () => this.#lost.join("\n"),
    });
  }

  #lose(why: string): void {
    this.#lost.push(why);
  }

  /** Slots that a late timer missed are made up for, so that the rates are what they should be. */
  #walk(): void {
    const startedMs = performance.now();
    let slot = 0;
    this.#pace = setInterval(() => {
      const due = Math.floor((performance.now() - startedMs) / SLOT_MS);
      while (slot < due) this.#take(slot++);
    }, SLOT_MS);
  }

  #take(slot: number): void {
    const { work } = this.#job;
    const { beatMs } = this.#dialect;
    const beatSlots = beatMs === undefined ? 0 : beatMs / SLOT_MS;
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i] as Member;
      if (!member.talk.joined) continue;
      const { index, room } = member.person;
      const moves = isMover(work, index);
      // Primes spread the people of one room, and the rooms, over the slots.
      const turn = slot + index * 131 + room * 37;
      if (turn % (moves ? MOVER_SLOTS : STANDING_SLOTS) === 0) member.step(moves);
      if (beatSlots > 0 && turn % beatSlots === 0) member.beat();
    }
  }

  async measure(seconds: number): Promise<Measured> {
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    for (const member of this.#members) member.begin(startedMs);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const endedMs = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    const took = (endedMs - startedMs) / 1000;
    const counts = this.#members.map((member) => member.updates);
    const enough = Math.floor(took * UPDATES_HZ * 0.98) - 1;
    const sum = (of: (member: Member) => number): number =>
      this.#members.reduce((total, member) => total + of(member), 0);
    const { p50, p99, max } = this.#latency.summary();
    return {
      seconds: took,
      users: counts.length,
      updates: sum((member) => member.updates),
      updatesLeast: Math.min(...counts),
      complete: counts.filter((count) => count >= enough).length,
      bytes: sum((member) => member.bytes),
      sent: sum((member) => member.sent),
      gapMsMax: Math.max(...this.#members.map((member) => member.gapMs(endedMs))),
      lost: this.#lost.slice(0, 20),
      witnesses: this.#members.flatMap(({ witness }) => witness?.report() ?? []),
      latencyMs: { p50, p99, max },
      clientCores: (user + system) / 1e6 / took,
    };
  }

  close(): void {
    clearInterval(this.#pace);
    for (const member of this.#members) member.close();
  }
}

class Member {
  updates = 0;
  sent = 0;
  readonly person: Person;
  readonly talk: Talk;
  readonly witness: Witness | undefined;
  readonly #socket: LightSocket;
  readonly #replies: Said[] = [];
  #bytesBefore = 0;
  #heardMs = 0;
  #gapMs = 0;
  #standing: Said | undefined;

  constructor(
    to: { readonly host: string; readonly port: number },
    person: Person,
    talk: Talk,
    witness: Witness | undefined,
    lose: (why: string) => void,
  ) {
    this.person = person;
    this.talk = talk;
    this.witness = witness;
    this.#socket = new LightSocket(
      to,
      { path: talk.path, subprotocol: talk.subprotocol },
      {
        opened: () => {
          for (const said of talk.opened()) this.#socket.send(said);
        },
        message: (text, payload) => this.#hear(text, payload),
        closed: (why) => lose(`room ${person.room} person ${person.index}: ${why}`),
      },
    );
  }

  get bytes(): number {
    return this.#socket.bytes - this.#bytesBefore;
  }

  #hear(text: boolean, payload: Buffer): void {
    const replies = this.#replies;
    if (this.talk.hear(text, payload, replies) === "update") {
      const nowMs = performance.now();
      this.updates++;
      this.#gapMs = Math.max(this.#gapMs, nowMs - this.#heardMs);
      this.#heardMs = nowMs;
      this.witness?.hear(this.talk, payload, nowMs);
    }
    for (const reply of replies.splice(0)) this.#socket.send(reply);
  }

  /** Who stands still repeats its first pose. */
  step(moves: boolean): void {
    const said = this.#standing ?? this.talk.pose(poseOf(this.person.index, stampAt(now())));
    if (!moves) this.#standing = said;
    this.sent++;
    this.#socket.send(said);
  }

  beat(): void {
    const said = this.talk.beat?.();
    if (said !== undefined) this.#socket.send(said);
  }

  begin(nowMs: number): void {
    this.updates = 0;
    this.sent = 0;
    this.#bytesBefore = this.#socket.bytes;
    this.#heardMs = nowMs;
    this.#gapMs = 0;
    this.witness?.begin();
  }

  gapMs(nowMs: number): number {
    return Math.max(this.#gapMs, nowMs - this.#heardMs);
  }

  close(): void {
    this.#socket.destroy();
  }
}

const now = (): number => performance.now();
