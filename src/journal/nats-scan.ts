import type { NatsClient } from "../bus/nats-client.ts";
import { assert } from "../kernel/assert.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { StoreError, TooLong } from "./journal.ts";
import { getMessage, type StreamMessage } from "./nats-api.ts";

export interface ScanLimits {
  /** Requests under way at once. */
  readonly parallelMax: number;
  /** More messages or bytes than these are answered `too_long`. */
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly requestMsMax: number;
}

/** Pieces per worker: small enough that one crowded piece does not leave the others idle. */
const PIECES_PER_WORKER = 8;

/**
 * Every message of `subject` with a sequence in [first, last], oldest first, read from the leader.
 * The API gives one message a request, so the range is walked in pieces by several workers at once.
 */
export async function scan(
  client: NatsClient,
  stream: string,
  range: { readonly subject: string; readonly first: number; readonly last: number },
  limits: ScanLimits,
): Promise<Result<StreamMessage[], StoreError | TooLong>> {
  const { subject, first, last } = range;
  if (last < first) return ok([]);
  assert(limits.parallelMax > 0, "a scan has at least one worker");
  const found: StreamMessage[] = [];
  const span = Math.max(
    1,
    Math.ceil((last - first + 1) / (limits.parallelMax * PIECES_PER_WORKER)),
  );
  let failure: StoreError | TooLong | undefined;
  let bytes = 0;
  let nextPiece = first;
  // Where a piece found nothing up to some later sequence, the pieces between are empty too.
  let emptyUpTo = 0;
  const work = async (): Promise<void> => {
    while (!failure && nextPiece <= last) {
      const start = nextPiece;
      nextPiece += span;
      const end = Math.min(last, start + span - 1);
      for (let from = start; from <= end && !failure; ) {
        if (end < emptyUpTo && from === start) break;
        const message = await getMessage(
          client,
          stream,
          { next: subject, from },
          limits.requestMsMax,
        );
        if (!message.ok) {
          failure ??= message.error;
          return;
        }
        const sequence = message.value?.sequence ?? Number.POSITIVE_INFINITY;
        if (sequence > end) {
          emptyUpTo = Math.max(emptyUpTo, sequence);
          break;
        }
        found.push(message.value as StreamMessage);
        bytes += message.value?.data.length ?? 0;
        if (found.length > limits.messagesMax || bytes > limits.bytesMax) failure ??= "too_long";
        from = sequence + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.parallelMax }, work));
  if (failure) return err(failure);
  return ok(found.sort((a, b) => a.sequence - b.sequence));
}
