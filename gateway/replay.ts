import { type Epoch, epochGeneration } from "../src/kernel/epoch.ts";
import { type Cursor, gatewayToClient } from "../src/protocol/client-messages.ts";
import type { RoomRecord } from "../src/protocol/room-messages.ts";
import { type Listener, type News, recordFor } from "./news.ts";
import type { Replica } from "./replica.ts";

/** How a client that was here before is brought up to date. */
export type ResumePlan =
  | { readonly kind: "snapshot" }
  | { readonly kind: "records"; readonly records: readonly RoomRecord[] }
  | { readonly kind: "fetch"; readonly after: number };

/** From what is kept here where that reaches back to the cursor, else by asking the owner. */
export function planResume(
  cursor: Cursor | null,
  replica: Pick<Replica, "index" | "epoch">,
  news: Pick<News, "recordsAfter">,
): ResumePlan {
  if (cursor === null || cursor.index === 0) return { kind: "snapshot" };
  const foreign = epochGeneration(cursor.epoch) !== epochGeneration(replica.epoch);
  if (foreign || cursor.index > replica.index) return { kind: "snapshot" };
  if (cursor.index === replica.index) return { kind: "records", records: [] };
  const records = news.recordsAfter(cursor.index);
  return records ? { kind: "records", records } : { kind: "fetch", after: cursor.index };
}

/**
 * The records from `after` to `until`, each once: the owner's answer as far as it goes, then what
 * came here meanwhile. Undefined where one is missing.
 */
export function joinRecords(
  fetched: readonly RoomRecord[],
  after: number,
  until: number,
  news: Pick<News, "recordsAfter">,
): readonly RoomRecord[] | undefined {
  const records = fetched.filter((record) => record.index > after && record.index <= until);
  const last = records.at(-1)?.index ?? after;
  if (last < until) {
    const later = news.recordsAfter(last);
    if (!later) return undefined;
    records.push(...later.filter((record) => record.index <= until));
  }
  const whole = records.every((record, at) => record.index === after + 1 + at);
  return whole && records.length === until - after ? records : undefined;
}

/** How everybody looks, which no record tells: encoded once for each channel while it holds. */
export class Profiles {
  readonly #replica: Replica;
  readonly #encoded = new Map<number, readonly Uint8Array[]>();
  #version = -1;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  for(channel: number): readonly Uint8Array[] {
    const { members, membersVersion } = this.#replica;
    if (this.#version !== membersVersion) this.#encoded.clear();
    this.#version = membersVersion;
    let messages = this.#encoded.get(channel);
    if (!messages) {
      messages = [...members.values()].flatMap(({ slot, generation, profile }) =>
        profile
          ? [gatewayToClient.encode({ type: "profile", channel, slot, generation, profile })]
          : [],
      );
      this.#encoded.set(channel, messages);
    }
    return messages;
  }
}

/**
 * What a resumed client is told after `joined`: the records it missed, then how everybody looks
 * now. Undefined where that is more than `bytesMax`.
 */
export function encodeReplay(
  records: readonly RoomRecord[],
  profiles: readonly Uint8Array[],
  to: Listener & { readonly channel: number },
  limits: { readonly epoch: Epoch; readonly bytesMax: number },
): Uint8Array[] | undefined {
  const { channel } = to;
  const { epoch, bytesMax } = limits;
  const messages: Uint8Array[] = [];
  let bytes = 0;
  for (const { length } of profiles) bytes += length;
  for (const record of records) {
    if (bytes > bytesMax) return undefined;
    const told = recordFor(record, to);
    const message = gatewayToClient.encode({ type: "record", channel, epoch, record: told });
    messages.push(message);
    bytes += message.length;
  }
  return bytes > bytesMax ? undefined : [...messages, ...profiles];
}
