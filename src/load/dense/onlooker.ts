import {
  type ClientRecord,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
  type Member,
  PERFORMER,
} from "../../protocol/client-messages.ts";
import { decodeFrame, FRAME_KIND } from "../../protocol/frame.ts";
import { rowsFromBytes } from "../../protocol/pose-row.ts";
import type { BotNames } from "./names.ts";
import type { InterestPromise } from "./promise.ts";
import { type SightingSink, Sightings } from "./sightings.ts";

const SWEEP_FRAMES = 5;

export type ContentBreach =
  | "payload_malformed"
  | "record_missing"
  | "snapshot_old"
  | "reply_early"
  | "reply_twice";

export interface OnlookerSink extends SightingSink {
  breach(what: ContentBreach, detail: string): void;
  /** The answer to the command of this number. */
  reply(seq: number, status: string): void;
  rowsSeen(count: number): void;
}

interface Place {
  readonly x: number;
  readonly z: number;
}

/** Decodes all that one client is sent, and holds it against what is promised. */
export class Onlooker {
  readonly #sink: OnlookerSink;
  readonly #names: BotNames;
  readonly #sightings: Sightings;
  readonly #answered = new Set<number>();
  #index: number | undefined;
  #epoch = 0;
  /** That came: what is promised is promised of those. */
  #frames = 0;

  constructor(promise: InterestPromise, names: BotNames, sink: OnlookerSink) {
    this.#sink = sink;
    this.#names = names;
    this.#sightings = new Sightings(promise, sink);
  }

  /** `payload` may be gone after the call. */
  payload(payload: Uint8Array, own: Place): readonly GatewayMessage[] {
    if (payload[0] === FRAME_KIND) return this.#frame(payload, own);
    const decoded = gatewayToClient.decode(payload, MESSAGES_PER_PAYLOAD_MAX);
    if (!decoded.ok) return this.#malformed("a run of messages");
    for (const message of decoded.value) this.#message(message, own);
    return decoded.value;
  }

  #frame(payload: Uint8Array, own: Place): readonly GatewayMessage[] {
    const decoded = decodeFrame(payload);
    if (!decoded.ok) return this.#malformed("a frame");
    const { at, epoch, index, messages, rows } = decoded.value;
    // An older owner's, which its head has told already, counts for nothing (PR25).
    if (epoch < this.#epoch) return [];
    this.#frames++;
    if (epoch > this.#epoch) this.#sightings.excuse(this.#frames);
    this.#epoch = epoch;
    this.#sightings.rows(rows, this.#frames, at, own);
    this.#sink.rowsSeen(rows.length / 4);
    for (const message of messages) this.#message(message, own);
    if (this.#index !== undefined && index > this.#index) {
      this.#sink.breach("record_missing", `a frame at ${index}, told up to ${this.#index}`);
      this.#index = index;
    }
    if (this.#frames % SWEEP_FRAMES === 0) this.#sightings.sweep(this.#frames, own);
    return messages;
  }

  #malformed(what: string): readonly GatewayMessage[] {
    this.#sink.breach("payload_malformed", what);
    return [];
  }

  #message(message: GatewayMessage, own: Place): void {
    switch (message.type) {
      case "joined":
        this.#sightings.tickHz = message.tickHz;
        return;
      case "snapshot":
        return this.#snapshot(message, own);
      case "record":
        return this.#record(message.record);
      case "suspended":
      case "epoch":
        return this.#sightings.excuse(this.#frames);
      case "reply": {
        const { index, seq, status } = message;
        if (index > (this.#index ?? 0))
          this.#sink.breach("reply_early", `reply ${seq} of ${index} at ${this.#index}`);
        if (this.#answered.has(seq)) this.#sink.breach("reply_twice", `reply ${seq}`);
        this.#answered.add(seq);
        return this.#sink.reply(seq, status);
      }
      default:
        return;
    }
  }

  #snapshot(message: Extract<GatewayMessage, { type: "snapshot" }>, own: Place): void {
    const { at, epoch, index, members, rows } = message;
    if (this.#index !== undefined && epoch === this.#epoch && index < this.#index)
      return this.#sink.breach("snapshot_old", `a snapshot at ${index}, told up to ${this.#index}`);
    this.#index = index;
    this.#sightings.clear();
    for (const member of members) this.#enter(member);
    const words = rowsFromBytes(rows);
    if (words === undefined) return this.#sink.breach("payload_malformed", "rows of a snapshot");
    this.#sightings.rows(words, this.#frames, at, own);
  }

  #record({ index, joined, left }: ClientRecord): void {
    const told = this.#index;
    if (told === undefined || index <= told) return;
    if (index > told + 1)
      this.#sink.breach("record_missing", `record ${index}, told up to ${told}`);
    this.#index = index;
    for (const { slot, generation } of left) this.#sightings.leave(slot, generation);
    for (const member of joined) this.#enter(member);
  }

  #enter({ slot, generation, person, role }: Member): void {
    // Nobody sees an observer.
    if (role === "observer") return;
    const who = { beacon: this.#names.isBeacon(person), performer: role === PERFORMER };
    this.#sightings.enter(slot, generation, who);
  }
}
