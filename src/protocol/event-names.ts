import { type RoomId, roomId, roomParts } from "../kernel/ids.ts";

/**
 * An event's names. Its stage is the room `<event>` in world `<world>`, its shards are the rooms
 * `<event>--0`, `<event>--1`, … in world `<world>--shard`; who joins `event/<event>` is seated in
 * one of them.
 */
const SHARD = /^(.+)--(0|[1-9][0-9]{0,3})$/;
const ADDRESS = /^(event|stage)\/(.*)$/;
/** An event has no more, so no shard has this number. */
export const SHARDS_MAX = 2_000;

export const shardWorld = (world: string): string => `${world}--shard`;

/**
 * What a join asks for by what it calls a room: `event/<event>` a seat in one of its shards,
 * `stage/<event>` to watch its stage, anything else a room.
 */
export function addressOf(name: string): {
  readonly kind: "room" | "seat" | "watch";
  readonly name: string;
} {
  const [, kind, event] = ADDRESS.exec(name) ?? [];
  if (event === undefined) return { kind: "room", name };
  return { kind: kind === "event" ? "seat" : "watch", name: event };
}

export function shardRoom(stage: RoomId, shard: number): RoomId {
  return roomId(`${stage}--${shard}`);
}

/** Whose shard a room is, and which; undefined for every other room. */
export function shardOf(
  room: RoomId,
): { readonly stage: RoomId; readonly shard: number } | undefined {
  const { tenant, name } = roomParts(room);
  const [, event, shard] = SHARD.exec(name) ?? [];
  // A shard is no event and has none of its own.
  if (event === undefined || SHARD.test(event)) return undefined;
  return { stage: roomId(`${tenant}/${event}`), shard: Number(shard) };
}
