import type { Result } from "../kernel/result.ts";

/** Why a request had no answer. `no_responders` is certain; the others may have been heard. */
export type BusError = "no_responders" | "timeout" | "disconnected";

export interface BusMessage {
  readonly subject: string;
  /** Valid during the call only: a receiver that keeps it copies it. */
  readonly data: Uint8Array;
  /** Answers a request; does nothing for a plain publish. */
  readonly respond: (data: Uint8Array) => void;
}

export interface Subscription {
  readonly close: () => void;
}

/**
 * At-most-once messaging between processes. Messages of one publisher to one subscriber keep their
 * order while neither reconnects; nothing else is promised. What is published while disconnected is
 * lost and counted, so senders repeat from state.
 */
export interface Bus {
  readonly connected: boolean;
  /** `data` must not change afterwards: adapters may hold it until their next flush. */
  publish(subject: string, data: Uint8Array): void;
  /** `subject` may end in `>` or hold `*`. With a queue name, one member of the queue receives. */
  subscribe(
    subject: string,
    receive: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Subscription;
  request(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Result<Uint8Array, BusError>>;
  /** Hears every loss and return of the connection. */
  onConnection(listener: (connected: boolean) => void): Subscription;
  /**
   * Leaves its server for the next one, as at a loss of the connection: for a caller who knows that
   * the connection carries nothing although it looks whole. Does nothing without a connection.
   */
  redial(): void;
  /** Resolves when the server this process talks to has seen everything sent so far. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
