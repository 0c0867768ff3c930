import type { NatsConnection, PublishOptions } from "nats";
import type { Clock, Timer } from "../kernel/clock.ts";

/** More than these are handed on at once: a long turn of the loop holds no more in memory. */
const BYTES_MAX = 64 * 1024;
const LETTERS_MAX = 1024;

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
  readonly #lost: (subject: string, error?: unknown) => void;

  /** `lost` hears of every publish, but no request, that will not be sent. */
  constructor(
    connection: Pick<NatsConnection, "publish" | "isClosed">,
    clock: Pick<Clock, "after">,
    lost: (subject: string, error?: unknown) => void,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#lost = lost;
  }

  /** Bytes must not change afterwards. */
  push(subject: string, data: Uint8Array, options: PublishOptions): void {
    this.#letters.push({ subject, data, options });
    this.#bytes += data.length;
    if (this.#bytes > BYTES_MAX || this.#letters.length >= LETTERS_MAX) this.flush();
    else this.#turn ??= this.#clock.after(0, () => this.flush());
  }

  flush(): void {
    if (this.#connection.isClosed()) return this.drop();
    for (const letter of this.#take()) {
      const { subject, data, options } = letter;
      try {
        this.#connection.publish(subject, data, options);
      } catch (error) {
        // Whoever happens to be running now, or stands behind it, has nothing to do with it.
        this.#lose(letter, error);
      }
    }
  }

  /** For a connection that was lost: what was not sent is lost with it. */
  drop(): void {
    for (const letter of this.#take()) this.#lose(letter);
  }

  #take(): readonly Letter[] {
    const letters = this.#letters;
    this.#turn?.cancel();
    this.#turn = undefined;
    this.#letters = [];
    this.#bytes = 0;
    return letters;
  }

  #lose({ subject, options }: Letter, error?: unknown): void {
    // Only a request has a reply subject; its own outcome tells of it.
    if (options.reply === undefined) this.#lost(subject, error);
  }
}
