import type { Arrive } from "../bus/memory-endpoint.ts";
import { randomBelow } from "../kernel/random.ts";
import type { MemoryStores } from "./memory-stores.ts";
import type { AppendFault, StoreFaults } from "./store-faults.ts";

/** What the way to the stores leads through; a Bus is one. */
export interface StoreConnection {
  readonly connected: boolean;
  onConnection(listener: (connected: boolean) => void): unknown;
}

/** The way of one process's requests to the stores and of the answers back. */
export class StoreLine {
  readonly faults: StoreFaults;
  readonly arrive: Arrive;
  readonly #stores: MemoryStores;
  readonly #connection: StoreConnection | undefined;
  /** Ends every request that is under way, without an answer. */
  readonly #waiting = new Set<(answer: undefined) => void>();
  /** No hint overtakes another. */
  #hintDue = 0;

  constructor(
    stores: MemoryStores,
    faults: StoreFaults,
    arrive: Arrive,
    connection: StoreConnection | undefined,
  ) {
    this.#stores = stores;
    this.faults = faults;
    this.arrive = arrive;
    this.#connection = connection;
    connection?.onConnection((connected) => {
      if (!connected) for (const finish of [...this.#waiting]) finish(undefined);
    });
  }

  /** Hears of each return of the connection. */
  onReturn(listener: () => void): void {
    this.#connection?.onConnection((connected) => {
      if (connected) listener();
    });
  }

  /**
   * Takes a request to a stream, runs `work` there, and brings the answer back. Undefined where
   * either was lost or late; then the work may have been done or still be. A `write` that meets a
   * stream without a leader may be kept for the next one.
   */
  call<T>(stream: string, work: () => T, kind: "read" | "write" = "read"): Promise<T | undefined> {
    return new Promise((resolve) => {
      let isWaiting = true;
      const finish = (answer: T | undefined): void => {
        if (!isWaiting) return;
        isWaiting = false;
        this.#waiting.delete(finish);
        this.arrive(() => resolve(answer));
      };
      if (this.#connection?.connected === false) {
        queueMicrotask(() => finish(undefined));
        return;
      }
      if (this.#connection) this.#waiting.add(finish);
      const deadline = this.#stores.clock.now() + this.faults.timeoutMs;
      this.#after(this.#travelMs(), () => {
        if (this.#isDeaf(stream, work, kind)) {
          if (this.#isRefused(stream)) this.#after(this.#travelMs(), () => finish(undefined));
          else this.#by(deadline, finish);
          return;
        }
        const holdMs = this.#stores.holdMs(stream);
        if (holdMs <= 0) this.#answer(stream, work(), deadline, finish);
        else {
          this.#by(deadline, finish, holdMs);
          this.wait(holdMs, () => this.#answer(stream, work(), deadline, finish));
        }
      });
    });
  }

  /** Brings a hint of a change to the process, or not. */
  hint(deliver: () => void): void {
    const { faults, fired, clock, random } = this.#parts();
    if (faults.watchSilent) {
      fired.watchSilent++;
      return;
    }
    let times = 1;
    if (faults.watchDuplicateRate > 0 && random.next() < faults.watchDuplicateRate) {
      fired.watchDuplicated++;
      times = 2;
    }
    for (; times > 0; times--) {
      let lagMs = this.#travelMs();
      if (faults.watchLagMsMax > 0) {
        fired.watchLagged++;
        lagMs += this.#between(faults.watchLagMsMin, faults.watchLagMsMax);
      }
      const now = clock.now();
      this.#hintDue = Math.max(this.#hintDue, now + lagMs);
      const arrive = (): void => {
        if (this.#isUnreachable() || this.#connection?.connected === false) return;
        this.arrive(deliver);
      };
      if (this.#hintDue > now) this.wait(this.#hintDue - now, arrive);
      else queueMicrotask(arrive);
    }
  }

  /** Waits in vain. */
  timeOut(): Promise<undefined> {
    const { timeoutMs } = this.faults;
    return new Promise((resolve) =>
      this.wait(timeoutMs, () => this.arrive(() => resolve(undefined))),
    );
  }

  wait(ms: number, then: () => void): void {
    this.#stores.clock.after(ms, then);
  }

  /** What befalls the next append. */
  appendFault(): AppendFault | "none" {
    const scripted = this.faults.nextAppends.shift();
    if (scripted) return scripted;
    const { ackLostRate, lostRate, lateRate, refusedRate } = this.faults;
    if (ackLostRate + lostRate + lateRate + refusedRate === 0) return "none";
    let draw = this.#stores.random.next();
    if (draw < ackLostRate) return "ack_lost";
    draw -= ackLostRate;
    if (draw < lostRate) return "lost";
    draw -= lostRate;
    if (draw < lateRate) return "late";
    return draw - lateRate < refusedRate ? "refused" : "none";
  }

  lateMs(): number {
    return this.#between(this.faults.lateMsMin, this.faults.lateMsMax);
  }

  /** How many of the newest records a follower's answer lacks this time. */
  staleRecords(): number {
    const { staleRate, staleRecordsMax } = this.faults;
    if (staleRate <= 0 || this.#stores.random.next() >= staleRate) return 0;
    this.#stores.fired.stale++;
    return 1 + randomBelow(this.#stores.random, staleRecordsMax);
  }

  #answer<T>(
    stream: string,
    answer: T,
    deadline: number,
    finish: (answer: T | undefined) => void,
  ): void {
    this.#after(this.#travelMs(), () => {
      // A leader that died meanwhile may have said it or not.
      if (this.#isUnreachable() || this.#stores.losesAnswer(stream)) this.#by(deadline, finish);
      else finish(this.#stores.clock.now() > deadline ? undefined : answer);
    });
  }

  /** No answer until the deadline; without `withinMs` there is none to come. */
  #by<T>(
    deadline: number,
    finish: (answer: T | undefined) => void,
    withinMs = Number.POSITIVE_INFINITY,
  ): void {
    const leftMs = Math.max(0, deadline - this.#stores.clock.now());
    if (leftMs < withinMs) this.wait(leftMs, () => finish(undefined));
  }

  /** At once is the same turn, after one microtask: nothing is decided inside of the call. */
  #after(ms: number, then: () => void): void {
    if (ms > 0) this.wait(ms, then);
    else queueMicrotask(then);
  }

  /** One way. */
  #travelMs(): number {
    return this.#between(this.faults.latencyMsMin, this.faults.latencyMsMax);
  }

  /** Draws nothing where there is nothing to draw, so that a fault that is off shifts no other. */
  #between(min: number, max: number): number {
    return max <= 0 ? 0 : min + this.#stores.random.next() * (max - min);
  }

  #isDeaf(stream: string, work: () => unknown, kind: "read" | "write"): boolean {
    if (this.#isUnreachable()) return true;
    if (!this.#stores.frozen.has(stream)) return false;
    this.#stores.fired.frozen++;
    if (kind === "write") this.#stores.mayKeep(stream, work);
    return true;
  }

  /** Whether the servers say that the stream has no leader. */
  #isRefused(stream: string): boolean {
    if (this.faults.unreachable || !this.#stores.frozen.has(stream)) return false;
    return this.#stores.refuses();
  }

  #isUnreachable(): boolean {
    if (this.faults.unreachable) this.#stores.fired.unreachable++;
    return this.faults.unreachable;
  }

  #parts() {
    const { clock, random, fired } = this.#stores;
    return { faults: this.faults, clock, random, fired };
  }
}
