import type { Steps } from "./motion.ts";

/** One person to be. */
export interface Person {
  readonly room: number;
  /** Number in the room, from 0. */
  readonly index: number;
}

export type Said = string | Uint8Array;

/** One connection's side of a contestant's protocol. */
export interface Talk {
  /** Of the upgrade request. */
  readonly path: string;
  readonly subprotocol?: string;
  /** True once the server has let the person in. */
  readonly joined: boolean;
  /** What is said as soon as the socket is open. */
  opened(): readonly Said[];
  /**
   * One whole message. `update`: it brings the state of others. What is to be answered is put into
   * `replies`, which is empty at the call.
   */
  hear(text: boolean, payload: Buffer, replies: Said[]): "update" | "other";
  /** The message that tells one's pose. */
  pose(steps: Steps): Said;
  /** Decodes an update as the contestant's own client would; calls for each row in it. */
  decode(payload: Buffer, row: (key: number | string, steps: Steps) => void): void;
  /** What the contestant's own client says every so often besides. */
  beat?(): Said;
}

/** How to be a client of one contestant. */
export interface Dialect {
  /** How often `beat` is said, where the contestant's own client does. */
  readonly beatMs?: number;
  /** Whatever comes before the socket: a token, a seat. */
  dial(base: string, person: Person): Promise<Talk>;
}

/** What a module of a dialect exports. */
export interface DialectModule {
  readonly dialect: Dialect;
}
