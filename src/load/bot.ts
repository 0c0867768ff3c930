import {
  type Client,
  CommandRefused,
  connect,
  type EndCode,
  type Room,
  type Transport,
} from "../client/client.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { Checks, EffectChecker, type Finder, FrameChecker } from "./checks.ts";
import { botLine, botName } from "./small-talk.ts";
import { Walker } from "./walker.ts";
import {
  grabKey,
  type ScriptCommand,
  type ScriptItem,
  sayKey,
  type WorldScript,
} from "./world-script.ts";

/** Mean times between what a bot does of its own accord, in ms; Infinity for never. */
export interface BotHabits {
  readonly sayMs: number;
  readonly emoteMs: number;
  readonly grabMs: number;
  /** How long an item is carried about. */
  readonly carryMs: number;
  /** Between two poses drawn; the SDK sends them at its own rate. */
  readonly stepMs: number;
  /** Commands without a reply before a bot waits. */
  readonly commandsOpenMax: number;
}

export const botHabits: BotHabits = {
  sayMs: 20_000,
  emoteMs: 15_000,
  grabMs: 30_000,
  carryMs: 8_000,
  stepMs: 100,
  commandsOpenMax: 4,
};

/** A command that has its answer, or never will. Times are of the bot's clock, in ms. */
export interface CommandTold {
  readonly name: string;
  /** Of its effect, where it has one that can be told from others. */
  readonly key: string | undefined;
  readonly sentMs: number;
  readonly tookMs: number;
  /** The room had another owner at its answer than when it was sent. */
  readonly moved: boolean;
  readonly outcome: "acked" | "refused" | "unknown";
}

/** Told of what happens to a bot, as it happens: whoever measures faults needs moments. */
export interface BotWitness {
  /** The first frame of an owner that the SDK accepted, and the attach that it came on. */
  readonly fresh?: (bot: Bot, epoch: number, atMs: number) => void;
  readonly command?: (bot: Bot, told: CommandTold) => void;
  /** The socket in use is gone and no other was open, so the person noticed. */
  readonly cut?: (bot: Bot, code: number | null, reason: string) => void;
  /** Something that is counted as wrong. */
  readonly found?: (bot: Bot, ...finding: Parameters<Finder>) => void;
}

export interface BotOptions {
  /** The person's id; unique among all bots of a run. */
  readonly name: string;
  readonly urls: readonly string[];
  /** Which of the bots it is: what it is called and how it begins to talk. */
  readonly number: number;
  readonly token: (person: string, url: string) => Promise<string>;
  readonly world: WorldScript;
  readonly habits: BotHabits;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport?: Transport | undefined;
  readonly witness?: BotWitness | undefined;
}

/** Before grabbing: until the room has heard of the last steps. */
const SETTLE_MS = 800;

type Errand =
  | { readonly kind: "none" }
  | { readonly kind: "fetching"; readonly item: ScriptItem; settledAtMs: number | undefined }
  | { readonly kind: "busy" }
  | { readonly kind: "carrying"; readonly item: string; readonly untilMs: number };

/** One person who walks, talks, carries things about, and checks everything it is told. */
export class Bot {
  readonly checks = new Checks();
  readonly room: Room;
  readonly #client: Client;
  readonly #options: BotOptions;
  readonly #walker: Walker;
  readonly #effects: EffectChecker;
  readonly #steps: Timer;
  #habits: BotHabits;
  #freshEpoch: number;
  #frameAtMs: number;
  #errand: Errand = { kind: "none" };
  #said = 0;
  #open = 0;
  #stopped = false;

