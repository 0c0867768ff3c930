import type { Client } from "../../src/client/client.ts";
import { CommandLost, CommandRefused } from "../../src/client/errors.ts";
import type { Room } from "../../src/client/room.ts";
import { randomBelow } from "../../src/kernel/random.ts";
import { heightOf, type Registers } from "./register-world.ts";
import { type Internet, type PersonWitness, SimPerson } from "./sim-person.ts";
import type { SimSocket } from "./sim-socket.ts";

/** What a client saw and did, as it happens. */
export interface ClientWitness extends PersonWitness<SimClient> {
  readonly called: (client: SimClient, name: string, body: object) => number;
  readonly returned: (client: SimClient, call: number, outcome: Outcome) => void;
  readonly joined: (client: SimClient, room: Room<Registers>) => void;
}

export type Outcome =
  | { readonly kind: "done"; readonly data: unknown }
  | { readonly kind: "refused"; readonly status: string }
  /** Nobody will ever know. */
  | { readonly kind: "lost"; readonly sent: boolean };

/** Somebody in one of the rooms of registers. */
export class SimClient extends SimPerson<ClientWitness> {
  /** Two tabs of one person have one name. */
  readonly serial: number;
  readonly roomName: string;
  room: Room<Registers> | undefined;
  /** Where it went last. */
  stands: { readonly x: number; readonly z: number } | undefined;
  #waves = 0;
  /** Commands that have neither an answer nor an end. */
  open = 0;

  constructor(name: string, serial: number, roomName: string, internet: Internet<ClientWitness>) {
    super(name, internet);
    this.serial = serial;
    this.roomName = roomName;
  }

  protected async enter(client: Client): Promise<void> {
    try {
      const room = await client.join<Registers>(this.roomName, {
        profile: { name: this.name, color: 1, model: "m" },
        resume: this.saved,
        onSession: (saved) => {
          this.saved = saved;
        },
      });
      this.room = room;
      room.on("ended", (code) => {
        if (this.room !== room) return;
        this.room = undefined;
        this.again(client, `ended: ${code}`);
      });
      this.internet.witness.joined(this, room);
    } catch (error) {
      this.again(client, String(error));
    }
  }

  protected away(): void {
    this.room = undefined;
    this.stands = undefined;
  }

  protected refused(why: string): void {
    this.internet.witness.refused(this, why);
  }

  protected socketClosed(socket: SimSocket, code: number, reason: string): void {
    this.internet.witness.socketClosed(this, socket, code, reason);
  }

  act(name: string, body: object | null): void {
    const { room } = this;
    if (!room || room.ended) return;
    const { witness } = this.internet;
    const call = witness.called(this, name, body ?? {});
    this.open++;
    const settle = (outcome: Outcome): void => {
      this.open--;
      witness.returned(this, call, outcome);
    };
    room.command(name, body).then(
      (data) => settle({ kind: "done", data }),
      (error: unknown) => {
        if (error instanceof CommandRefused) settle({ kind: "refused", status: error.status });
        else if (error instanceof CommandLost) settle({ kind: "lost", sent: error.sent });
        else throw error;
      },
    );
  }

  move(): void {
    const at = () => randomBelow(this.random, 40) - 20;
    if (!this.room) return;
    this.stands = { x: at(), z: at() };
    this.room.setPose({
      ...this.stands,
      y: heightOf(this.name),
      yaw: 0,
      pitch: 0,
      reach: [0, 0, 0],
      animation: 0,
    });
  }

  /** A signal like no other. */
  wave(): void {
    this.room?.signal("wave", { hand: `${this.serial}:${++this.#waves}` });
  }

  leave(): void {
    this.leaving = true;
    void this.room?.leave();
  }
}
