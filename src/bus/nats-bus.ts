import { ok, type Result } from "../kernel/result.ts";
import type { Bus, BusError, BusMessage, Subscription } from "./bus.ts";
import type { NatsClient, NatsMessage } from "./nats-client.ts";

/** The Bus on a NATS connection. Closing it closes the connection. */
export class NatsBus implements Bus {
  readonly #client: NatsClient;

  constructor(client: NatsClient) {
    this.#client = client;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  /** Host and port of the server it talks to now. */
  get server(): string {
    return this.#client.server;
  }

  publish(subject: string, data: Uint8Array): void {
    this.#client.publish(subject, data);
  }

  subscribe(
    subject: string,
    receive: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Subscription {
    const deliver = (message: NatsMessage): void => {
      const { reply } = message;
      const respond = (data: Uint8Array): void => {
        if (reply !== undefined) this.#client.publish(reply, data);
      };
      receive({ subject: message.subject, data: message.data, respond });
    };
    return this.#client.subscribe(subject, deliver, options?.queue);
  }

  async request(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Result<Uint8Array, BusError>> {
    const answer = await this.#client.request(subject, data, { timeoutMs });
    return answer.ok ? ok(answer.value.data) : answer;
  }

  onConnection(listener: (connected: boolean) => void): Subscription {
    return this.#client.onConnection(listener);
  }

  redial(): void {
    this.#client.redial();
  }

  flush(): Promise<void> {
    return this.#client.flush();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
