import type { Epoch } from "../src/kernel/epoch.ts";
import { decode } from "../src/protocol/msgpack.ts";
import {
  type FromRoom,
  ROOM_IMAGE,
  type RoomImage,
  SNAPSHOT_PART_BYTES,
} from "../src/protocol/room-messages.ts";
import { joinBytes } from "./preframe.ts";

export type SnapshotPart = Extract<FromRoom, { type: "snapshot" }>;

/** `partial`: more to come. `broken`: too large, or the bytes are no image. */
export type PartOutcome =
  | { readonly kind: "partial" }
  | { readonly kind: "broken" }
  | { readonly kind: "whole"; readonly index: number; readonly image: RoomImage };

/** Puts the parts of one snapshot together. A part of another one starts over. */
export class SnapshotParts {
  #epoch: Epoch | undefined;
  #index = 0;
  #parts: (Uint8Array | undefined)[] = [];
  #missing = 0;
  readonly #partsMax: number;

  constructor(bytesMax: number) {
    this.#partsMax = Math.ceil(bytesMax / SNAPSHOT_PART_BYTES);
  }

  add(message: SnapshotPart): PartOutcome {
    const { epoch, index, part, parts } = message;
    if (parts < 1 || parts > this.#partsMax || part >= parts) return { kind: "broken" };
    if (epoch !== this.#epoch || index !== this.#index || parts !== this.#parts.length) {
      this.#epoch = epoch;
      this.#index = index;
      this.#parts = new Array<Uint8Array | undefined>(parts).fill(undefined);
      this.#missing = parts;
    }
    if (this.#parts[part] === undefined) this.#missing--;
    this.#parts[part] = message.data;
    if (this.#missing > 0) return { kind: "partial" };
    const data = joinBytes(this.#parts as Uint8Array[]);
    this.clear();
    const value = decode(data);
    const image = value.ok ? ROOM_IMAGE(value.value) : undefined;
    return image ? { kind: "whole", index, image } : { kind: "broken" };
  }

  clear(): void {
    this.#epoch = undefined;
    this.#parts = [];
    this.#missing = 0;
  }
}
