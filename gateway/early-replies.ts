import { COMMANDS_IN_FLIGHT_MAX, type GatewayMessage } from "../src/protocol/client-messages.ts";

export type Reply = Extract<GatewayMessage, { type: "reply" }>;

/**
 * Replies of one session whose records the replica does not have yet: a client has the record
 * first. As many as commands may be in flight; what is dropped is asked for again by a resend.
 */
export class EarlyReplies {
  readonly #bySeq = new Map<number, Reply>();

  get empty(): boolean {
    return this.#bySeq.size === 0;
  }

  /** Keeps one reply to each command. */
  hold(reply: Reply): void {
    if (this.#bySeq.size < COMMANDS_IN_FLIGHT_MAX || this.#bySeq.has(reply.seq))
      this.#bySeq.set(reply.seq, reply);
  }

  /** Those that a replica at `index` may be told with, in the order they came. */
  release(index: number): Reply[] {
    const ready = [...this.#bySeq.values()].filter((reply) => reply.index <= index);
    for (const { seq } of ready) this.#bySeq.delete(seq);
    return ready;
  }

  clear(): void {
    this.#bySeq.clear();
  }
}
