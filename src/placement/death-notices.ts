import type { ProcessId } from "../kernel/ids.ts";

export interface DeathNoticeConfig {
  /** One process is told no more often. */
  readonly everyMs: number;
  /** Processes whose last notice is remembered; of more, the one told longest ago is forgotten. */
  readonly processesMax: number;
}

export const deathNoticeDefaults: DeathNoticeConfig = { everyMs: 1_000, processesMax: 1_024 };

/** Whom to tell that it is held dead: a dead process beats on until it hears of it. Pure. */
export class DeathNotices {
  /** In the order told. */
  readonly #toldAt = new Map<ProcessId, number>();
  readonly #config: DeathNoticeConfig;

  constructor(config: DeathNoticeConfig = deathNoticeDefaults) {
    this.#config = config;
  }

  /** True where the process is to be told now; that counts as told. */
  due(process: ProcessId, now: number): boolean {
    const { everyMs, processesMax } = this.#config;
    const toldAt = this.#toldAt.get(process);
    if (toldAt !== undefined && now - toldAt < everyMs) return false;
    this.#toldAt.delete(process);
    this.#toldAt.set(process, now);
    const [oldest] = this.#toldAt.keys();
    if (this.#toldAt.size > processesMax && oldest !== undefined) this.#toldAt.delete(oldest);
    return true;
  }
}
