import type { Clock } from "../src/kernel/clock.ts";
import { roomParts } from "../src/kernel/ids.ts";
import { type Random, randomBelow } from "../src/kernel/random.ts";
import type { Observer } from "../src/observe/observer.ts";
import { gatewayToClient } from "../src/protocol/client-messages.ts";
import type { RoomRecord, ToRoom } from "../src/protocol/room-messages.ts";
import { clientRecord } from "./confidential.ts";
import type { GatewayConfig } from "./config.ts";
import type { News } from "./news.ts";
import { encodeReplay, joinRecords, Profiles, planResume } from "./replay.ts";
import type { Replica } from "./replica.ts";
import type { RoomRoute } from "./room-route.ts";
import type { Session } from "./session.ts";
import { FRESH, type Viewer } from "./viewer.ts";

const REFERRAL_MS_MAX = 2_000;

export interface AdmissionDeps {
  readonly random: Random;
  readonly route: RoomRoute;
  readonly replica: Replica;
  readonly news: News;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly config: GatewayConfig;
  /** To the owner; lost where there is none. */
  readonly send: (message: ToRoom) => void;
  /** Writes what a viewer has coming, if it can be written to now. */
  readonly show: (viewer: Viewer) => void;
}

/** Lets sessions in whom the room has confirmed: each with all that it missed, or a snapshot. */
export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #profiles: Profiles;
  #requests = 0;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
    this.#profiles = new Profiles(deps.replica);
  }

  /** Where the replica has come far enough. */
  admit(session: Session): void {
    if (session.viewer.admitted || session.fetch || !this.#admissible(session)) return;
    const { clock, config, news, replica, route, send } = this.#deps;
    const plan = session.init.resumed
      ? planResume(session.cursor, replica, news)
      : ({ kind: "snapshot" } as const);
    if (plan.kind !== "fetch")
      return this.#enter(session, plan.kind === "records" ? plan.records : undefined, "ring");
    const request = ++this.#requests;
    session.fetch = { request, dueAt: clock.now() + config.fetchMs, tries: 1 };
    const { room } = session.init;
    send({ type: "fetch", room, epoch: route.floor, request, after: plan.after });
  }

  /** The owner's answer; null where it does not have the records any more. */
  fetched(session: Session, fetched: readonly RoomRecord[] | null): void {
    session.fetch = undefined;
    const { replica, news } = this.#deps;
    const { cursor } = session;
    if (!this.#admissible(session)) return this.admit(session);
    const missed = fetched?.map((record) => clientRecord(record, replica.state));
    const records =
      missed && cursor ? joinRecords(missed, cursor.index, replica.index, news) : undefined;
    this.#enter(session, records, "fetched");
  }

  #admissible(session: Session): boolean {
    const { replica, route } = this.#deps;
    const caughtUp = replica.ready && replica.index >= session.attachIndex;
    return session.placedUnder(route.floor) && caughtUp && replica.epoch === route.floor;
  }

  /** `joined`, then the records, or a snapshot where there are none to be had. */
  #enter(session: Session, records: readonly RoomRecord[] | undefined, how: string): void {
    const { config, news, observer, replica, show } = this.#deps;
    const { viewer, init } = session;
    const { seat } = viewer;
    if (!seat) return;
    const limits = { epoch: replica.epoch, bytesMax: config.replayBytesMax };
    const replay =
      records && encodeReplay(records, this.#profiles.for(init.channel), viewer, limits);
    const joined = gatewayToClient.encode({
      type: "joined",
      channel: init.channel,
      session: init.session,
      token: init.token,
      attach: init.attach,
      slot: seat.slot,
      generation: seat.generation,
      seq: session.seq,
      tickHz: replica.tickHz,
      world: replica.world,
      replayed: replay !== undefined,
      room: roomParts(init.room).name,
    });
    viewer.preamble = [joined, ...(replay ?? []), ...this.#referral(init.servedAt)];
    viewer.place = replay ? news.end : FRESH;
    viewer.admitted = true;
    const label = init.resumed ? (replay ? how : "snapshot") : "new";
    observer.metrics.add("roomcluster_gateway_joins_total", 1, { how: label });
    show(viewer);
  }

  /** Friends who come together are not to dial at the same moment. */
  #referral(url: string | null): Uint8Array[] {
    if (url === null) return [];
    const afterMs = randomBelow(this.#deps.random, REFERRAL_MS_MAX);
    return [gatewayToClient.encode({ type: "servedAt", url, afterMs })];
  }

  /** Repeats what was not answered in time, a bounded number of times. */
  fetchAgain(session: Session, now: number): void {
    const { cursor, fetch, init } = session;
    const { config, route, send } = this.#deps;
    if (!fetch || now < fetch.dueAt) return;
    if (fetch.tries++ >= config.fetchTriesMax) {
      session.fetch = undefined;
      if (this.#admissible(session)) this.#enter(session, undefined, "snapshot");
      return;
    }
    fetch.dueAt = now + config.fetchMs;
    const after = cursor?.index ?? 0;
    const { room } = init;
    send({ type: "fetch", room, epoch: route.floor, request: fetch.request, after });
  }
}
