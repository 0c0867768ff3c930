import type { Bus } from "../src/bus/bus.ts";
import type { Clock } from "../src/kernel/clock.ts";
import type { ProcessId } from "../src/kernel/ids.ts";
import { Uplink } from "./uplink.ts";

/** The links to all nodes, made when they are used first and closed when they fell idle. */
export class Uplinks {
  readonly #links = new Map<ProcessId, { readonly uplink: Uplink; used: boolean }>();
  /**
   * The highest number of a link that was closed. Were the first batch of a new link number 1, and
   * lost, its node would take all that follow for old ones.
   */
  #lastNumber = 0;
  readonly #bus: Pick<Bus, "publish">;
  readonly #clock: Clock;
  readonly #options: { readonly self: ProcessId; readonly flushMs: number };

  constructor(
    bus: Pick<Bus, "publish">,
    clock: Clock,
    options: { readonly self: ProcessId; readonly flushMs: number },
  ) {
    this.#bus = bus;
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#links.size;
  }

  to(node: ProcessId): Uplink {
    let link = this.#links.get(node);
    if (!link) {
      const options = { ...this.#options, node, after: this.#lastNumber };
      link = { uplink: new Uplink(this.#bus, this.#clock, options), used: true };
      this.#links.set(node, link);
    }
    link.used = true;
    return link.uplink;
  }

  /** Closes links that were not used since the last sweep, except those to keep. */
  sweep(keep: ReadonlySet<ProcessId | undefined>): void {
    for (const [node, link] of this.#links) {
      if (link.used || keep.has(node)) {
        link.used = false;
        continue;
      }
      link.uplink.close();
      this.#lastNumber = Math.max(this.#lastNumber, link.uplink.sequence);
      this.#links.delete(node);
    }
  }

  close(): void {
    for (const { uplink } of this.#links.values()) uplink.close();
    this.#links.clear();
  }
}
