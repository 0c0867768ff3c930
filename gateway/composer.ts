import type { Metrics } from "../src/observe/observer.ts";
import {
  type GatewayMessage,
  gatewayToClient,
  type Seat,
} from "../src/protocol/client-messages.ts";
import type { Ease } from "../src/protocol/event-ladder.ts";
import { encodeFrame } from "../src/protocol/frame.ts";
import { NO_CELL } from "./cells.ts";
import type { GatewayConfig } from "./config.ts";
import type { Following } from "./following.ts";
import { type Group, Groups } from "./groups.ts";
import { Interest, type PickedRows } from "./interest.ts";
import type { News } from "./news.ts";
import { joinBytes, preframe, runsOf } from "./preframe.ts";
import type { Replica } from "./replica.ts";
import type { Ride, Show } from "./show.ts";
import { frameDue, framesFor } from "./tiers.ts";
import { FRESH, NO_PREAMBLE, type Viewer } from "./viewer.ts";

/** More messages than this do not ride a frame: they go ahead of it. */
const RIDERS_MAX = 256;
/** What lies between two frames, as far as a stage that rides them waits for the next. */
const FRAME_MS_MAX = 60_000;

/** What a group is written: messages of their own first, then perhaps a frame that news ride. */
interface Told {
  readonly runs: readonly Uint8Array[];
  readonly frame: Uint8Array | undefined;
  /** What rows the frame has. */
  readonly picked: PickedRows | undefined;
  readonly shared: Buffer | undefined;
}

export interface ComposeCount {
  written: number;
  /** Of those, the ones whose buffer was another's too. */
  shared: number;
  conflated: number;
  bytes: number;
}

export function countFrames(metrics: Metrics, count: ComposeCount): void {
  const { written, shared, conflated, bytes } = count;
  if (shared > 0) metrics.add("roomcluster_gateway_writes_total", shared, { kind: "shared" });
  const own = written - shared;
  if (own > 0) metrics.add("roomcluster_gateway_writes_total", own, { kind: "own" });
  if (bytes > 0) metrics.add("roomcluster_gateway_egress_bytes_total", bytes);
  if (conflated > 0) metrics.add("roomcluster_gateway_conflated_total", conflated);
}

/** Builds what the viewers of one room are told, once for all who are told the same. */
export class Composer {
  readonly #replica: Replica;
  readonly #news: News;
  readonly #interest: Interest;
  readonly #config: GatewayConfig;
  readonly #snapshots = new Map<number, Uint8Array>();
  #snapshotVersion = -1;
  /** What two buffers were joined to last. */
  readonly #joined: { last?: { buffer: Buffer; rider: Buffer; both: Buffer } } = {};
  /** Ticks that made frames. */
  #frames = 0;
  /** The room time of the last one, and what lay between it and the one before. */
  #framedAt = 0;
  #frameMs = 0;

  constructor(replica: Replica, news: News, config: GatewayConfig) {
    this.#replica = replica;
    this.#news = news;
    this.#config = config;
    this.#interest = new Interest(replica, config);
  }

  /**
   * One frame for each viewer whose tier is due and that can take one; `touched` are the slots the
   * tick brought. `show`: of a stage; who is shown it by the frames of a shard is left out.
   */
  tick(
    viewers: Iterable<Viewer>,
    touched: readonly number[],
    show: Show | undefined,
  ): ComposeCount {
    this.#frames++;
    const { at } = this.#replica;
    const sinceMs = this.#framedAt === 0 ? this.frameMs : Math.max(0, at - this.#framedAt);
    this.#frameMs = Math.min(sinceMs, FRAME_MS_MAX);
    this.#framedAt = at;
    this.#interest.begin(touched, this.#replica.takeMoved());
    return this.#compose(show?.due(viewers) ?? viewers, { ticks: true, show });
  }

