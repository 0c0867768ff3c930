import type { ProcessId } from "../../src/kernel/ids.ts";
import type { SeatsAnswer, SeatsQuestion } from "../../src/protocol/room-messages.ts";

/** What a desk knows of its room when it is asked. */
export interface DeskView {
  /** Monotonic, in ms. */
  readonly now: number;
  /** The public state as it is durable. */
  readonly state: object;
}

/**
 * Answers gateways' questions from memory that lasts as long as an ownership: nothing of it is
 * journaled, and questions and answers may be lost. Events seat their people by one.
 */
export interface Desk {
  seats(from: ProcessId, question: SeatsQuestion, view: DeskView): SeatsAnswer;
}
