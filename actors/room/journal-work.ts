import { backoffMs } from "../../src/kernel/backoff.ts";
import { delay } from "../../src/kernel/clock.ts";
import { type Epoch, epochGeneration } from "../../src/kernel/epoch.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import type { RoomEffect, RoomMessage } from "./effects.ts";
import type { RoomHost } from "./room-host.ts";

type EffectOf<T extends RoomEffect["type"]> = Extract<RoomEffect, { type: T }>;

const RETRY = { baseMs: 50, capMs: 500 };

/** The ownership that asked: what comes back for an older one is nobody's. */
export interface Asker {
  readonly epoch: Epoch;
  readonly current: () => boolean;
  readonly decide: (message: RoomMessage) => void;
  readonly fenced: () => void;
}

/**
 * What a serving room asks of the stores. After every wait the ownership is looked at again, and
 * before every write the generation that its sequences are of: in a restored journal other records
 * stand at them.
 */
export class JournalWork {
  readonly #host: RoomHost;
  readonly #room: RoomId;

  constructor(host: RoomHost, room: RoomId) {
    this.#host = host;
    this.#room = room;
  }

  async append(asker: Asker, effect: EffectOf<"append" | "repeat">): Promise<void> {
    const { journal, clock, random, observer } = this.#host;
    if (effect.type === "repeat") await delay(clock, 50 + backoffMs(1, RETRY, random));
    if (!asker.current()) return;
    if (!this.#sameJournal(asker)) return asker.fenced();
    const began = clock.now();
    const outcome = await journal.append(this.#room, effect.expected, effect.data);
    if (!asker.current()) return;
    if (outcome.kind === "accepted")
      observer.metrics.observe("roomcluster_append_ms", clock.now() - began);
    asker.decide({ type: "appended", nonce: effect.nonce, outcome });
  }

  async readAfter(asker: Asker, effect: EffectOf<"readAfter">): Promise<void> {
    const { journal, clock, random } = this.#host;
    for (let attempt = 0; asker.current(); attempt++) {
      const stored = await journal.readAfter(this.#room, effect.sequence);
      if (!asker.current()) return;
      if (stored.ok)
        return asker.decide({ type: "readAfter", nonce: effect.nonce, stored: stored.value });
      await delay(clock, backoffMs(attempt, RETRY, random));
    }
  }

  async store(asker: Asker, { snapshot }: EffectOf<"store">): Promise<void> {
    const { name, sequence, data } = snapshot;
    const stored = await this.#host.snapshots.put(this.#room, name, data);
    if (!asker.current()) return;
    asker.decide(stored.ok ? { type: "stored", name, sequence } : { type: "storeFailed" });
  }

  async trim(asker: Asker, { sequence, index }: EffectOf<"trim">): Promise<void> {
    const { journal, snapshots } = this.#host;
    if (!asker.current() || !this.#sameJournal(asker)) return;
    const trimmed = await journal.trim(this.#room, sequence);
    // The next snapshot removes what this one may not any more.
    if (trimmed.ok && asker.current() && this.#sameJournal(asker))
      await snapshots.removeBelow(this.#room, index);
  }

  #sameJournal = ({ epoch }: Asker): boolean =>
    this.#host.journal.generation === epochGeneration(epoch);
}
