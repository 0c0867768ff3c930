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

/**
 * What a resumed client is told after `joined`: the records it missed, then how everybody looks
 * now, which no record tells. Undefined where that is more than `bytesMax`.
 */
export function encodeReplay(
  records: readonly RoomRecord[],
  replica: Replica,
  to: Listener & { readonly channel: number },
  bytesMax: number,
): Uint8Array[] | undefined {
  const { channel } = to;
  const epoch: Epoch = replica.epoch;
  const messages: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    const message = gatewayToClient.encode({
      type: "record",
      channel,
      epoch,
      record: recordFor(record, to),
    });
    messages.push(message);
    bytes += message.length;
    if (bytes > bytesMax) return undefined;
  }
  for (const { slot, generation, profile } of replica.members.values()) {
    if (!profile) continue;
    messages.push(gatewayToClient.encode({ type: "profile", channel, slot, generation, profile }));
  }
  return messages;
}
