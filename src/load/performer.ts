import { type Client, connect, type Room, type Transport } from "../client/client.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import {
  cuesBetween,
  cuesNow,
  performerPose,
  pyroBetween,
  type ShowMoment,
  showMoment,
} from "./show-script.ts";
import type { ScriptCommand } from "./world-script.ts";

export interface PerformerOptions {
  readonly name: string;
  readonly color: number;
  /** The first part calls the cues as well. */
  readonly part: number;
  readonly urls: readonly string[];
  /** A performer's, asked before each connection. */
  readonly token: (person: string, url: string) => Promise<string>;
  /** The event's name. */
  readonly event: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport?: Transport | undefined;
  /** A cue that was not taken, or a beginning in vain. */
  readonly failed: (what: string, error: unknown) => void;
}

/** What it reads of the concert's stage. */
interface StageLike {
  readonly startedAt: number | null;
}

const STEP_MS = 50;
const AGAIN_MS = 2_000;
/** After a silence longer than this the cues that were missed are not called one by one. */
const MISSED_MS_MAX = 4_000;

/** One of the band of the demo's concert: moves to the beat, and the first calls the cues. */
export class Performer {
  readonly #options: PerformerOptions;
  #client: Client | undefined;
  #room: Room<StageLike> | undefined;
  #timer: Timer;
  #calledMs: number | undefined;
  #starting = false;
  #stopped = false;

  constructor(options: PerformerOptions) {
    this.#options = options;
    this.#timer = options.clock.after(0, () => void this.#begin());
  }

  /** Where the show is; undefined while this one does not see it. */
  get moment(): ShowMoment | undefined {
    const showMs = this.#showMs();
    return showMs === undefined ? undefined : showMoment(showMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer.cancel();
    await this.#room?.leave();
    this.#client?.close();
  }

  /** Comes onto the stage, and again where that fails: without it there is no show. */
  async #begin(): Promise<void> {
    const { clock, color, event, failed, name, random, token, transport, urls } = this.#options;
    const person = `band-${name.toLowerCase()}`;
    let client: Client | undefined;
    try {
      client = await connect({
        ...{ urls, clock, random, transport, agent: "performer" },
        token: (url) => token(person, url),
      });
      const profile = { name, color, model: "" };
      const room = await client.join<StageLike>(`event/${event}`, { profile });
      room.on("ended", () => this.#ended());
      this.#client = client;
      this.#room = room;
    } catch (error) {
      client?.close();
      failed("join", error);
      this.#again();
      return;
    }
    if (this.#stopped) return void this.stop();
    this.#timer = clock.every(STEP_MS, () => this.#step());
  }

  #ended(): void {
    this.#timer.cancel();
    this.#client?.close();
    this.#room = undefined;
    this.#calledMs = undefined;
    this.#again();
  }

  #again(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(AGAIN_MS, () => void this.#begin());
  }

  #showMs(): number | undefined {
    const room = this.#room;
    const startedAt = room?.state.startedAt ?? null;
    return room && startedAt !== null ? room.roomTime() - startedAt : undefined;
  }

  #step(): void {
    const { part } = this.#options;
    const showMs = this.#showMs();
    this.#room?.setPose(performerPose(showMs ?? 0, part));
    if (part !== 0) return;
    if (showMs === undefined) return void this.#start();
    const calledMs = this.#calledMs;
    this.#calledMs = showMs;
    const missed = calledMs === undefined || showMs - calledMs > MISSED_MS_MAX;
    for (const cue of missed ? cuesNow(showMs) : cuesBetween(calledMs, showMs))
      void this.#call(cue);
    if (!missed && pyroBetween(calledMs, showMs)) this.#room?.signal("pyro", { kind: "confetti" });
  }

  async #start(): Promise<void> {
    if (this.#starting) return;
    this.#starting = true;
    await this.#call({ name: "start", body: null });
    this.#starting = false;
  }

  async #call({ name, body }: ScriptCommand): Promise<void> {
    try {
      await this.#room?.command(name, body);
    } catch (error) {
      this.#options.failed(name, error);
    }
  }
}
