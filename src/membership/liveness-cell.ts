import { assert } from "../kernel/assert.ts";
import { parseRoomId, type RoomId } from "../kernel/ids.ts";

/** What the main loop says about its load. */
export interface NodeLoad {
  readonly rooms: number;
  readonly sessions: number;
  readonly egressBytesPerS: number;
  readonly draining: boolean;
  /** How much longer than asked for ticks are apart; 1: not at all. */
  readonly stretch: number;
}

/** Where each number lives, as 32-bit words. All are written by the main loop alone. */
const WORD = {
  ticks: 0,
  controlEchoes: 1,
  dataEchoes: 2,
  rooms: 3,
  sessions: 4,
  egressBytesPerS: 5,
  draining: 6,
  /** Loop utilisation in millionths. */
  load: 7,
  /** Odd while the room below is being written. */
  roomVersion: 8,
  /** 0: no room's turn runs. */
  roomLength: 9,
  /** In thousandths. */
  stretch: 10,
} as const;
const WORDS = 11;
const ROOM_BYTES = 128;
const U32_MAX = 0xffff_ffff;

/**
 * A few words of memory that a node's main loop and its liveness thread share, so that the thread
 * can speak for a loop that does not answer any more. One writer, one reader, no locks.
 */
export class LivenessCell {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #room: Uint8Array;
  /** Which room's name stands in the cell: most turns need not write it again. */
  #written: RoomId | undefined;

  constructor(buffer = new SharedArrayBuffer(WORDS * 4 + ROOM_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#room = new Uint8Array(buffer, WORDS * 4, ROOM_BYTES);
  }

  /** The main loop came round. */
  tick(): void {
    Atomics.add(this.#words, WORD.ticks, 1);
  }

  echoed(bus: "control" | "data"): void {
    Atomics.add(this.#words, bus === "control" ? WORD.controlEchoes : WORD.dataEchoes, 1);
  }

  /** `utilisation`: share of the main loop's time spent running, 0 to 1. */
  report(load: NodeLoad, utilisation: number): void {
    this.#set(WORD.rooms, load.rooms);
    this.#set(WORD.sessions, load.sessions);
    this.#set(WORD.egressBytesPerS, load.egressBytesPerS);
    this.#set(WORD.draining, load.draining ? 1 : 0);
    this.#set(WORD.stretch, load.stretch * 1e3);
    this.#set(WORD.load, Math.min(1, Math.max(0, utilisation)) * 1e6);
  }

  /** The turn of this room begins; undefined: it has ended. */
  run(room: RoomId | undefined): void {
    const words = this.#words;
    const length = room?.length ?? 0;
    if (room === undefined || room === this.#written) {
      Atomics.store(words, WORD.roomLength, length);
      return;
    }
    assert(length <= ROOM_BYTES, "a room id fits the cell");
    this.#written = room;
    Atomics.add(words, WORD.roomVersion, 1);
    for (let i = 0; i < length; i++) this.#room[i] = room.charCodeAt(i);
    Atomics.store(words, WORD.roomLength, length);
    Atomics.add(words, WORD.roomVersion, 1);
  }

  /** Whose turn runs; null for none, and where it changed while it was being read. */
  running(): RoomId | null {
    const before = Atomics.load(this.#words, WORD.roomVersion);
    const length = Atomics.load(this.#words, WORD.roomLength);
    if (length === 0 || before % 2 !== 0) return null;
    const bytes = this.#room.slice(0, length);
    const unchanged =
      Atomics.load(this.#words, WORD.roomVersion) === before &&
      Atomics.load(this.#words, WORD.roomLength) === length;
    return unchanged ? (parseRoomId(String.fromCharCode(...bytes)) ?? null) : null;
  }

  /** Counters that change while the main loop and its connections live. */
  get counters(): Counters {
    return {
      ticks: this.#get(WORD.ticks),
      controlEchoes: this.#get(WORD.controlEchoes),
      dataEchoes: this.#get(WORD.dataEchoes),
    };
  }

  get load(): NodeLoad & { readonly load: number } {
    return {
      rooms: this.#get(WORD.rooms),
      sessions: this.#get(WORD.sessions),
      egressBytesPerS: this.#get(WORD.egressBytesPerS),
      draining: this.#get(WORD.draining) === 1,
      stretch: this.#get(WORD.stretch) / 1e3,
      load: this.#get(WORD.load) / 1e6,
    };
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#words, word, Math.min(U32_MAX, Math.max(0, value)) | 0);
  }

  #get(word: number): number {
    return Atomics.load(this.#words, word) >>> 0;
  }
}

export interface Counters {
  readonly ticks: number;
  readonly controlEchoes: number;
  readonly dataEchoes: number;
}

/**
 * Ages of counters in the reader's own running time: each look adds at most `stepMsMax`, so a
 * process that was stopped and goes on finds its ages hardly older than before.
 */
export class RunningAges {
  readonly #stepMsMax: number;
  #lookedAt: number;
  #running = 0;
  #counters: Counters = { ticks: -1, controlEchoes: -1, dataEchoes: -1 };
  #changed = { ticks: 0, controlEchoes: 0, dataEchoes: 0 };

  constructor(stepMsMax: number, now: number) {
    this.#stepMsMax = stepMsMax;
    this.#lookedAt = now;
  }

  /** `connected`: the reader's own connection is up; while it is not, no echo is missed. */
  look(
    counters: Counters,
    connected: boolean,
    now: number,
  ): { readonly loopAgeMs: number; readonly echoAgeMs: number } {
    this.#running += Math.min(now - this.#lookedAt, this.#stepMsMax);
    this.#lookedAt = now;
    for (const name of ["ticks", "controlEchoes", "dataEchoes"] as const) {
      const excused = name !== "ticks" && !connected;
      if (excused || counters[name] !== this.#counters[name]) this.#changed[name] = this.#running;
    }
    this.#counters = counters;
    const { ticks, controlEchoes, dataEchoes } = this.#changed;
    return {
      loopAgeMs: this.#running - ticks,
      echoAgeMs: this.#running - Math.min(controlEchoes, dataEchoes),
    };
  }
}
