import { Client } from "../../src/client/client.ts";
import type { SavedSession } from "../../src/client/membership.ts";
import { CLOSED_ABNORMALLY, type Transport } from "../../src/client/transport.ts";
import type { Timer } from "../../src/kernel/clock.ts";
import { type Random, seededRandom } from "../../src/kernel/random.ts";
import type { SimGateway } from "./sim-gateway.ts";
import { type Access, SimSocket } from "./sim-socket.ts";
import { Strand } from "./strand.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What becomes of a person's sockets and memberships, as it happens. */
export interface PersonWitness<P> {
  readonly refused: (person: P, why: string) => void;
  readonly socketClosed: (person: P, socket: SimSocket, code: number, reason: string) => void;
}

export interface Internet<W> {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly gateways: () => readonly SimGateway[];
  readonly witness: W;
}

/** A person with the product's own SDK, over simulated sockets. */
export abstract class SimPerson<W> {
  readonly name: string;
  readonly access: Access;
  readonly random: Random;
  readonly sockets = new Set<SimSocket>();
  client: Client | undefined;
  saved: SavedSession | undefined = undefined;
  /** It wants to be gone. */
  leaving = false;
  #return: Timer | undefined;
  protected readonly internet: Internet<W>;

  constructor(name: string, internet: Internet<W>) {
    const { time, random } = internet;
    this.name = name;
    this.internet = internet;
    this.random = seededRandom(random.next() * 2 ** 32);
    const strand = new Strand(time, random.next() * 1e5);
    this.access = { strand, cut: false, latencyMsMin: 5, latencyMsMax: 25 };
  }

  /** Dials and joins, again and again until it is in. */
  start(): void {
    this.#return?.cancel();
    const client = new Client({
      urls: async () => this.internet.gateways().map(({ url }) => url),
      token: this.name,
      agent: "simulation",
      transport: this.#transport,
      clock: this.access.strand.clock,
      random: this.random,
      limits: { poseHz: 1, poseKeepAliveMs: 5_000 },
    });
    this.client = client;
    client.opened.then(
      () => this.enter(client),
      () => this.again(client, "no gateway"),
    );
  }

  /** The page is loaded anew: as the same person where the session may still be resumed. */
  protected again(client: Client, why: string): void {
    if (this.client !== client) return;
    this.refused(why);
    if (/session_expired|superseded|left/.test(why)) this.saved = undefined;
    this.client = undefined;
    client.close();
    this.away();
    if (this.leaving) return;
    const awayMs = 500 + 1_000 * this.random.next();
    this.#return = this.access.strand.clock.after(awayMs, () => this.start());
  }

  /** For good, unless it is started again: its sockets close with it. */
  stop(): void {
    const { client } = this;
    this.#return?.cancel();
    this.client = undefined;
    this.away();
    client?.close();
  }

  /** It has a connection. */
  protected abstract enter(client: Client): void;
  /** Its page is gone. */
  protected abstract away(): void;
  protected abstract refused(why: string): void;
  protected abstract socketClosed(socket: SimSocket, code: number, reason: string): void;

  readonly #transport: Transport = {
    open: (url, _subprotocol, handlers) => {
      const { time, random, gateways } = this.internet;
      const gateway = gateways().find((known) => known.url === url);
      const { client } = this;
      const closed = (code: number, reason: string): void => {
        if (client && this.client === client) this.socketClosed(socket, code, reason);
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
