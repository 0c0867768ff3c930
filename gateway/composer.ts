import type { Metrics } from "../src/observe/observer.ts";
import {
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
} from "../src/protocol/client-messages.ts";
import { encodeFrame } from "../src/protocol/frame.ts";
import { NO_CELL } from "./cells.ts";
import type { GatewayConfig } from "./config.ts";
import { type Group, Groups } from "./groups.ts";
import { Interest } from "./interest.ts";
import type { News } from "./news.ts";
import { joinBytes, preframe } from "./preframe.ts";
import type { Replica } from "./replica.ts";
import { frameDue } from "./tiers.ts";
import { FRESH, NO_PREAMBLE, type Viewer } from "./viewer.ts";

/** More messages than this do not ride a frame: they go ahead of it. */
const RIDERS_MAX = 256;
const RUN_BYTES_MAX = 256 * 1024;

/** What a group is written: messages of their own first, then perhaps a frame that news ride. */
interface Told {
  readonly runs: readonly Uint8Array[];
  readonly frame: Uint8Array | undefined;
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
  /** Ticks that made frames. */
  #frames = 0;

  constructor(replica: Replica, news: News, config: GatewayConfig) {
    this.#replica = replica;
    this.#news = news;
    this.#config = config;
    this.#interest = new Interest(replica, config);
  }

  /**
   * One frame for each viewer whose tier is due and that can take one; `touched` are the slots the
   * tick brought.
   */
  tick(viewers: Iterable<Viewer>, touched: readonly number[]): ComposeCount {
    this.#frames++;
    this.#interest.begin(touched, this.#replica.takeMoved());
    return this.#compose(viewers, true);
  }

  /** Whoever has the seat is shown to everybody for a while. */
  spoke(slot: number): void {
    this.#interest.spoke(slot);
  }

  /** News and tails alone, for viewers of a room that does not tick now. */
  flush(viewers: Iterable<Viewer>): ComposeCount {
    return this.#compose(viewers, false);
  }

  #compose(viewers: Iterable<Viewer>, ticks: boolean): ComposeCount {
    const count: ComposeCount = { written: 0, shared: 0, conflated: 0, bytes: 0 };
    const groups = new Groups(this.#news);
    const { cellHysteresisM } = this.#config;
    const apart = ticks && this.#interest.crowded;
    for (const viewer of viewers) {
      if (!viewer.admitted) continue;
      const { tier } = viewer;
      if (ticks && !frameDue(this.#frames, tier.at)) continue;
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
      for (const viewer of group.viewers) this.#write(viewer, told, count);
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
      return { runs, frame: undefined, shared: runs.length > 0 ? preframe(...runs) : undefined };
    }
    const runs = ahead ? runsOf(messages) : [];
    const { words, count } = this.#interest.pick(cell, tier);
    const { tick, at, epoch, index } = this.#replica;
    const head = { channel, tick, at, epoch, index };
    const frame = encodeFrame(head, words, count, ahead ? [] : messages);
    return { runs, frame, shared: preframe(...runs, frame) };
  }

  #write(viewer: Viewer, told: Told, count: ComposeCount): void {
    const { link, outbox, preamble } = viewer;
    viewer.place = this.#news.end;
    let buffer = told.shared;
    if (preamble.length > 0 || !outbox.empty || !link.outbox.empty) {
      const tail = [...outbox.take(), ...link.outbox.take()];
      viewer.preamble = NO_PREAMBLE;
      viewer.entered ||= preamble.length > 0;
      const rides = told.frame && tail.length <= RIDERS_MAX;
      const frame = told.frame ? [rides ? joinBytes([told.frame, ...tail]) : told.frame] : [];
      const after = rides ? [] : runsOf(tail);
      buffer = preframe(...runsOf(preamble), ...told.runs, ...frame, ...after);
    } else if (buffer) count.shared++;
    if (!buffer) return;
    count.written++;
    count.bytes += buffer.length;
    link.write(buffer);
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

/** The messages in payloads, as many in each as a client takes. */
export function runsOf(messages: readonly Uint8Array[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let bytes = 0;
  for (const message of messages) {
    const full = run.length === MESSAGES_PER_PAYLOAD_MAX || bytes + message.length > RUN_BYTES_MAX;
    if (full && run.length > 0) {
      runs.push(joinBytes(run));
      run = [];
      bytes = 0;
    }
    run.push(message);
    bytes += message.length;
  }
  if (run.length > 0) runs.push(joinBytes(run));
  return runs;
}
