import type { Room } from "../../src/client/room.ts";
import { type Fleet, roomOf } from "./fleet.ts";
import type { JournalChecker } from "./journal-checker.ts";
import { heightOf, type Registers } from "./register-world.ts";
import type { SimClient } from "./sim-client.ts";
import type { Accuse } from "./violation.ts";

type Tab = Room<Registers>;
type Shown = ReturnType<Tab["poses"]> extends Iterable<infer P> ? P : never;

/** Rows are quantised. */
const APART_MAX_M = 0.01;
const NEWEST = { atMs: Number.POSITIVE_INFINITY, options: { self: true } } as const;
const differ = (a: number, b: number): boolean => Math.abs(a - b) > APART_MAX_M;
const newestOf = (room: Tab): Iterable<Shown> => room.poses(NEWEST.atMs, NEWEST.options);

/** What clients show of each other: who sits where, where they stand, and their signals. */
export class PeopleChecker {
  readonly #journal: JournalChecker;
  readonly #accuse: Accuse;
  /** By tab and by who waved: the last wave heard. */
  readonly #heard = new Map<Tab, Map<number, number>>();

  constructor(journal: JournalChecker, accuse: Accuse) {
    this.#journal = journal;
    this.#accuse = accuse;
  }

  joined({ name, roomName }: SimClient, room: Tab): void {
    const bad = (rule: string, what: string): void =>
      this.#accuse(rule, `${name} in ${roomName}: ${what}`);
    room.on("joined", ({ slot, generation, person }) => {
      const truth = this.#journal.truth(roomOf(roomName), room.epoch);
      const seated = truth.seats.get(`${slot}.${generation}`);
      if (seated !== person) bad("I2", `${person} in the seat ${slot}.${generation} of ${seated}`);
    });
    // A row is its sender's and nobody else's: whoever has the seat next is of another height.
    room.on("frame", ({ accepted, rows }) => {
      if (!accepted || rows === 0) return;
      for (const { member, pose } of newestOf(room))
        if (differ(pose.y, heightOf(member.person)))
          bad("I3", `${member.person} is shown ${pose.y} m high`);
    });
    room.on("signal", ({ member, name: signal, body }) => {
      if (signal !== "wave") return;
      const [serial = 0, wave = 0] = (body as { hand: string }).hand.split(":").map(Number);
      const heard = this.#heard.get(room) ?? new Map<number, number>();
      this.#heard.set(room, heard);
      const last = heard.get(serial) ?? 0;
      if (wave <= last) bad("signal", `wave ${wave} of ${member.person} after ${last}`);
      heard.set(serial, wave);
    });
  }

  /** At the end everybody stands where they last went, nobody is a ghost, nobody seems away. */
  settled({ clients }: Fleet): void {
    for (const client of clients) {
      const { room, roomName, name } = client;
      if (!room || room.ended) continue;
      const there = new Map<string, SimClient>();
      for (const other of clients) {
        if (other.roomName !== roomName || !other.room || other.room.ended) continue;
        const { slot, generation } = other.room.me;
        there.set(`${slot}.${generation}`, other);
      }
      const bad = (what: string): void => this.#accuse("I6", `${name} in ${roomName}: ${what}`);
      const shown = new Map<string, Shown>();
      for (const each of newestOf(room))
        shown.set(`${each.member.slot}.${each.member.generation}`, each);
      for (const { slot, generation, person } of room.members.values()) {
        const seat = `${slot}.${generation}`;
        const who = there.get(seat);
        if (!who) bad(`${person} in ${seat} is a ghost`);
        else compare(who, shown.get(seat), bad);
      }
    }
  }
}

function compare({ name, stands }: SimClient, shown: Shown | undefined, bad: Say): void {
  if (!stands) return;
  if (!shown) return bad(`${name} is not to be seen`);
  const { x, z } = shown.pose;
  if (shown.away) bad(`${name} seems away`);
  if (differ(x, stands.x) || differ(z, stands.z))
    bad(`${name} stands at ${x}, ${z} and not at ${stands.x}, ${stands.z}`);
}

type Say = (what: string) => void;
