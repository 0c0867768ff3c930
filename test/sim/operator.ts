import { eventRoutes } from "../../src/control/events-api.ts";
import { dispatch } from "../../src/control/route.ts";
import { type Random, randomBelow } from "../../src/kernel/random.ts";
import type { HttpAnswer } from "../../src/observe/http-answers.ts";
import { controlPort } from "../../src/roles/placement.ts";
import { EVENT, type EventShape, STAGE_WORLD } from "./event-world.ts";
import type { Fleet } from "./fleet.ts";

/** Something that is said of the event, as the audit is to have it. */
export interface Word {
  readonly what: string;
  readonly body: unknown;
  readonly person?: string;
}

export interface OperatorWitness {
  readonly asked: (word: Word) => void;
  /** Its answer says that it is done. */
  readonly acked: (word: Word) => void;
  readonly answered: (what: string, answer: HttpAnswer) => void;
}

const PATH = `/v1/events/sim/${EVENT}`;
const AGAIN_MS = 700;
/** An answer that has not come by then is given up: whoever was asked may have died. */
const ANSWER_MS_MAX = 9_000;
const WORD_MS = { min: 1_500, max: 5_000 };
/** Longer than visitors mostly wait until they say the next thing. */
const SLOW_MS = 8_000;
/** Of the visitors, at once. */
const BANNED_MAX = 2;

/** Whoever runs the event, by the operator API of whichever placement replica answers. */
export class Operator {
  readonly #fleet: Fleet;
  readonly #shape: EventShape;
  readonly #random: Random;
  readonly #witness: OperatorWitness;
  readonly #banned = new Set<string>();
  readonly #muted = new Set<string>();
  #slow = false;
  #words = 0;

  constructor(fleet: Fleet, shape: EventShape, random: Random, witness: OperatorWitness) {
    this.#fleet = fleet;
    this.#shape = shape;
    this.#random = random;
    this.#witness = witness;
  }

  /** Makes the event and opens its doors; then says this and that until `untilMs`. */
  begin(untilMs: number): void {
    this.open();
    this.#fleet.time.in(6_000, () => this.#go(untilMs));
  }

  /** Once more where a restore took it back: who asks again for what is there changes nothing. */
  open(): void {
    const { shards, shardSize } = this.#shape;
    const capacity = shards * shardSize;
    const spec = { event: `sim/${EVENT}`, world: STAGE_WORLD, capacity, shardSize };
    this.#until("POST", "/v1/events", spec, () =>
      this.#until("POST", `${PATH}/phase`, { phase: "doors_open" }, () => {}),
    );
  }

  /** What the event's owner tells of it; undefined where nobody does. */
  read(told: (answer: HttpAnswer | undefined) => void): void {
    this.#ask("GET", PATH, undefined, told);
  }

  #go(untilMs: number): void {
    const { time } = this.#fleet;
    if (time.now > untilMs) return;
    this.#say();
    const { max, min } = WORD_MS;
    time.in(min + this.#random.next() * (max - min), () => this.#go(untilMs));
  }

  #say(): void {
    const who = this.#fleet.visitors[randomBelow(this.#random, this.#fleet.visitors.length)];
    const person = who?.name ?? "";
    const why = `word ${++this.#words}`;
    const draw = this.#random.next();
    if (draw < 0.2) this.#order("announce", "event.announce", why, { text: why });
    else if (draw < 0.4) this.#order("kick", "event.kick", person, { person }, person);
    else if (draw < 0.6) this.#turn("ban", this.#banned, BANNED_MAX, person, why);
    else if (draw < 0.8) this.#turn("mute", this.#muted, BANNED_MAX, person, why);
    else this.#slowDown();
  }

  /** Everybody in the audience; or ends that. */
  #slowDown(): void {
    this.#slow = !this.#slow;
    const body = { person: null, everyMs: this.#slow ? SLOW_MS : 0 };
    this.#order("slow", "event.slow", body, body);
  }

  /** Takes somebody in who is out, and the other way round. */
  #turn(what: "ban" | "mute", all: Set<string>, max: number, person: string, why: string): void {
    const [first] = all;
    const back = all.has(person) || all.size >= max ? first : undefined;
    if (back !== undefined) {
      all.delete(back);
      const word = { what: `event.un${what}`, body: back, person: back };
      this.#ordered(word, "DELETE", `${PATH}/${what}s/${back}`, undefined);
      return;
    }
    all.add(person);
    const body = { person, until: null, why };
    this.#order(what, `event.${what}`, body, body, person);
  }

  #order(below: string, what: string, body: unknown, sent: object, person?: string): void {
    const word = person === undefined ? { what, body } : { what, body, person };
    this.#ordered(word, "POST", `${PATH}/${below}`, sent);
  }

  #ordered(word: Word, method: string, path: string, body: object | undefined): void {
    this.#witness.asked(word);
    this.#ask(method, path, body, (answer) => {
      if (answer) this.#witness.answered(word.what, answer);
      if (answer?.status === 200) this.#witness.acked(word);
    });
  }

  /** Again and again until it is done. */
  #until(method: string, path: string, body: object, done: () => void): void {
    this.#ask(method, path, body, (answer) => {
      if (answer) this.#witness.answered(path, answer);
      if (answer && answer.status < 300) return done();
      this.#fleet.time.in(AGAIN_MS, () => this.#until(method, path, body, done));
    });
  }

  #ask(
    method: string,
    path: string,
    body: object | undefined,
    told: (answer: HttpAnswer | undefined) => void,
  ): void {
    const { placements, time } = this.#fleet;
    const up = placements.filter(({ process }) => process.up);
    const replica = up[randomBelow(this.#random, Math.max(1, up.length))];
    if (!replica) return void time.in(0, () => told(undefined));
    const { placement, process } = replica;
    const { connections, main } = process;
    const routes = eventRoutes(controlPort(placement, connections.stores.index, main.clock));
    let open = true;
    const settle = (answer: HttpAnswer | undefined): void => {
      if (open) told(answer);
      open = false;
    };
    time.in(ANSWER_MS_MAX, () => settle(undefined));
    const request = {
      method,
      path,
      query: new URLSearchParams(),
      headers: { "content-type": "application/json" },
      body: body ? new TextEncoder().encode(JSON.stringify(body)) : new Uint8Array(),
      fromLoopback: true,
    };
    void dispatch(routes, request).then(settle);
  }
}
