import type { Client } from "../../src/client/client.ts";
import { CommandRefused } from "../../src/client/errors.ts";
import type { SavedSession } from "../../src/client/membership.ts";
import type { Room } from "../../src/client/room.ts";
import { EVENT } from "./event-world.ts";
import { type Internet, type PersonWitness, SimPerson } from "./sim-person.ts";
import type { SimSocket } from "./sim-socket.ts";

/** What a visitor of an event saw and did, as it happens. */
export interface VisitorWitness extends PersonWitness<SimVisitor> {
  readonly seated: (visitor: SimVisitor) => void;
  readonly clapped: (visitor: SimVisitor) => void;
  /** Answers who is to hear the status that it ends with; undefined where nobody will know. */
  readonly said: (visitor: SimVisitor) => (status: string | undefined) => void;
}

/** So many say something as soon as they are in. */
const TALKATIVE = 0.4;

/** How somebody comes to an event. */
export interface Ticket {
  /** Where: in a shard, before the stage, or both on the same socket. */
  readonly to: "seat" | "stage" | "both";
  /** Friends who want to sit together. */
  readonly beside: string | undefined;
}

/** Somebody who goes to the event by its address, and sits wherever there is a seat. */
export class SimVisitor extends SimPerson<VisitorWitness> {
  readonly ticket: Ticket;
  shard: Room<unknown> | undefined;
  stage: Room<unknown> | undefined;
  /** Since when it is in, or wants to be. */
  sinceMs: number;

  constructor(name: string, ticket: Ticket, internet: Internet<VisitorWitness>) {
    super(name, internet);
    this.ticket = ticket;
    this.sinceMs = internet.time.now;
  }

  /** In a shard, as far as it knows. */
  get seated(): boolean {
    return this.shard !== undefined && !this.shard.ended;
  }

  /** What it is in now. */
  get rooms(): Room<unknown>[] {
    return [this.shard, this.stage].filter((room) => room !== undefined && !room.ended) as [];
  }

  /** Comes, or comes again after it left. */
  come(): void {
    this.leaving = false;
    this.saved = undefined;
    this.sinceMs = this.internet.time.now;
    if (!this.client) this.start();
  }

  /** The page is loaded anew, and goes on as the same person. */
  reload(): void {
    this.stop();
    this.start();
  }

  leave(): void {
    this.leaving = true;
    const { client, shard } = this;
    const gone = (): void => {
      if (this.leaving && this.client === client) this.stop();
    };
    if (shard) void shard.leave().then(gone);
    else gone();
  }

  clap(): void {
    if (this.shard?.signal("clap")) this.internet.witness.clapped(this);
  }

  say(text: string): void {
    const { shard } = this;
    if (!shard || shard.ended) return;
    const ends = this.internet.witness.said(this);
    shard.command("say", { text }).then(
      () => ends("ok"),
      (error: unknown) => ends(error instanceof CommandRefused ? error.status : undefined),
    );
  }

  protected enter(client: Client): void {
    const { beside, to } = this.ticket;
    const profile = { name: this.name, color: 1, model: "m" };
    if (to !== "seat")
      void this.#join(client, client.join(`stage/${EVENT}`, { profile }), (room) => {
        this.stage = room;
      });
    if (to === "stage") return;
    const onSession = (saved: SavedSession): void => {
      this.saved = saved;
    };
    const options = { profile, beside, resume: this.saved, onSession };
    void this.#join(client, client.join(`event/${EVENT}`, options), (room) => {
      this.shard = room;
      if (!room) return;
      this.internet.witness.seated(this);
      if (this.random.next() < TALKATIVE) this.say("hello");
    });
  }

  /** Keeps the room as long as it lasts. */
  async #join(
    client: Client,
    joining: Promise<Room<unknown>>,
    keep: (room: Room<unknown> | undefined) => void,
  ): Promise<void> {
    try {
      const room = await joining;
      if (this.client !== client) return;
      this.sinceMs = this.internet.time.now;
      keep(room);
      room.on("ended", (code) => {
        if (this.client !== client || this.leaving) return;
        keep(undefined);
        this.again(client, `ended: ${code}`);
      });
    } catch (error) {
      this.again(client, String(error));
    }
  }

  protected away(): void {
    this.sinceMs = this.internet.time.now;
    this.shard = undefined;
    this.stage = undefined;
  }

  protected refused(why: string): void {
    this.internet.witness.refused(this, why);
  }

  protected socketClosed(socket: SimSocket, code: number, reason: string): void {
    this.internet.witness.socketClosed(this, socket, code, reason);
  }
}
