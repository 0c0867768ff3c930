import type { NatsConnection, PublishOptions } from "nats";
import type { Clock, Timer } from "../kernel/clock.ts";

/** More than this is handed on at once, so that a long turn of the loop holds no more in memory. */
const BYTES_MAX = 64 * 1024;

interface Letter {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly options: PublishOptions;
}

/**
 * What one turn of the event loop publishes, handed to the client together at the end of the turn.
 * The client writes to its socket after every microtask that published something; a takeover, or a
 * busy gateway, would wake its server for each message. Order is kept.
 */
export class NatsOutbox {
  #letters: Letter[] = [];
  #bytes = 0;
  #turn: Timer | undefined;
  readonly #connection: Pick<NatsConnection, "publish" | "isClosed">;
  readonly #clock: Pick<Clock, "after">;

  constructor(
    connection: Pick<NatsConnection, "publish" | "isClosed">,
    clock: Pick<Clock, "after">,
  ) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Bytes must not change afterwards. */
  push(subject: string, data: Uint8Array, options: PublishOptions): void {
    this.#letters.push({ subject, data, options });
    this.#bytes += data.length;
    if (this.#bytes > BYTES_MAX) this.flush();
    else this.#turn ??= this.#clock.after(0, () => this.flush());
  }

  flush(): void {
    const letters = this.#letters;
    this.drop();
    if (this.#connection.isClosed()) return;
    for (const { subject, data, options } of letters)
      this.#connection.publish(subject, data, options);
  }

  /** For a connection that was lost: what was not sent is lost with it. */
  drop(): void {
    this.#turn?.cancel();
    this.#turn = undefined;
    this.#letters = [];
    this.#bytes = 0;
  }
}
