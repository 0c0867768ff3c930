import type { Room } from "../../src/client/room.ts";
import type { FrameHeadline } from "../../src/client/room-events.ts";
import { roomOf } from "./fleet.ts";
import type { JournalChecker } from "./journal-checker.ts";
import type { Registers } from "./register-world.ts";
import type { SimClient } from "./sim-client.ts";
import type { Accuse } from "./violation.ts";

/** What one membership has been shown so far. */
interface Shown {
  frame: FrameHeadline | undefined;
  /** Of the last snapshot or event: what was said up to here has been told. */
  saidIndex: number;
  generation: number;
}

/** Asks of each client's view whether the cluster may have shown that, and shown it then (I3). */
export class ClientChecker {
  readonly lastFrameMs = new Map<SimClient, number>();
  /** By tab: two of one person may show different things for a while. */
  readonly #shown = new Map<Room<Registers>, Shown>();
  /** Answers, by session and by the generation that it was shown. */
  readonly #acked = new Map<string, number>();
  readonly #journal: JournalChecker;
  readonly #accuse: Accuse;
  readonly #now: () => number;

  constructor(journal: JournalChecker, now: () => number, accuse: Accuse) {
    this.#journal = journal;
    this.#now = now;
    this.#accuse = accuse;
  }

  joined(client: SimClient, room: Room<Registers>): void {
    const roomName = roomOf(client.roomName);
    // Until it is shown what a restore brought back, a client goes on with what was before.
    const truthOf = () => this.#journal.truth(roomName, room.epoch);
    const shown = this.#of(room);
    shown.saidIndex = room.index;
    shown.generation = truthOf().generation;
    shown.frame = undefined;
    const bad = (rule: string, what: string): void =>
      this.#accuse(rule, `${client.name} in ${client.roomName}: ${what}`);
    this.lastFrameMs.set(client, this.#now());
    room.on("frame", (frame) => {
      if (frame.accepted) this.lastFrameMs.set(client, this.#now());
      const truth = truthOf();
      if (frame.epoch === truth.epoch && frame.index > truth.index)
        bad("I2", `a frame of index ${frame.index}, the journal has ${truth.index}`);
      this.#notBack(shown, frame, bad);
    });
    room.on("state", (patches, index) => {
      const truth = truthOf();
      if (index > truth.index) bad("I2", `index ${index} shown, the journal has ${truth.index}`);
      const expected = truth.states.get(index);
      const state = JSON.stringify(room.state);
      if (expected !== state) bad("I4", `state ${state} at ${index}, the journal says ${expected}`);
      const { generation } = truth;
      if (patches === null && generation > shown.generation) shown.saidIndex = index;
      else if (patches === null) shown.saidIndex = Math.max(shown.saidIndex, index);
      shown.generation = generation;
    });
    room.on("event", ({ name, data, index }) => {
      if (name !== "said") return;
      const truth = truthOf();
      const missed = truth.said.find((said) => said.index > shown.saidIndex && said.index < index);
      if (missed) bad("I3", `event ${index} came, and ${missed.index} did not`);
      if (index < shown.saidIndex) bad("I3", `event ${index} after ${shown.saidIndex}`);
      if (!truth.said.some((said) => said.index === index && said.data === data))
        bad("I2", `event ${index} is not in the journal`);
      shown.saidIndex = index;
    });
  }

  /** An answer came: its outcome must have been in the journal before. */
  acked(client: SimClient, session: string): void {
    const roomName = roomOf(client.roomName);
    const { generation, sessions } = this.#journal.truth(roomName, client.room?.epoch);
    const key = `${session} ${generation}`;
    const acked = (this.#acked.get(key) ?? 0) + 1;
    this.#acked.set(key, acked);
    const landed = sessions.get(session)?.last ?? 0;
    if (acked > landed)
      this.#accuse("I2", `${client.name}: ${acked} answers, ${landed} in the journal`);
  }

  /** Within one attach, what the gateway sends never goes back. */
  #notBack(shown: Shown, frame: FrameHeadline, bad: Accuse): void {
    const before = shown.frame;
    shown.frame = frame;
    if (!before || before.attach !== frame.attach) return;
    if (frame.epoch < before.epoch) bad("I3", `epoch ${frame.epoch} after ${before.epoch}`);
    if (frame.epoch !== before.epoch) return;
    if (frame.tick <= before.tick) bad("I3", `tick ${frame.tick} after ${before.tick}`);
    if (frame.index < before.index) bad("I3", `index ${frame.index} after ${before.index}`);
  }

  #of(room: Room<Registers>): Shown {
    let shown = this.#shown.get(room);
    if (!shown) {
      shown = { frame: undefined, saidIndex: 0, generation: 0 };
      this.#shown.set(room, shown);
    }
    return shown;
  }
}
