import { Client } from "../../src/client/client.ts";
import { CommandLost, CommandRefused } from "../../src/client/errors.ts";
import type { SavedSession } from "../../src/client/membership.ts";
import type { Room } from "../../src/client/room.ts";
import { CLOSED_ABNORMALLY, type Transport } from "../../src/client/transport.ts";
import { type Random, randomBelow, seededRandom } from "../../src/kernel/random.ts";
import { heightOf, type Registers } from "./register-world.ts";
import type { SimGateway } from "./sim-gateway.ts";
import { type Access, SimSocket } from "./sim-socket.ts";
import { Strand } from "./strand.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a client saw and did, as it happens. */
export interface ClientWitness {
  readonly called: (client: SimClient, name: string, body: object) => number;
  readonly returned: (client: SimClient, call: number, outcome: Outcome) => void;
  readonly joined: (client: SimClient, room: Room<Registers>) => void;
  readonly refused: (client: SimClient, why: string) => void;
  readonly socketClosed: (
    client: SimClient,
    socket: SimSocket,
    code: number,
    reason: string,
  ) => void;
}

export type Outcome =
  | { readonly kind: "done"; readonly data: unknown }
  | { readonly kind: "refused"; readonly status: string }
  /** Nobody will ever know. */
  | { readonly kind: "lost"; readonly sent: boolean };

export interface Internet {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly gateways: () => readonly SimGateway[];
  readonly witness: ClientWitness;
}

/** A person with the product's own SDK, over simulated sockets. */
export class SimClient {
  readonly name: string;
  /** Two tabs of one person have one name. */
  readonly serial: number;
  readonly roomName: string;
  readonly access: Access;
  readonly random: Random;
  readonly sockets = new Set<SimSocket>();
  client: Client | undefined;
  room: Room<Registers> | undefined;
  saved: SavedSession | undefined = undefined;
  /** Where it went last. */
  stands: { readonly x: number; readonly z: number } | undefined;
  /** It wants to be gone. */
  leaving = false;
  #waves = 0;
  /** Commands that have neither an answer nor an end. */
  open = 0;
  readonly #internet: Internet;

  constructor(name: string, serial: number, roomName: string, internet: Internet) {
    const { time, random } = internet;
    this.name = name;
    this.serial = serial;
    this.roomName = roomName;
    this.#internet = internet;
    this.random = seededRandom(random.next() * 2 ** 32);
    const strand = new Strand(time, random.next() * 1e5);
    this.access = { strand, cut: false, latencyMsMin: 5, latencyMsMax: 25 };
  }

  /** Dials and joins, again and again until it is in. */
  start(): void {
    const client = new Client({
      urls: async () => this.#internet.gateways().map(({ url }) => url),
      token: this.name,
      agent: "simulation",
      transport: this.#transport,
      clock: this.access.strand.clock,
      random: this.random,
      limits: { poseHz: 1, poseKeepAliveMs: 5_000 },
    });
    this.client = client;
    client.opened.then(
      () => this.#join(client),
      () => this.#again(client, "no gateway"),
    );
  }

  async #join(client: Client): Promise<void> {
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
        this.#again(client, `ended: ${code}`);
      });
      this.#internet.witness.joined(this, room);
    } catch (error) {
      this.#again(client, String(error));
    }
  }

  /** The page is loaded anew: as the same person where the session may still be resumed. */
  #again(client: Client, why: string): void {
    if (this.client !== client) return;
    this.#internet.witness.refused(this, why);
    if (/session_expired|superseded|left/.test(why)) this.saved = undefined;
    client.close();
    this.client = undefined;
    this.stands = undefined;
    if (this.leaving) return;
    this.access.strand.clock.after(500 + 1_000 * this.random.next(), () => this.start());
  }

  act(name: string, body: object | null): void {
    const { room } = this;
    if (!room || room.ended) return;
    const { witness } = this.#internet;
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

  /** For good: its sockets close with it. */
  stop(): void {
    const { client } = this;
    this.client = undefined;
    this.room = undefined;
    client?.close();
  }

  readonly #transport: Transport = {
    open: (url, _subprotocol, handlers) => {
      const { time, random, gateways, witness } = this.#internet;
      const gateway = gateways().find((known) => known.url === url);
      const closed = (code: number, reason: string): void => {
        if (this.client) witness.socketClosed(this, socket, code, reason);
        handlers.close(code, reason);
      };
      if (!gateway) {
        this.access.strand.clock.after(5, () => handlers.close(CLOSED_ABNORMALLY, "unreachable"));
        return { send() {}, close() {}, bufferedBytes: 0 };
      }
      const socket = new SimSocket({
        time,
        random,
        access: this.access,
        gateway,
        client: { ...handlers, close: closed },
        ended: (ended) => void this.sockets.delete(ended),
      });
      this.sockets.add(socket);
      return socket.clientEnd;
    },
  };
}
