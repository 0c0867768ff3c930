import { z } from "zod";
import { defineEvent } from "../../actors/event/define-event.ts";
import type { World } from "../../actors/room/define-room.ts";
import type { Desk } from "../../actors/room/desk.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { roomId, worldName } from "../../src/kernel/ids.ts";
import type { SeatsAnswer, SeatsQuestion } from "../../src/protocol/room-messages.ts";

/** The event that a seed's cluster hosts beside its rooms. */
export const EVENT = "show";
export const STAGE = roomId(`sim/${EVENT}`);
export const STAGE_WORLD = worldName("show");
/** Slower than a definition may ask for: frames are most of what a seed costs. */
const TICK_HZ = 1;

export interface EventShape {
  readonly shards: number;
  /** Seats of one: the shard's owner admits no more, and the event's spec says the same. */
  readonly shardSize: number;
  readonly visitors: number;
}

/** One question of a gateway, as the stage's owner answered it. */
export interface Answered {
  /** One ownership's desk, and no other. */
  readonly desk: object;
  readonly owner: ProcessId;
  readonly from: ProcessId;
  readonly question: SeatsQuestion;
  readonly answer: SeatsAnswer;
  /** By the owner's clock: when that was, and since when the desk is open. */
  readonly now: number;
  readonly openedAt: number;
}

export type DeskWitness = (answered: Answered) => void;

const SAY = z.object({ text: z.string().max(64) });

/** A stage and shards whose people talk and clap. */
export function eventWorlds(
  owner: ProcessId,
  { shardSize }: EventShape,
  witness: DeskWitness,
): readonly World[] {
  const [stage, shard] = defineEvent({
    name: STAGE_WORLD,
    version: 1,
    reactions: ["clap"],
    speech: ["say"],
    stage: { state: () => ({}), commands: {} },
    shard: {
      capacity: shardSize,
      state: () => ({ said: 0 }),
      commands: {
        say: {
          body: SAY,
          run: ({ state }) => {
            state.said++;
            return null;
          },
        },
      },
    },
  });
  const open = (now: number): Desk => {
    const desk = stage.desk?.(now) as Desk;
    return {
      seats: (from, question, view) => {
        const answer = desk.seats(from, question, view);
        witness({ desk, owner, from, question, answer, now: view.now, openedAt: now });
        return answer;
      },
      get unwritten() {
        return desk.unwritten;
      },
      due: (at) => desk.due(at),
      write: (room, at) => desk.write(room, at),
      read: (name, view) => desk.read(name, view),
    };
  };
  return [
    { ...stage, tickHz: TICK_HZ, desk: open },
    { ...shard, tickHz: TICK_HZ },
  ];
}