  /**
   * What lay between the last two frames, by room time, and a tick at least: an owner ticks early
   * now and then, for a gateway that was behind.
   */
  get frameMs(): number {
    return Math.max(this.#frameMs, 1_000 / this.#replica.tickHz);
  }

  /** Whoever has the seat gave a signal, and is shown to everybody for a while. */
  spoke(seat: Seat): void {
    this.#interest.spoke(seat);
  }

  /** So says the world, until a room time. */
  shine(seat: Seat, until: number): void {
    this.#interest.lights.shine(seat, until, this.#replica.at);
  }

  /** Of a frame's bytes, while an event asks for less. */
  ease({ frameShare }: Ease): void {
    this.#interest.frameShare = frameShare;
  }

  /** News and tails alone, for viewers of a room that does not tick now. */
  flush(viewers: Iterable<Viewer>): ComposeCount {
    return this.#compose(viewers, { ticks: false, show: undefined });
  }

  #compose(
    viewers: Iterable<Viewer>,
    { ticks, show }: { readonly ticks: boolean; readonly show: Show | undefined },
  ): ComposeCount {
    const count: ComposeCount = { written: 0, shared: 0, conflated: 0, bytes: 0 };
    const groups = new Groups(this.#news);
    const { cellHysteresisM } = this.#config;
    const apart = ticks && this.#interest.crowded;
    for (const viewer of viewers) {
      if (!viewer.admitted) continue;
      const { tier } = viewer;
      if (ticks && (!frameDue(this.#frames, tier.at) || show?.carries(viewer))) continue;
      if (!viewer.link.writable) {
        count.conflated++;
        if (ticks) tier.missed(this.#config);
        continue;
      }
      if (ticks && tier.troubled) tier.written(this.#config);
      if (apart) viewer.look(this.#replica, cellHysteresisM);
      groups.add(viewer, apart ? viewer.cell : NO_CELL);
    }
    for (const group of groups.all) {
      const told = this.#tell(group, ticks);
      for (const viewer of group.viewers) {
        this.#write(viewer, told, count);
        show?.wrote(viewer);
      }
    }
    return count;
  }

  #tell(group: Group, ticks: boolean): Told {
    const { cell, channel, place, tier } = group;
    const messages =
      place < 0
        ? this.#start(channel, place)
        : this.#news.since(place, channel, group.viewers[0] as Viewer);
    const ahead = place < 0 || this.#news.hasEpochSince(place) || messages.length > RIDERS_MAX;
    if (!ticks) {
      const runs = runsOf(messages);
      const shared = runs.length > 0 ? preframe(...runs) : undefined;
      return { runs, frame: undefined, picked: undefined, shared };
    }
    const runs = ahead ? runsOf(messages) : [];
    const picked = this.#interest.pick(cell, tier);
    const { words, count } = picked;
    const { tick, at, epoch, index } = this.#replica;
    const head = { channel, tick, at, epoch, index };
    const frame = encodeFrame(head, words, count, ahead ? [] : messages);
    return { runs, frame, picked, shared: preframe(...runs, frame) };
  }

  #write(viewer: Viewer, told: Told, count: ComposeCount): void {
    const { following, link, outbox, preamble } = viewer;
    viewer.place = this.#news.end;
    if (told.frame) viewer.shownTick = this.#replica.tick;
    const rows = following && told.picked?.shownAt && this.#tail(following, told.picked);
    let buffer = told.shared;
    if (rows || preamble.length > 0 || !outbox.empty || !link.outbox.empty) {
      const tail = [...outbox.take(), ...link.outbox.take()];
      viewer.preamble = NO_PREAMBLE;
      viewer.entered ||= preamble.length > 0;
      const rides = told.frame && tail.length <= RIDERS_MAX;
      const riders = [...(rows ? [rows] : []), ...(rides ? tail : [])];
      const frame = told.frame ? [joinBytes([told.frame, ...riders])] : [];
      const after = rides ? [] : runsOf(tail);
      buffer = preframe(...runsOf(preamble), ...told.runs, ...frame, ...after);
    } else if (buffer) count.shared++;
    if (viewer.ride && told.frame) {
      const frameMs = this.frameMs * framesFor(viewer.tier.at);
      buffer = this.#withRide(viewer.ride, frameMs, buffer);
    }
    if (!buffer) return;
    count.written++;
    count.bytes += buffer.length;
    link.write(buffer);
  }

  /** One write for both: the next one is likely to be told the same two. */
  #withRide({ show, viewer }: Ride, frameMs: number, buffer?: Buffer): Buffer | undefined {
    const rider = show.carry(viewer, frameMs);
    if (!rider || !buffer) return rider ?? buffer;
    const { last } = this.#joined;
    if (last?.buffer === buffer && last.rider === rider) return last.both;
    const both = Buffer.concat([buffer, rider]);
    this.#joined.last = { buffer, rider, both };
    return both;
  }

  /** The rows of whom one client follows, where the frame that it shares does not have them. */
  #tail(following: Following, picked: PickedRows): Uint8Array | undefined {
    const rows = following.tail(picked, this.#interest);
    return rows && gatewayToClient.encode({ type: "rows", rows });
  }

  /** For somebody who has nothing, or not what came before: the room at this index. */
  #start(channel: number, place: number): Uint8Array[] {
    const { epoch, version } = this.#replica;
    if (this.#snapshotVersion !== version) this.#snapshots.clear();
    this.#snapshotVersion = version;
    let snapshot = this.#snapshots.get(channel);
    if (!snapshot) {
      const message: GatewayMessage = { type: "snapshot", channel, ...this.#replica.snapshot() };
      snapshot = gatewayToClient.encode(message);
      this.#snapshots.set(channel, snapshot);
    }
    // It may have missed a change of owner, and must know of it to resend its commands.
    if (place === FRESH) return [snapshot];
    return [gatewayToClient.encode({ type: "epoch", channel, epoch }), snapshot];
  }
}
