import type { ProcessId } from "../../src/kernel/ids.ts";
import type { SeatsAnswer, SeatsQuestion } from "../../src/protocol/room-messages.ts";

/** What a desk knows of its room when it is asked. */
export interface DeskView {
  /** Monotonic, in ms. */
  readonly now: number;
  /** Room time. */
  readonly at: number;
  /** As it is durable. */
  readonly state: object;
  readonly secret: object;
}

/** What a desk writes to. */
export interface DeskRoom {
  /** Room time. */
  readonly now: number;
  readonly state: object;
  readonly secret: object;
}

/**
 * Answers gateways' and operators' questions from what is durable and from memory that lasts as
 * long as an ownership: nothing of it is journaled, and questions and answers may be lost. Events
 * seat their people by one.
 */
export interface Desk {
  seats(from: ProcessId, question: SeatsQuestion, view: DeskView): SeatsAnswer;
  /** It knows what nobody else does, and would be lost with it. */
  readonly unwritten: boolean;
  /** True where it has something to write down: then `write` is called as a hook of the room's. */
  due(now: number): boolean;
  write(room: DeskRoom, now: number): void;
  /** Undefined where it is no question of operators that this desk knows: then it is a command. */
  read(name: string, view: DeskView): unknown;
}
