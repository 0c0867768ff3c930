import type { IndexEntry, IndexStore } from "../../src/journal/index-store.ts";
import type { AppendOutcome, Journal, StoredRecord } from "../../src/journal/journal.ts";
import { snapshotDigest } from "../../src/journal/snapshot-digest.ts";
import type { SnapshotName, SnapshotStore } from "../../src/journal/snapshot-store.ts";
import { epochAt, parseEpoch } from "../../src/kernel/epoch.ts";
import { processId, type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { ok, type Result } from "../../src/kernel/result.ts";
import type { Change, Place, Racer, SnapshotPart, StoreOp } from "./conformance-ops.ts";

/** One process's way to a store. */
export interface Writer {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly index: IndexStore;
}

/** What became of an operation, without anything that may differ between two stores. */
export type Outcome = string | readonly string[];

interface Write {
  readonly expected: number;
  readonly data: Uint8Array;
}

/** Higher than any sequence gets here. */
const BEYOND = 1_000_003;
const TRIES_MAX = 30;
const process = (n: number) => processId(`node${n}.0123456789abcdef`);
const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * Plays operations on one store, and says what came of them in terms of which records there are, so
 * that two stores can be compared. What a busy machine leaves undecided is repeated.
 */
export class Player {
  /** Answers that were repeated for. */
  repeats = 0;
  readonly #writers: readonly Writer[];
  readonly #prefix: string;
  /** Of each room: the sequences of its accepted records, and what was tried. */
  readonly #sequences = new Map<number, number[]>();
  readonly #writes = new Map<number, Write[]>();
  #firstRound: number | undefined;

  /** Rooms are of this tenant. */
  constructor(writers: readonly Writer[], prefix: string) {
    this.#writers = writers;
    this.#prefix = prefix;
  }

  /** `like`: what a race ended in elsewhere; it is run in that order. */
  async play(op: StoreOp, like?: Outcome): Promise<Outcome> {
    const { journal } = this.#writer(op.writer);
    const room = this.#room(op.room);
    switch (op.do) {
      case "append":
        return this.#append(op.room, op);
      case "repeat":
        return this.#repeat(op.room, op.writer, op.back);
      case "race":
        return this.#race(op.room, op.racers, like);
      case "readTail": {
        const { sequence, record, generation } = await this.#got(() => journal.readTail(room));
        const tail = record ? this.#name(op.room, { sequence, data: record }) : "none";
        return `${generation} ${tail}`;
      }
      case "readAfter": {
        const after = this.#sequence(op.room, op.place);
        const record = await this.#got(() => journal.readAfter(room, after));
        return record ? this.#name(op.room, record) : "none";
      }
      case "readThrough": {
        const until = this.#sequence(op.room, op.until);
        const after = op.after ? { after: this.#sequence(op.room, op.after) } : {};
        const how = { leader: op.leader, ...after };
        const records = await this.#got(() => journal.readThrough(room, until, how));
        return records.map((record) => this.#name(op.room, record));
      }
      case "trim":
        await this.#got(() => journal.trim(room, this.#sequence(op.room, op.upTo)));
        return "trimmed";
      case "rooms": {
        const rooms = await this.#got(() => journal.rooms());
        return rooms
          .filter((name) => name.startsWith(`${this.#prefix}/`))
          .map(this.#tail)
          .sort();
      }
      default:
        return this.#playOther(op, room, like);
    }
  }

  async #playOther(op: StoreOp, room: RoomId, like: Outcome | undefined): Promise<Outcome> {
    const { index, snapshots } = this.#writer(op.writer);
    switch (op.do) {
      case "indexRead":
        return this.#entry(await this.#got(() => index.read(room)));
      case "indexList": {
        const entries = await this.#got(() => index.list());
        const own = entries.filter((entry) => entry.room.startsWith(`${this.#prefix}/`));
        return own.map((entry) => this.#entry(entry)).sort();
      }
      case "indexChange":
        return this.#change(op.room, op.writer, op.change, op.by);
      case "indexRace":
        return this.#indexRace(op.room, op.writers, like);
      case "round":
        return this.#round(op.writer, op.leave);
      case "put": {
        const data = contentOf(op.part);
        await this.#got(() => snapshots.put(room, nameOf(op.part, data), data));
        return "put";
      }
      case "get": {
        const name = nameOf(op.part, contentOf(op.part));
        const found = await this.#got<Uint8Array | undefined>(async () => {
          const got = await snapshots.get(room, name);
          return !got.ok && got.error === "missing" ? ok(undefined) : got;
        });
        return found ? `${found.length} bytes ${snapshotDigest(found)}` : "missing";
      }
      case "removeBelow":
        await this.#got(() => snapshots.removeBelow(room, op.index));
        return "removed";
      default:
        throw new Error(`nobody plays ${op.do}`);
    }
  }

  async #append(room: number, { writer, expect, text: words }: Racer): Promise<string> {
    const write = { expected: this.#sequence(room, expect), data: utf8.encode(words) };
    of(this.#writes, room).push(write);
    return this.#write(room, writer, write, true);
  }

  async #repeat(room: number, writer: number, back: number): Promise<string> {
    const write = of(this.#writes, room).at(-1 - back);
    return write ? this.#write(room, writer, write, false) : "nothing to repeat";
  }

  /** One after the other in the order of `like`, or all at once. */
  async #race(room: number, racers: readonly Racer[], like?: Outcome): Promise<string[]> {
    if (!like) {
      const writes = racers.map(({ expect, text: words }) => ({
        expected: this.#sequence(room, expect),
        data: utf8.encode(words),
      }));
      of(this.#writes, room).push(...writes);
      return Promise.all(
        writes.map((write, i) => this.#write(room, racers[i]?.writer ?? 0, write, true)),
      );
    }
    const writes = racers.map(({ expect, text: words }) => ({
      expected: this.#sequence(room, expect),
      data: utf8.encode(words),
    }));
    of(this.#writes, room).push(...writes);
    const outcomes: string[] = [];
    const winnersFirst = [...writes.keys()].sort(
      (a, b) => Number(like[a] === "refused") - Number(like[b] === "refused"),
    );
    for (const i of winnersFirst)
      outcomes[i] = await this.#write(room, racers[i]?.writer ?? 0, writes[i] as Write, true);
    return outcomes;
  }

  /** `isFresh`: nobody wrote these bytes before, so whoever finds them there wrote them now. */
  async #write(room: number, writer: number, write: Write, isFresh: boolean): Promise<string> {
    const { journal } = this.#writer(writer);
    const { expected, data } = write;
    let wasUndecided = false;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const outcome: AppendOutcome = await journal.append(this.#room(room), expected, data);
      if (outcome.kind === "accepted") return this.#accepted(room, outcome.sequence);
      if (outcome.kind === "undecided") {
        this.repeats++;
        wasUndecided = true;
        continue;
      }
      if (!wasUndecided || !isFresh) return "refused";
      const first = await this.#got(() => journal.readAfter(this.#room(room), expected));
      const isOwn = first !== undefined && text.decode(first.data) === text.decode(data);
      return isOwn ? this.#accepted(room, first.sequence) : "refused";
    }
    return "undecided for ever";
  }

  #accepted(room: number, sequence: number): string {
    const sequences = of(this.#sequences, room);
    const last = sequences.at(-1) ?? 0;
    if (sequence <= last) return `accepted at ${sequence}, which is not above ${last}`;
    sequences.push(sequence);
    return `accepted as ${sequences.length}`;
  }

  #sequence(room: number, place: Place): number {
    const sequences = of(this.#sequences, room);
    if (place.at === "start") return 0;
    if (place.at === "beyond") return (sequences.at(-1) ?? 0) + BEYOND;
    const sequence = sequences.at(-1 - place.back) ?? 0;
    return place.below ? Math.max(0, sequence - 1) : sequence;
  }

  /** Which of the accepted records it is, and what it holds. */
  #name(room: number, { sequence, data }: StoredRecord): string {
    const position = of(this.#sequences, room).indexOf(sequence) + 1;
    const words = text.decode(data);
    const [start] = words.split("x");
    return `${position || `unknown ${sequence}`}: ${start} and ${words.length} long`;
  }

  async #change(room: number, writer: number, change: Change, by: number): Promise<string> {
    const name = this.#room(room);
    const { index } = this.#writer(writer);
    const decide = (entry: IndexEntry | undefined): IndexEntry | undefined => {
      if (change === "nothing") return undefined;
      const old = entry ?? freshEntry(name);
      const sign = { raise: 1, keep: 0, lower: -1 }[change];
      return {
        ...old,
        epoch: parseEpoch(old.epoch + sign * by) ?? old.epoch,
        owner: process(writer),
        status: by === 1 ? "wanted" : "closed",
        changedAtMs: old.changedAtMs + 1,
      };
    };
    return this.#entry(await this.#got(() => index.change(name, decide)));
  }

  /** Each raises the epoch by one, so what each of them wrote tells when it did. */
  async #indexRace(room: number, writers: readonly number[], like?: Outcome): Promise<string[]> {
    const run = (writer: number): Promise<string> => this.#change(room, writer, "raise", 1);
    if (!like) return Promise.all(writers.map(run));
    const outcomes: string[] = [];
    const epochOf = (i: number): number => Number(like[i]?.split(" ")[1]);
    const inOrder = [...writers.keys()].sort((a, b) => epochOf(a) - epochOf(b));
    for (const i of inOrder) outcomes[i] = await run(writers[i] as number);
    return outcomes;
  }

  async #round(writer: number, leave: boolean): Promise<string> {
    const { index } = this.#writer(writer);
    const first = this.#firstRound;
    if (first === undefined) {
      const stored = await this.#got(() => index.changeRound(() => undefined));
      this.#firstRound = stored?.round ?? 0;
      return "first look";
    }
    const stored = await this.#got(() =>
      index.changeRound((old) => {
        const round = old?.round ?? 0;
        return leave ? undefined : { round: round + 1, by: process(writer), load: round / 4 };
      }),
    );
    return stored && stored.round > first ? `${stored.round - first} by ${stored.by}` : "old";
  }

  #entry(entry: IndexEntry | undefined): string {
    if (!entry) return "none";
    const { room, epoch, owner, status, changedAtMs } = entry;
    return `${this.#tail(room)} ${epoch} ${owner} ${status} ${changedAtMs}`;
  }

  readonly #tail = (room: RoomId): string => room.slice(this.#prefix.length + 1);

  /** One room's name is the beginning of another's. */
  #room(room: number): RoomId {
    return roomId(`${this.#prefix}/r${"1".repeat(room + 1)}`);
  }

  #writer(writer: number): Writer {
    return this.#writers[writer] as Writer;
  }

  /** Asks until there is an answer. */
  async #got<T>(ask: () => Promise<Result<T, string>>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const answer = await ask();
      if (answer.ok) return answer.value;
      if (tries === TRIES_MAX) throw new Error(`${answer.error} ${TRIES_MAX} times`);
      this.repeats++;
    }
  }
}

function of<T>(lists: Map<number, T[]>, room: number): T[] {
  const list = lists.get(room) ?? [];
  lists.set(room, list);
  return list;
}

const freshEntry = (room: RoomId): IndexEntry => ({
  room,
  world: worldName("plaza"),
  status: "wanted",
  epoch: epochAt(1, 100),
  owner: undefined,
  crashedOn: [],
  immovable: false,
  changedAtMs: 1,
});

const contentOf = ({ bytes, salt }: SnapshotPart): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + salt) & 0xff);

function nameOf({ index, twist }: SnapshotPart, data: Uint8Array): SnapshotName {
  const digest = twist === "digest" ? "0".repeat(64) : snapshotDigest(data);
  return { index, digest, bytes: data.length + (twist === "bytes" ? 1 : 0) };
}
