import { Worker } from "node:worker_threads";
import { bundle } from "./bundle.ts";
import type { FromLinks, ToLinks } from "./links-worker.ts";
import type { LinkState } from "./proxy.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where all proxies are; nothing of them is left after `close()`. */
export class LinkThread {
  readonly #worker = new Worker(bundle("links-worker"));
  readonly #waiting = new Map<number, (message: FromLinks) => void>();
  #opened = 0;

  constructor() {
    this.#worker.on("message", (message: FromLinks) => {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
    this.#worker.unref();
  }

  /** Links to these targets, for somebody who can reach `host`. */
  async open(targets: readonly Address[], host = "127.0.0.1"): Promise<Links> {
    const opened = await Promise.all(targets.map((target) => this.#open(target, host)));
    return new Links((message) => this.#tell(message), opened, host);
  }

  #open(target: Address, host: string): Promise<{ readonly id: number; readonly port: number }> {
    const id = ++this.#opened;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (message) =>
        "port" in message ? resolve(message) : reject(new Error(message.error)),
      );
      this.#tell({ type: "open", id, target, host });
    });
  }

  #tell(message: ToLinks): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The links of one process: to every NATS server, or from a gateway's clients. */
export class Links {
  readonly #tell: (message: ToLinks) => void;
  readonly #proxies: readonly { readonly id: number; readonly port: number }[];
  readonly #host: string;

  constructor(
    tell: (message: ToLinks) => void,
    proxies: readonly { readonly id: number; readonly port: number }[],
    host: string,
  ) {
    this.#tell = tell;
    this.#proxies = proxies;
    this.#host = host;
  }

  urls(scheme: "nats" | "ws"): string[] {
    return this.#proxies.map(({ port }) => `${scheme}://${this.#host}:${port}`);
  }

  /** Of all links, or of those to one target. */
  set(state: LinkState, at?: number): void {
    const chosen = this.#proxies.filter((_, i) => at === undefined || i === at);
    this.#tell({ type: "set", ids: chosen.map(({ id }) => id), state });
  }

  reset(): void {
    this.#tell({ type: "reset", ids: this.#proxies.map(({ id }) => id) });
  }
}
