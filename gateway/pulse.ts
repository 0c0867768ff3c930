import type { ClientMessage } from "../src/protocol/client-messages.ts";
import type { Channels } from "./channels.ts";
import type { GatewayConfig } from "./config.ts";
import type { TierLimits } from "./tiers.ts";

type Echoes = Extract<ClientMessage, { type: "ping" }>["echoes"];
type PulseLimits = Pick<GatewayConfig, "pingMs" | "quietMs"> & TierLimits;

/** Periods of `pingMs` without a word after which a client is gone. */
const MISSED_MAX = 3;
/** A ping may be as late as that, as a share of its period. */
const LATE = 1.2;

/**
 * A client's signs of life: when it was heard, and what it says that it has shown. One that is
 * stuck does not read either. What it is sent goes into buffers of kernels on the way, where nobody
 * can take it back, and it would have to get through all of that first.
 */
export class Pulse {
  readonly #channels: Channels;
  readonly #limits: PulseLimits;
  #heardAt: number;
  /** It sends poses, so it is heard more often than by its pings. */
  #poses = false;
  #silent = false;
  /** Heard again, its first echo says how long it was stuck, and nothing of what it takes now. */
  #excused = false;

  constructor(channels: Channels, limits: PulseLimits, now: number) {
    this.#channels = channels;
    this.#limits = limits;
    this.#heardAt = now;
  }

  /** A payload came. */
  heard(now: number): void {
    this.#heardAt = now;
    if (this.#silent) this.#turn(false);
  }

  posed(): void {
    this.#poses = true;
  }

  /** Ticks wrap at 2^32; an echo of a tick not yet sent is age 0. */
  echoed(echoes: Echoes): void {
    for (const { channel, tick } of echoes) {
      const held = this.#channels.get(channel);
      if (held?.kind !== "member") continue;
      const ageTicks = Math.max(0, (held.room.replica.tick - tick) | 0);
      if (!this.#excused) held.session.viewer.tier.echoed(ageTicks, this.#limits);
    }
    this.#excused = false;
  }

  /** Called about once a second; false where it is to be closed. */
  sweep(now: number): boolean {
    const { pingMs, quietMs } = this.#limits;
    const silentMs = now - this.#heardAt;
    const stuck = silentMs > (this.#poses ? quietMs : pingMs * LATE);
    if (stuck && !this.#silent) this.#turn(true);
    return silentMs <= MISSED_MAX * pingMs;
  }

  #turn(silent: boolean): void {
    this.#silent = silent;
    this.#excused = !silent;
    for (const channel of this.#channels.values())
      if (channel.kind === "member") channel.session.viewer.tier.silent = silent;
  }
}
