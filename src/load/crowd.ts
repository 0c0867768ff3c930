import type { Transport } from "../client/client.ts";
import { type Clock, holdingClock, type Timer } from "../kernel/clock.ts";
import { type Random, randomHex, systemRandom } from "../kernel/random.ts";
import { Bot, type BotHabits, type BotWitness, botHabits } from "./bot.ts";
import { type CheckReport, Checks } from "./checks.ts";
import { plazaScript, type WorldScript } from "./world-script.ts";

export interface CrowdOptions {
  readonly urls: readonly string[];
  /** A token for each bot, asked before each of its connections. */
  readonly token: (person: string, url: string) => Promise<string>;
  readonly bots: number;
  /** How many are started each second. */
  readonly startsPerSecond?: number | undefined;
  /** Joins under way at once; more wait. */
  readonly startingMax?: number | undefined;
  readonly world?: WorldScript | undefined;
  readonly habits?: Partial<BotHabits> | undefined;
  /** Names of bots begin with it; by default random, so that two crowds never speak alike. */
  readonly prefix?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly transport?: Transport | undefined;
  readonly witness?: BotWitness | undefined;
}

export interface CrowdReport extends CheckReport {
  /** In the room now, still to come, and refused or failed by reason. */
  readonly bots: number;
  readonly waiting: number;
  readonly failures: Readonly<Record<string, number>>;
}

const RAMP_STEP_MS = 50;

/** Many bots in one process, started at a steady rate. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #prefix: string;
  readonly #bots: Bot[] = [];
  readonly #failures = new Map<string, number>();
  readonly #ramp: Timer;
  #habits: BotHabits;
  #due = 0;
  #started = 0;
  #starting = 0;
  #stopped = false;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#clock = options.clock ?? holdingClock;
    this.#random = options.random ?? systemRandom;
    this.#habits = { ...botHabits, ...options.habits };
    this.#prefix = options.prefix ?? `bot-${randomHex(this.#random, 3)}`;
    this.#ramp = this.#clock.every(RAMP_STEP_MS, () => this.#rampUp(), 0);
  }

  /** Every bot was started and has either joined or failed. */
  get ready(): boolean {
    return this.#started >= this.#options.bots && this.#starting === 0;
  }

  get bots(): readonly Bot[] {
    return this.#bots;
  }

  /** Everybody's from now on, also of those who are still to come. */
  adopt(habits: Partial<Omit<BotHabits, "stepMs">>): void {
    this.#habits = { ...this.#habits, ...habits };
    for (const bot of this.#bots) bot.adopt(habits);
  }

  /** How far its start has come, which costs nothing to ask. */
  progress(): Pick<CrowdReport, "bots" | "waiting" | "failures"> {
    const waiting = this.#options.bots - this.#started + this.#starting;
    const failures = Object.fromEntries(this.#failures);
    const bots = this.#bots.filter((bot) => !bot.room.ended).length;
    return { bots, waiting, failures };
  }

  report(): CrowdReport {
    const checks = new Checks();
    for (const bot of this.#bots) checks.merge(bot.current());
    return { ...checks.report(), ...this.progress() };
  }

  /** All leave. Bots that were still joining leave as soon as they are in. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ramp.cancel();
    await Promise.all(this.#bots.map((bot) => bot.stop()));
  }

  #rampUp(): void {
    const { bots, startsPerSecond = 100, startingMax = 200 } = this.#options;
    this.#due = Math.min(bots, this.#due + (startsPerSecond * RAMP_STEP_MS) / 1000);
    while (this.#started < Math.floor(this.#due) && this.#starting < startingMax) {
      this.#starting++;
      void this.#start(++this.#started);
    }
    if (this.#started >= bots) this.#ramp.cancel();
  }

  async #start(number: number): Promise<void> {
    const { urls, token, transport, witness, world = plazaScript } = this.#options;
    try {
      const bot = await Bot.start({
        name: `${this.#prefix}-${number}`,
        number,
        urls,
        token,
        world,
        habits: this.#habits,
        clock: this.#clock,
        random: this.#random,
        transport,
        witness,
      });
      if (this.#stopped) await bot.stop();
      else this.#bots.push(bot);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
    } finally {
      this.#starting--;
    }
  }
}
