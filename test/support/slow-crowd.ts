import { readFileSync } from "node:fs";
import { tokensOf } from "../../src/load/dense/tokens.ts";
import { ROW_WORDS, rowSlot } from "../../src/protocol/pose-row.ts";
import { type Cluster, SECRET } from "./cluster.ts";
import { PacedClient } from "./paced-client.ts";
import { waitUntil } from "./wait-until.ts";

const STEP_MS = 100;
/** As the SDK does: a ping so often, and a pose of who stands still. */
const PING_MS = 5_000;
const POSE_MS = 2_000;
/** So many join at once: more would be late with their hello on a busy machine. */
const JOINING_MAX = 20;
/** One that was late all the same comes again. */
const TRIES_MAX = 5;

/** One that can be made slow. */
export interface Slowpoke {
  readonly client: PacedClient;
  /** Stuck as a whole, it sends nothing either; a deaf one goes on sending. */
  readonly how: "stuck" | "deaf";
  /** Frames that came since it reads again, until the first that was not of before. */
  stale: number;
  /** How old, in room time, the first of them was. */
  firstAgeMs: number | undefined;
}

/**
 * People in one room: some walk, read all and write down what they see, the others stand and can
 * stop to read. What somebody is shown at a tick is compared with what all others were.
 */
export class SlowCrowd {
  readonly walkers: PacedClient[] = [];
  readonly slow: Slowpoke[] = [];
  /** Of every walker: the ticks of its frames since it was last asked. */
  #ticks: Set<number>[] = [];
  #countedFrom = 0;
  /** By tick: the row of each slot. */
  readonly #truth = new Map<number, Map<number, string>>();
  readonly #cluster: Cluster;
  readonly #room: string;
  readonly #tokens = tokensOf({ kind: "secret", secret: SECRET }, "demo");
  readonly #pingedAt = new Map<PacedClient, number>();
  readonly #timer: NodeJS.Timeout;
  #steps = 0;
  #seq = 0;
  #paused = false;
  #walking = true;

  constructor(cluster: Cluster, room: string) {
    this.#cluster = cluster;
    this.#room = room;
    this.#timer = setInterval(() => this.#step(), STEP_MS);
  }

  get everybody(): PacedClient[] {
    return [...this.walkers, ...this.slow.map(({ client }) => client)];
  }

  /** The newest tick that any walker was shown. */
  get tick(): number {
    return Math.max(...this.walkers.map(({ tick }) => tick));
  }

