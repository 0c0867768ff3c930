import { type RoomId, roomId, roomParts } from "../kernel/ids.ts";

/**
 * An event's names. Its stage is the room `<event>` in world `<world>`, its shards are the rooms
 * `<event>--0`, `<event>--1`, … in world `<world>--shard`; who joins `event/<event>` is seated in
 * one of them.
 */
const SHARD = /^(.+)--(0|[1-9][0-9]{0,3})$/;
const ADDRESS = "event/";

export const shardWorld = (world: string): string => `${world}--shard`;

/** The event that a join asks for by its address, or undefined where it asks for a room. */
export const eventAsked = (name: string): string | undefined =>
  name.startsWith(ADDRESS) ? name.slice(ADDRESS.length) : undefined;

export function shardRoom(stage: RoomId, shard: number): RoomId {
  return roomId(`${stage}--${shard}`);
}

/** Whose shard a room is, and which; undefined for every other room. */
export function shardOf(
  room: RoomId,
): { readonly stage: RoomId; readonly shard: number } | undefined {
  const { tenant, name } = roomParts(room);
  const [, event, shard] = SHARD.exec(name) ?? [];
  if (event === undefined) return undefined;
  return { stage: roomId(`${tenant}/${event}`), shard: Number(shard) };
}
