import net from "node:net";

/** What a link does with bytes: lets them pass, keeps them back, or is late with each. */
export type LinkState =
  | { readonly kind: "open" }
  | { readonly kind: "cut" }
  | { readonly kind: "slow"; readonly delayMs: number };

const OPEN: LinkState = { kind: "open" };
/** Bytes that one direction of a slow link may hold before its sender has to wait. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * A TCP link that can be cut and slowed. A cut link loses nothing and closes nothing: as with a
 * partition, the bytes arrive when it is over, if anybody is still there to read them.
 */
export class TcpProxy {
  readonly #server: net.Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  #state: LinkState = OPEN;
  #accepted = 0;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      this.#accepted++;
      const pair = new Pair(near, this.#target, this.#state, () => this.#pairs.delete(pair));
      this.#pairs.add(pair);
    });
  }

  static async listen(
    target: { readonly host: string; readonly port: number },
    host = "127.0.0.1",
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, host, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }
  /** Links through it now. */
  get links(): number {
    return this.#pairs.size;
  }
  get accepted(): number {
    return this.#accepted;
  }

  set(state: LinkState): void {
    this.#state = state;
    for (const pair of this.#pairs) pair.set(state);
  }

  /** Breaks every link there is; new ones can be made at once. */
  reset(): void {
    for (const pair of [...this.#pairs]) pair.destroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One connection: somebody, and the server behind the proxy. */
class Pair {
  readonly #near: net.Socket;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #ended: () => void;
  #far: net.Socket | undefined;
  #ways: readonly Way[] = [];
  #state: LinkState;
  #over = false;

  constructor(
    near: net.Socket,
    target: { readonly host: string; readonly port: number },
    state: LinkState,
    ended: () => void,
  ) {
    this.#near = near;
    this.#target = target;
    this.#ended = ended;
    this.#state = state;
    near.pause();
    near.on("error", () => this.destroy());
    near.on("close", () => this.#closed());
    if (state.kind !== "cut") this.#dial();
  }

  set(state: LinkState): void {
    this.#state = state;
    // Whoever called while it was cut is put through now.
    if (state.kind !== "cut" && this.#far === undefined) this.#dial();
    for (const way of this.#ways) way.set(state);
  }

  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    for (const way of this.#ways) way.stop();
    // Not an orderly end: whoever still listens is told that the link broke.
    for (const socket of [this.#near, this.#far])
      if (socket?.destroyed === false) socket.resetAndDestroy();
    this.#ended();
  }

  #dial(): void {
    const far = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#far = far;
    far.on("error", () => this.destroy());
    far.on("close", () => this.#closed());
    this.#ways = [new Way(this.#near, far, this.#state), new Way(far, this.#near, this.#state)];
  }

  /** One side is gone altogether; what it sent before is still to be delivered. */
  #closed(): void {
    if (this.#near.destroyed && (this.#far?.destroyed ?? true)) this.destroy();
    else if (this.#ways.every(({ finished }) => finished)) this.destroy();
  }
}

interface Parcel {
  readonly dueMs: number;
  readonly bytes: Buffer | null;
}

/** One direction: everything from one socket to the other, in order. */
class Way {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  readonly #parcels: Parcel[] = [];
  #state: LinkState;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #finished = false;

  constructor(from: net.Socket, to: net.Socket, state: LinkState) {
    this.#from = from;
    this.#to = to;
    this.#state = state;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => this.#take(null));
    to.on("drain", () => this.#flow());
    this.#flow();
  }

  get finished(): boolean {
    return this.#finished;
  }

  set(state: LinkState): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#flush();
    this.#flow();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#parcels.length = 0;
  }

  #take(bytes: Buffer | null): void {
    if (this.#state.kind === "open" && this.#parcels.length === 0) this.#deliver(bytes);
    else {
      const delayMs = this.#state.kind === "slow" ? this.#state.delayMs : 0;
      const dueMs = Math.max(performance.now() + delayMs, this.#parcels.at(-1)?.dueMs ?? 0);
      this.#parcels.push({ dueMs, bytes });
      this.#bytes += bytes?.length ?? 0;
      if (this.#parcels.length === 1) this.#flush();
    }
    this.#flow();
  }

  #flush(): void {
    if (this.#state.kind === "cut") return;
    // What a slow link holds is let go when it is slow no more.
    const now = this.#state.kind === "open" ? Number.POSITIVE_INFINITY : performance.now();
    for (let next = this.#parcels[0]; next && next.dueMs <= now; next = this.#parcels[0]) {
      this.#parcels.shift();
      this.#bytes -= next.bytes?.length ?? 0;
      this.#deliver(next.bytes);
    }
    const [next] = this.#parcels;
    if (next)
      this.#timer = setTimeout(
        () => {
          this.#flush();
          this.#flow();
        },
        Math.max(1, next.dueMs - now),
      );
  }

  #deliver(bytes: Buffer | null): void {
    if (bytes !== null) this.#to.write(bytes);
    else {
      this.#finished = true;
      this.#to.end();
    }
  }

  /** Reads on, unless there is a reason not to. */
  #flow(): void {
    const full = this.#to.writableNeedDrain || this.#bytes > QUEUE_BYTES_MAX;
    if (this.#state.kind === "cut" || full) this.#from.pause();
    else this.#from.resume();
  }
}
