import { type LinkState, TcpProxy } from "./proxy.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The links of one process: to every NATS server, or from a gateway's clients. */
export class Links {
  readonly #proxies: readonly TcpProxy[];
  readonly #host: string;

  private constructor(proxies: readonly TcpProxy[], host: string) {
    this.#proxies = proxies;
    this.#host = host;
  }

  static async open(targets: readonly Address[], host = "127.0.0.1"): Promise<Links> {
    return new Links(await Promise.all(targets.map((to) => TcpProxy.listen(to, host))), host);
  }

  urls(scheme: "nats" | "ws"): string[] {
    return this.#proxies.map(({ port }) => `${scheme}://${this.#host}:${port}`);
  }

  /** Of all links, or of those to one target. */
  set(state: LinkState, at?: number): void {
    for (const [i, proxy] of this.#proxies.entries())
      if (at === undefined || i === at) proxy.set(state);
  }

  reset(): void {
    for (const proxy of this.#proxies) proxy.reset();
  }

  get count(): number {
    return this.#proxies.reduce((sum, { links }) => sum + links, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
