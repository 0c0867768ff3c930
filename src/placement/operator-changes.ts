import type { IndexEntry, IndexStore } from "../journal/index-store.ts";
import type { StoreError } from "../journal/journal.ts";
import { assert } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RoomId, WorldName } from "../kernel/ids.ts";
import { ok, type Result } from "../kernel/result.ts";
import { changeEntry, type IndexChange } from "./index-changes.ts";

export type ChangeError = StoreError | "contended";
export type Created = Result<
  { readonly created: boolean; readonly entry: IndexEntry },
  ChangeError
>;
/** Undefined: it was never made. */
export type Changed = Result<IndexEntry | undefined, ChangeError>;

/** What operators change in the index, through this replica. */
export class OperatorChanges {
  readonly #index: Pick<IndexStore, "change">;
  readonly #clock: Pick<Clock, "wallNow">;
  readonly #tell: (entry: IndexEntry) => void;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(
    parts: { readonly index: Pick<IndexStore, "change">; readonly clock: Pick<Clock, "wallNow"> },
    tell: (entry: IndexEntry) => void,
  ) {
    this.#index = parts.index;
    this.#clock = parts.clock;
    this.#tell = tell;
  }

  async create(room: RoomId, world: WorldName, immovable: boolean): Promise<Created> {
    let created = false;
    const change = { kind: "create", room, world, immovable } as const;
    const stored = await this.change(change, (entry) => {
      created = entry === undefined;
    });
    if (!stored.ok) return stored;
    const entry = stored.value;
    assert(entry !== undefined, "a room that was made is there");
    return ok({ created, entry });
  }

  /** `seen`: what was there before, once more after each lost race. */
  async change(
    change: IndexChange,
    seen: (entry: IndexEntry | undefined) => void = () => undefined,
  ): Promise<Changed> {
    const asked = this.#index.change(change.room, (entry) => {
      seen(entry);
      return changeEntry(change, entry, this.#clock.wallNow());
    });
    this.#underWay.add(asked);
    const stored = await asked;
    this.#underWay.delete(asked);
    if (stored.ok && stored.value) this.#tell(stored.value);
    return stored;
  }

  /** Resolves when all that was asked for until now has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}
