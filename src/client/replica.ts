import { EPOCH_NONE, type Epoch } from "../kernel/epoch.ts";
import type {
  ClientRecord,
  Cursor,
  Member,
  Profile,
  RoomSnapshot,
} from "../protocol/client-messages.ts";
import { applyPatches } from "../protocol/patches.ts";

/** Somebody who came or went. */
export interface MemberChange {
  readonly kind: "joined" | "left";
  readonly member: Member;
}

export type RecordOutcome = "applied" | "duplicate" | "hole" | "diverged" | "unloaded";

/** What this client knows of a room's durable state: everything up to one index. */
export class Replica<State> {
  readonly #members = new Map<number, Member>();
  #state: State | undefined;
  #index = 0;
  #cursorEpoch: Epoch = EPOCH_NONE;
  #loaded = false;

  get state(): State | undefined {
    return this.#state;
  }
  get members(): ReadonlyMap<number, Member> {
    return this.#members;
  }
  get index(): number {
    return this.#index;
  }
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Where to go on from after a reconnect; null where only a snapshot will do. */
  get cursor(): Cursor | null {
    return this.#loaded ? { epoch: this.#cursorEpoch, index: this.#index } : null;
  }

  /** True for the person of that seat, and not for whoever has the slot after them. */
  seated(slot: number, generation: number): boolean {
    return this.#members.get(slot)?.generation === generation;
  }

  /**
   * Starts from a snapshot; answers who came and went against what was known, or undefined where
   * it would take this replica back. A later owner may: its journal was restored from a backup.
   */
  load(snapshot: RoomSnapshot): MemberChange[] | undefined {
    const { epoch, index } = snapshot;
    const older = epoch === this.#cursorEpoch ? index < this.#index : epoch < this.#cursorEpoch;
    if (older) return undefined;
    const changes: MemberChange[] = [];
    const present = new Map(snapshot.members.map((member) => [member.slot, member]));
    for (const [slot, member] of this.#members) {
      if (present.get(slot)?.generation !== member.generation) this.#remove(slot, changes);
    }
    for (const member of snapshot.members) {
      if (!this.seated(member.slot, member.generation)) changes.push({ kind: "joined", member });
      this.#members.set(member.slot, member);
    }
    this.#state = snapshot.state as State;
    this.#index = snapshot.index;
    this.#cursorEpoch = snapshot.epoch;
    this.#loaded = true;
    return changes;
  }

  /** Forgets all of it: what comes next is another room's. */
  clear(): MemberChange[] {
    const changes: MemberChange[] = [];
    for (const slot of [...this.#members.keys()]) this.#remove(slot, changes);
    this.#index = 0;
    this.#cursorEpoch = EPOCH_NONE;
    this.#loaded = false;
    return changes;
  }

  /** Applies the record after the last one, and no other. */
  apply(epoch: Epoch, record: ClientRecord, changes: MemberChange[]): RecordOutcome {
    if (!this.#loaded) return "unloaded";
    if (record.index <= this.#index) return "duplicate";
    if (record.index !== this.#index + 1) return "hole";
    if (!applyPatches(this.#state, record.patches)) {
      // Half applied: only a snapshot helps now, so none of it is offered as a cursor.
      this.#loaded = false;
      return "diverged";
    }
    this.#index = record.index;
    if (epoch > this.#cursorEpoch) this.#cursorEpoch = epoch;
    for (const { slot, generation } of record.left)
      if (this.seated(slot, generation)) this.#remove(slot, changes);
    for (const member of record.joined) {
      if (this.#members.has(member.slot)) this.#remove(member.slot, changes);
      this.#members.set(member.slot, member);
      changes.push({ kind: "joined", member });
    }
    return "applied";
  }

  /** The member with the new profile, or undefined where the seat is not theirs. */
  setProfile(slot: number, generation: number, profile: Profile): Member | undefined {
    const member = this.#members.get(slot);
    if (member === undefined || member.generation !== generation) return undefined;
    const changed = { ...member, profile };
    this.#members.set(slot, changed);
    return changed;
  }

  #remove(slot: number, changes: MemberChange[]): void {
    const member = this.#members.get(slot);
    if (member === undefined) return;
    this.#members.delete(slot);
    changes.push({ kind: "left", member });
  }
}
