import { expect, it } from "vitest";
import type { NatsClient, NatsMessage } from "../../src/bus/nats-client.ts";
import { NATS_JOURNAL_LIMITS, NatsJournal } from "../../src/journal/nats-journal.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { ok } from "../../src/kernel/result.ts";
import { silentObserver } from "../../src/observe/observer.ts";

const record = (sequence: number): NatsMessage => ({
  subject: "jrn",
  data: Uint8Array.of(sequence),
  reply: undefined,
  status: 0,
  header: (name) => (name === "Nats-Sequence" ? String(sequence) : undefined),
});

const end: NatsMessage = {
  ...record(0),
  status: 204,
  header: (name) => (name === "Nats-Num-Pending" ? "0" : undefined),
};

/** A connection on which a batched read is answered by these messages. */
function answering(messages: readonly NatsMessage[]): NatsClient {
  const collect: NatsClient["collect"] = async (_subject, _data, _options, receive) => {
    messages.some((message) => receive(message));
    return ok(undefined);
  };
  const onConnection = () => ({ close: () => undefined });
  return { collect, onConnection, observer: silentObserver } as unknown as NatsClient;
}

it.each([
  ["one after the other", [1, 3, 4, 1, 3, 4, 7]],
  ["in turn", [1, 1, 3, 3, 4, 4, 7]],
  ["one of them behind", [1, 3, 4, 7, 1, 3]],
])("[JN30] two replicas' answers are one list, %s", async (_, sequences) => {
  const messages = [...sequences.map(record), end, record(9), end];
  const journal = new NatsJournal(answering(messages), 1, NATS_JOURNAL_LIMITS);
  const read = await journal.readThrough(roomId("t/room"), 100);
  const expected = [1, 3, 4, 7].map((sequence) => ({ sequence, data: Uint8Array.of(sequence) }));
  expect(read).toEqual({ ok: true, value: expected });
});
