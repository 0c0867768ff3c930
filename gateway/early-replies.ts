import { COMMANDS_IN_FLIGHT_MAX, type GatewayMessage } from "../src/protocol/client-messages.ts";

export type Reply = Extract<GatewayMessage, { type: "reply" }>;

const NONE: readonly Reply[] = [];

/**
 * Replies of one session whose records the replica does not have yet: a client has the record
 * first. As many as commands may be in flight; what is dropped is asked for again by a resend.
 */
export class EarlyReplies {
  /** Made for the first: most sessions never have one. */
  #bySeq: Map<number, Reply> | undefined;

  get empty(): boolean {
    return (this.#bySeq?.size ?? 0) === 0;
  }

  /** Keeps one reply to each command. */
  hold(reply: Reply): void {
    this.#bySeq ??= new Map();
    if (this.#bySeq.size < COMMANDS_IN_FLIGHT_MAX || this.#bySeq.has(reply.seq))
      this.#bySeq.set(reply.seq, reply);
  }

  /** Those that a replica at `index` may be told with, in the order they came. */
  release(index: number): readonly Reply[] {
    const bySeq = this.#bySeq;
    if (!bySeq || bySeq.size === 0) return NONE;
    const ready = [...bySeq.values()].filter((reply) => reply.index <= index);
    for (const { seq } of ready) bySeq.delete(seq);
    return ready;
  }

  clear(): void {
    this.#bySeq = undefined;
  }
}
