import type { AppendOutcome, Journal } from "../../src/journal/journal.ts";
import { backoffMs } from "../../src/kernel/backoff.ts";
import { type Clock, delay } from "../../src/kernel/clock.ts";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { type Random, randomHex } from "../../src/kernel/random.ts";
import type { WarmState } from "../../src/protocol/warm-state.ts";
import type { World } from "./define-room.ts";
import { type Learned, ownershipOf, type PlacedRecord, yieldsTo } from "./recovery.ts";
import { Register, type RegisterEffect } from "./register.ts";

export interface ClaimPorts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  readonly self: ProcessId;
}

/** A room that this node owns, by an owner record that it wrote itself or was named in. */
export interface Owned {
  readonly kind: "claimed";
  readonly epoch: Epoch;
  readonly register: Register;
  /** The owner record, where it stands. */
  readonly claim: PlacedRecord;
  /** What was read of the room before. */
  readonly learned?: Learned;
  /** What the last owner gave along. */
  readonly warm?: WarmState;
}

/** How a room comes to this node. */
export type RoomStart =
  | { readonly kind: "claim"; readonly replaces: Epoch }
  /** Its last owner handed it over, by this record. */
  | {
      readonly kind: "adopt";
      readonly epoch: Epoch;
      readonly claim: PlacedRecord;
      readonly learned: Learned | undefined;
      readonly warm: WarmState | undefined;
    };

/**
 * Takes up what the journal says already. An owner's first expected sequence is its owner record;
 * were this an old one, the first append would show it.
 */
export function adopt(start: Extract<RoomStart, { kind: "adopt" }>): Owned {
  const { epoch, claim, learned, warm } = start;
  const register = new Register(claim.sequence);
  const known = { ...(learned ? { learned } : {}), ...(warm ? { warm } : {}) };
  return { kind: "claimed", epoch, register, claim, ...known };
}

export type ClaimOutcome =
  | Owned
  | { readonly kind: "refused"; readonly why: "not_replaced" | "newer_state" | "broken" }
  /** Whoever asked has stopped asking. */
  | { readonly kind: "abandoned" };

const RETRY = { baseMs: 50, capMs: 500 };

/**
 * Takes a room by one journal write (DESIGN 6): read the tail from the leader, append an owner
 * record expecting that tail. Obeys only while the tail still shows the epoch that is to be
 * replaced. Where another record stands behind that tail the tail decides once more: the last owner
 * may have died with an append on its way. `wanted` is asked after every wait and bounds them all.
 */
export async function claimRoom(
  ports: ClaimPorts,
  room: RoomId,
  world: World,
  replaces: Epoch,
  wanted: () => boolean,
): Promise<ClaimOutcome> {
  const { journal, clock, random, self } = ports;
  for (let attempt = 0; wanted(); attempt++) {
    const tail = await journal.readTail(room);
    if (!wanted()) return { kind: "abandoned" };
    if (!tail.ok) {
      await delay(clock, backoffMs(attempt, RETRY, random));
      continue;
    }
    const now = ownershipOf(tail.value);
    if (!now) return { kind: "refused", why: "broken" };
    if (!yieldsTo(now, replaces)) return { kind: "refused", why: "not_replaced" };
    if (now.stateVersion > world.version) return { kind: "refused", why: "newer_state" };
    const { generation, sequence } = tail.value;
    const register = new Register(sequence);
    const effect = register.submit({
      type: "owner",
      index: now.index + 1,
      previous: sequence,
      epoch: now.epoch,
      by: self,
      nonce: randomHex(random, 8),
      at: Math.max(clock.wallNow(), now.at),
      stateVersion: world.version,
      owner: self,
      world: world.name,
    });
    const outcome = await settle(ports, room, register, effect, generation, wanted);
    if (outcome !== "lost") return outcome;
    // The first time at once: people wait.
    if (attempt > 0) await delay(clock, backoffMs(attempt, RETRY, random));
  }
  return { kind: "abandoned" };
}

function claimed(
  generation: number,
  register: Register,
  { record, sequence }: PlacedRecord,
): ClaimOutcome {
  const epoch = epochAt(generation, sequence);
  return { kind: "claimed", epoch, register, claim: { record, sequence } };
}

/** Repeats the claim until it is known to have landed or to have lost. */
async function settle(
  ports: ClaimPorts,
  room: RoomId,
  register: Register,
  first: RegisterEffect,
  generation: number,
  wanted: () => boolean,
): Promise<ClaimOutcome | "lost"> {
  const { journal, clock, random } = ports;
  let effect: RegisterEffect | undefined = first;
  const nonce = register.nonce;
  for (let attempt = 0; effect; attempt++) {
    if (effect.type === "settled") return claimed(generation, register, effect);
    if (effect.type === "fenced") return "lost";
    if (effect.type === "repeat") await delay(clock, backoffMs(attempt, RETRY, random));
    if (!wanted()) return { kind: "abandoned" };
    if (effect.type === "readAfter") {
      const after = await journal.readAfter(room, effect.sequence);
      if (after.ok) effect = register.after(nonce, after.value);
      else await delay(clock, backoffMs(attempt, RETRY, random));
      continue;
    }
    // In a restored journal other records stand at these sequences.
    if (journal.generation !== generation) return "lost";
    const outcome: AppendOutcome = await journal.append(room, effect.expected, effect.data);
    effect = register.outcome(nonce, outcome);
  }
  return { kind: "abandoned" };
}