  /** Connects and joins. Rejects with the SDK's `ConnectFailed` or `JoinRefused`. */
  static async start(options: BotOptions): Promise<Bot> {
    const { name, number, urls, token, clock, random, transport, world } = options;
    const client = await connect({
      urls,
      token: (url) => token(name, url),
      agent: "load",
      clock,
      random,
      transport,
    });
    try {
      const color = Math.floor(random.next() * 0xffffff);
      const profile = { name: botName(number), color, model: "capsule" };
      return new Bot(options, client, await client.join(world.room, { profile }));
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor(options: BotOptions, client: Client, room: Room) {
    this.#options = options;
    this.#client = client;
    this.room = room;
    this.#habits = options.habits;
    this.#freshEpoch = room.epoch;
    this.#frameAtMs = options.clock.now();
    this.#effects = new EffectChecker(this.checks.counts, this.#found);
    this.#walker = new Walker(options.random, options.world.area);
    this.#listen();
    const { clock, habits, random } = options;
    // Bots that start together must not step together.
    const firstMs = random.next() * habits.stepMs;
    this.#steps = clock.every(habits.stepMs, () => this.#step(), firstMs);
  }

  /** What it found so far, with what the SDK counts. */
  current(): Checks {
    this.checks.counts.holes = this.room.stats.holes;
    return this.checks;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Commands without an answer. */
  get open(): number {
    return this.#open;
  }

  /** When the SDK last accepted a frame, on the bot's clock. */
  get frameAtMs(): number {
    return this.#frameAtMs;
  }

  /** From now on; only the steps keep the period that they began with. */
  adopt(habits: Partial<Omit<BotHabits, "stepMs">>): void {
    this.#habits = { ...this.#habits, ...habits };
  }

  /** Leaves the room and closes the socket. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#steps.cancel();
    await this.room.leave();
    this.#client.close();
  }

  readonly #found: Finder = (what, detail) => this.#options.witness?.found?.(this, what, detail);

  #listen(): void {
    const { counts, frameGap } = this.checks;
    const { clock, witness, world } = this.#options;
    const frames = new FrameChecker(counts, frameGap, this.#found);
    this.room.on("frame", (frame) => {
      const now = clock.now();
      frames.frame(frame, now);
      if (!frame.accepted) return;
      this.#frameAtMs = now;
      if (frame.epoch <= this.#freshEpoch) return;
      this.#freshEpoch = frame.epoch;
      witness?.fresh?.(this, frame.epoch, now);
    });
    this.room.on("state", (patches) => {
      if (patches === null) this.#effects.snapshot();
      else for (const effect of world.effects(patches)) this.#effects.seen(effect);
    });
    this.room.on("ended", (code: EndCode) => {
      this.#steps.cancel();
      if (this.#stopped || code === "closed") return;
      counts.ended++;
      this.#found("ended", code);
    });
    let open = true;
    this.#client.on("connection", (state, { code, reason }) => {
      if (state === "open") counts.reconnects++;
      // Each dial in vain says "reconnecting" once more.
      if (state === "reconnecting" && open) witness?.cut?.(this, code, reason);
      open = state === "open";
    });
  }

  #step(): void {
    const { name, number, random, world } = this.#options;
    const habits = this.#habits;
    this.room.setPose(this.#walker.step(habits.stepMs));
    const now = (meanMs: number): boolean => random.next() < habits.stepMs / meanMs;
    if (now(habits.emoteMs)) {
      const { name, body, moves } = world.emote(random.next());
      if (moves) this.#walker.perform(moves.animation, moves.forMs);
      if (this.room.signal(name, body)) this.checks.counts.signals++;
    }
    if (this.#open < habits.commandsOpenMax && now(habits.sayMs)) {
      const line = world.line ?? botLine;
      const text = line(number, this.#said++);
      // Between two seats there is no person for a moment.
      const person = this.room.me.person || name;
      void this.#run(world.say(text, name), sayKey(person, text));
    }
    this.#pursue(now);
  }

  /** One step of fetching something and putting it down elsewhere. */
  #pursue(now: (meanMs: number) => boolean): void {
    const { clock, world } = this.#options;
    const habits = this.#habits;
    const errand = this.#errand;
    if (errand.kind === "none" && now(habits.grabMs)) {
      const free = world.items(this.room.state).filter(({ holder }) => holder === null);
      const item = free[Math.floor(this.#options.random.next() * free.length)];
      if (!item) return;
      this.#walker.goTo(item.x, item.z);
      this.#errand = { kind: "fetching", item, settledAtMs: undefined };
    } else if (errand.kind === "fetching" && this.#walker.arrived) {
      errand.settledAtMs ??= clock.now() + SETTLE_MS;
      if (clock.now() >= errand.settledAtMs) void this.#grab(errand.item);
    } else if (errand.kind === "carrying" && clock.now() >= errand.untilMs)
      void this.#place(errand.item);
  }

  async #grab(item: ScriptItem): Promise<void> {
    const { clock, world } = this.#options;
    const { carryMs } = this.#habits;
    this.#errand = { kind: "busy" };
    const ok = await this.#run(world.grab(item.id), grabKey(item.id, this.room.me.slot));
    this.#walker.release();
    this.#errand = ok
      ? { kind: "carrying", item: item.id, untilMs: clock.now() + carryMs }
      : { kind: "none" };
  }

  async #place(item: string): Promise<void> {
    const { world } = this.#options;
    this.#errand = { kind: "busy" };
    const { x, z, yaw } = this.#walker;
    const placed = await this.#run(world.place(item, x, z, yaw), undefined);
    // Only the holder can put it down, and the promise came after the record: it must be gone.
    const held = world.items(this.room.state).find(({ id }) => id === item)?.holder;
    if (placed && held === this.room.me.slot && !this.room.ended) this.checks.counts.lost++;
    this.#errand = { kind: "none" };
  }

  /** True where it was acknowledged. `key` names the effect to look out for. */
  async #run(command: ScriptCommand, key: string | undefined): Promise<boolean> {
    const { counts, latency } = this.checks;
    const { clock, witness } = this.#options;
    const sentMs = clock.now();
    const { epoch } = this.room;
    const tell = (outcome: CommandTold["outcome"]): void => {
      const tookMs = clock.now() - sentMs;
      const moved = this.room.epoch > epoch;
      witness?.command?.(this, { name: command.name, key, sentMs, tookMs, moved, outcome });
    };
    this.#open++;
    if (key !== undefined) this.#effects.issued(key);
    try {
      await this.room.command(command.name, command.body);
      latency.record(clock.now() - sentMs);
      if (key !== undefined) this.#effects.acked(key, this.room.ended);
      else counts.commands++;
      tell("acked");
      return true;
    } catch (error) {
      const refused = error instanceof CommandRefused;
      if (key !== undefined && refused) this.#effects.refused(key);
      else if (key !== undefined) this.#effects.unknown(key);
      else counts[refused ? "refused" : "unknown"]++;
      tell(refused ? "refused" : "unknown");
      return false;
    } finally {
      this.#open--;
    }
  }
}
