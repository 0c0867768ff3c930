import { assert } from "../src/kernel/assert.ts";
import type { Epoch } from "../src/kernel/epoch.ts";
import type { SessionId } from "../src/kernel/ids.ts";
import {
  type ClientEvent,
  type ClientRecord,
  type GatewayMessage,
  gatewayToClient,
  type Role,
} from "../src/protocol/client-messages.ts";
import type { RoomEvent, RoomRecord } from "../src/protocol/room-messages.ts";
import { clientRecord } from "./confidential.ts";

/** Whoever news is told to, as far as audiences go. */
export interface Listener {
  readonly session: SessionId;
  readonly role: Role;
}

type Volatile = Extract<
  GatewayMessage,
  { type: "profile" | "signal" | "epoch" | "suspended" | "crowd" }
>;
/** Something told to everyone in the room, before it has a channel. */
export type NewsMessage = WithoutChannel<Volatile>;
type WithoutChannel<M> = M extends unknown ? Omit<M, "channel"> : never;

type Item =
  | {
      readonly kind: "record";
      readonly record: RoomRecord;
      readonly epoch: Epoch;
      readonly encoded: Map<string, Uint8Array>;
    }
  | {
      readonly kind: "message";
      readonly message: NewsMessage;
      readonly encoded: Map<string, Uint8Array>;
    };

const hears = (event: RoomEvent, listener: Listener): boolean => {
  if (event.audience === null) return true;
  const value = event.audience.kind === "role" ? listener.role : listener.session;
  return event.audience.values.includes(value);
};

const plain = (event: RoomEvent): ClientEvent => ({ name: event.name, data: event.data });

/** The record as this listener may see it. */
export const recordFor = (record: RoomRecord, listener: Listener): ClientRecord => ({
  ...record,
  events: record.events.filter((event) => hears(event, listener)).map(plain),
});

/**
 * What everyone in a room is told, in order, kept for those who are behind. A place is a number
 * that only rises; a reader keeps its own. Bounded: the oldest is forgotten first.
 */
export class News {
  #items: Item[] = [];
  #first = 0;
  #bytes = 0;
  /** Place after the newest item whose bytes depend on who listens. */
  #privateEnd = 0;
  /** Place after the newest `epoch`. */
  #epochEnd = 0;
  readonly #itemsMax: number;
  readonly #bytesMax: number;

  constructor(limits: { readonly itemsMax: number; readonly bytesMax: number }) {
    this.#itemsMax = limits.itemsMax;
    this.#bytesMax = limits.bytesMax;
  }

  /** The place after the newest item. */
  get end(): number {
    return this.#first + this.#items.length;
  }

  /** True while everything from `place` on is still here. */
  reaches(place: number): boolean {
    return place >= this.#first && place <= this.end;
  }

  /** True where an `epoch` is among the news from `place` on. */
  hasEpochSince(place: number): boolean {
    return this.#epochEnd > place;
  }

  /** `state`: of the room, after the record. */
  addRecord(told: RoomRecord, epoch: Epoch, state: unknown): void {
    const record = clientRecord(told, state);
    this.#add({ kind: "record", record, epoch, encoded: new Map() });
    if (record.events.some((event) => event.audience !== null)) this.#privateEnd = this.end;
  }

  add(message: NewsMessage): void {
    this.#add({ kind: "message", message, encoded: new Map() });
    if (message.type === "epoch") this.#epochEnd = this.end;
  }

  /** Everything is forgotten: whoever reads on from an earlier place needs a snapshot. */
  clear(): void {
    this.#first = this.end + 1;
    this.#items = [];
    this.#bytes = 0;
  }

  /** Equal for listeners who are told the same bytes from `place` on. */
  variant(place: number, listener: Listener): string {
    if (this.#privateEnd <= place) return "";
    let variant = "";
    for (let at = place; at < this.#privateEnd; at++) variant += this.#keyAt(at, listener);
    return variant;
  }

  /** The messages from `place` on, encoded once for each channel and set of listeners. */
  since(place: number, channel: number, listener: Listener): Uint8Array[] {
    assert(this.reaches(place), "news is read only from where it is still known");
    const messages: Uint8Array[] = [];
    for (let at = place; at < this.end; at++) {
      const item = this.#items[at - this.#first] as Item;
      const key = `${channel}${this.#keyAt(at, listener)}`;
      let bytes = item.encoded.get(key);
      if (!bytes) {
        bytes = encodeItem(item, channel, listener);
        item.encoded.set(key, bytes);
      }
      messages.push(bytes);
    }
    return messages;
  }

  /** Records after `index`, oldest first, or undefined where some of them are forgotten. */
  recordsAfter(index: number): readonly RoomRecord[] | undefined {
    const records: RoomRecord[] = [];
    for (const item of this.#items) {
      if (item.kind === "record" && item.record.index > index) records.push(item.record);
    }
    return records[0]?.index === index + 1 ? records : undefined;
  }

  #keyAt(place: number, listener: Listener): string {
    const item = this.#items[place - this.#first];
    if (item?.kind !== "record") return "";
    let key = "";
    item.record.events.forEach((event, at) => {
      if (event.audience !== null && hears(event, listener)) key += `,${place}.${at}`;
    });
    return key;
  }

  #add(item: Item): void {
    // Nearly everyone uses channel 0, so its size stands for the item's. The key is that of a
    // listener to whom nothing private is told.
    const bytes = encodeItem(item, 0, NOBODY);
    item.encoded.set("0", bytes);
    this.#items.push(item);
    this.#bytes += bytes.length;
    while (this.#items.length > this.#itemsMax || this.#bytes > this.#bytesMax) {
      const oldest = this.#items.shift();
      if (!oldest) break;
      this.#first++;
      this.#bytes -= oldest.encoded.get("0")?.length ?? 0;
    }
  }
}

/** Matches no audience: roles and session ids are never empty. */
const NOBODY = { session: "", role: "" } as unknown as Listener;

function encodeItem(item: Item, channel: number, listener: Listener): Uint8Array {
  if (item.kind === "message")
    return gatewayToClient.encode({ ...item.message, channel } as GatewayMessage);
  const record = recordFor(item.record, listener);
  return gatewayToClient.encode({ type: "record", channel, epoch: item.epoch, record });
}
