import type { IndexEntry } from "../journal/index-store.ts";
import type { StoreError } from "../journal/journal.ts";
import { assert } from "../kernel/assert.ts";
import type { RoomId, WorldName } from "../kernel/ids.ts";
import { ok, type Result } from "../kernel/result.ts";
import { type ClosedParts, makeEntry } from "./closed-entries.ts";
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
  readonly #parts: Omit<ClosedParts, "observer">;
  readonly #tell: (entry: IndexEntry) => void;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: Omit<ClosedParts, "observer">, tell: (entry: IndexEntry) => void) {
    this.#parts = parts;
    this.#tell = tell;
  }

  async create(room: RoomId, world: WorldName, immovable: boolean): Promise<Created> {
    let created = false;
    const change = { kind: "create", room, world, immovable } as const;
    const stored = await this.#settle(
      makeEntry(this.#parts, change, (made) => {
        created = made;
      }),
    );
    if (!stored.ok) return stored;
    const entry = stored.value;
    assert(entry !== undefined, "a room that was made is there");
    return ok({ created, entry });
  }

  change(change: IndexChange): Promise<Changed> {
    const { index, clock } = this.#parts;
    const decide = (entry: IndexEntry | undefined): IndexEntry | undefined =>
      changeEntry(change, entry, clock.wallNow());
    return this.#settle(index.change(change.room, decide));
  }

  async #settle(asked: Promise<Changed>): Promise<Changed> {
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