  /** `looks`: of how many of the slow ones every row is compared. */
  async join(walkers: number, slow: number, looks: number): Promise<void> {
    const walking = Array.from({ length: walkers }, (_, n) => `walker-${n}`);
    await this.#enter(walking, (client) => {
      client.onRows = (tick, rows) => this.#compare(client, tick, rows);
      this.walkers.push(client);
    });
    for (const [n, walker] of this.walkers.entries())
      walker.onFrame = (tick) => this.#ticks[n]?.add(tick);
    this.startCounting();
    const standing = Array.from({ length: slow }, (_, n) => `slow-${n}`);
    await this.#enter(standing, (client) => {
      const n = this.slow.length;
      client.looks = n < looks;
      client.onRows = (tick, rows) => this.#compare(client, tick, rows);
      const how = n % 2 === 0 ? "stuck" : "deaf";
      this.slow.push({ client, how, stale: 0, firstAgeMs: undefined });
      client.pose(n * 0.1, 60);
    });
    const shown = (): boolean => this.everybody.every(({ frames }) => frames > 0);
    await waitUntil("everybody has been shown a frame", shown, { timeoutMs: 20_000 });
  }

  /** From now on nobody of the slow ones reads. */
  pause(): void {
    for (const { client } of this.slow) client.pause();
    this.#paused = true;
  }

  /** They read again, and are heard again. */
  resume(): void {
    const { tick } = this;
    this.#paused = false;
    for (const slowpoke of this.slow) {
      const { client } = slowpoke;
      client.onFrame = (shown, at) => {
        slowpoke.firstAgeMs ??= Date.now() - at;
        if (shown <= tick) slowpoke.stale++;
      };
      client.ping();
      client.resume();
    }
  }

  /** Walkers stay where they are, so that what everybody sees comes to rest. */
  rest(): void {
    this.#walking = false;
  }

  startCounting(): void {
    this.#ticks = this.walkers.map(() => new Set());
    this.#countedFrom = this.tick;
  }

  /** Of each walker: how many frames it was not sent that another one was. */
  missed(): number[] {
    const ticks = this.#ticks;
    const newest = Math.min(...ticks.map((seen) => Math.max(0, ...seen)));
    const isBetween = (tick: number): boolean => tick > this.#countedFrom && tick <= newest;
    const told = new Set(ticks.flatMap((seen) => [...seen].filter(isBetween)));
    return ticks.map((seen) => [...told].filter((tick) => !seen.has(tick)).length);
  }

  get wrong(): string[] {
    return this.everybody.flatMap(({ person, wrong, gone }) => [
      ...wrong.map((what) => `${person}: ${what}`),
      ...(gone === undefined ? [] : [`${person} is gone: ${gone}`]),
    ]);
  }

  /** Slots of which this client's row is not the one that walkers have. */
  mistaken(client: PacedClient): number[] {
    const [walker] = this.walkers;
    return [...(walker?.rows ?? [])]
      .filter(
        ([slot, row]) => textOf(client.rows.get(slot) ?? new Uint32Array(0), 0) !== textOf(row, 0),
      )
      .map(([slot]) => slot);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const client of this.everybody) client.destroy();
  }

  /** A few at a time; whoever is in is handed over, the others come again. */
  async #enter(people: readonly string[], entered: (client: PacedClient) => void): Promise<void> {
    const [url = ""] = this.#cluster.gateways;
    for (let waiting = [...people], tries = 0; waiting.length > 0; tries++) {
      const late: string[] = [];
      for (let at = 0; at < waiting.length; at += JOINING_MAX) {
        const dialled = await Promise.all(
          waiting.slice(at, at + JOINING_MAX).map(async (name) => {
            const person = `${name}.${tries}`;
            const token = await this.#tokens(person);
            return { name, client: new PacedClient(url, this.#room, { person, token }) };
          }),
        );
        await waitUntil(
          "they are in, or late",
          () => dialled.every(({ client }) => client.isIn || client.gone !== undefined),
          { timeoutMs: 60_000, dump: () => this.#cluster.dump() },
        );
        for (const { name, client } of dialled)
          if (client.isIn) entered(client);
          else late.push(name);
      }
      if (tries === TRIES_MAX)
        throw new Error(`not in: ${late.join(" ")}\n${this.#cluster.dump()}`);
      waiting = late;
    }
  }

  #step(): void {
    this.#steps++;
    const now = performance.now();
    const round = (this.#steps % 200) / 10;
    for (const [n, walker] of this.walkers.entries()) {
      if (this.#walking) walker.pose(n * 0.4 + round, 5 + (round % 3));
      this.#pingIfDue(walker, now);
    }
    for (const [n, { client, how }] of this.slow.entries()) {
      if (this.#paused && how === "stuck") continue;
      if ((this.#steps + n) % (POSE_MS / STEP_MS) === 0) client.pose(n * 0.1, 60);
      this.#pingIfDue(client, now);
    }
    const [first] = this.walkers;
    if (first && this.#walking && this.#steps % 10 === 0)
      first.command(++this.#seq, "put", { token: `token-${this.#seq}` });
  }

  #pingIfDue(client: PacedClient, now: number): void {
    if (now - (this.#pingedAt.get(client) ?? 0) < PING_MS) return;
    this.#pingedAt.set(client, now);
    client.ping();
  }

  #compare(client: PacedClient, tick: number, rows: Uint32Array): void {
    let truth = this.#truth.get(tick);
    if (!truth) {
      truth = new Map();
      this.#truth.set(tick, truth);
    }
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const slot = rowSlot(rows, at);
      const row = textOf(rows, at);
      const known = truth.get(slot);
      if (known === undefined) truth.set(slot, row);
      else if (known !== row)
        client.wrong.push(`slot ${slot} at tick ${tick}: ${row}, not ${known}`);
    }
  }
}

const textOf = (rows: Uint32Array, at: number): string =>
  rows.subarray(at, at + ROW_WORDS).join(" ");

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
