import type { Pose } from "../protocol/pose-row.ts";

export const ITEM_KINDS = ["lamp", "cube", "ball", "plant", "speaker"] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];

/** An item of the plaza as the room replicates it; metres and radians. */
export interface PlazaItem {
  readonly kind: ItemKind;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly yaw: number;
  /** Slot of the member who carries it. */
  readonly holder: number | null;
  readonly props: { readonly color?: number; readonly on?: boolean };
}

export interface ChatLine {
  readonly n: number;
  readonly person: string;
  readonly slot: number;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface PlazaState {
  readonly items: Readonly<Record<string, PlazaItem>>;
  readonly props: Readonly<Record<string, string | number | boolean>>;
  readonly chat: Readonly<Record<string, ChatLine>>;
}

export const ANIMATION = {
  idle: 0,
  walk: 1,
  run: 2,
  wave: 3,
  clap: 4,
  dance: 5,
  jump: 6,
} as const;

export const EMOTES = ["wave", "clap", "dance", "jump", "heart"] as const;
export type EmoteKind = (typeof EMOTES)[number];

export interface PlazaProfile {
  readonly name: string;
  readonly color: number;
  readonly model: string;
}

export interface PlazaMember {
  readonly slot: number;
  readonly generation: number;
  readonly person: string;
  readonly profile: PlazaProfile | null;
}

export interface PoseOfMember {
  readonly member: PlazaMember;
  readonly pose: Pose;
  /** Their connection is gone; the seat is held for a while. */
  readonly away: boolean;
}

/** What the scene needs of a room: a subset of the SDK's, so that nothing here depends on more. */
export interface PeopleRoom {
  readonly me: { readonly slot: number; readonly person: string };
  readonly members: ReadonlyMap<number, PlazaMember>;
  poses(): Iterable<PoseOfMember>;
}

/** A room in which people talk. */
export interface ChatRoom extends PeopleRoom {
  readonly state: Pick<PlazaState, "chat">;
  signal(name: string, body: unknown): void;
  command(name: string, body: unknown): Promise<unknown>;
}

/** Slots of everybody who carries something, written into `out`. */
export function holdersOf({ items }: PlazaState, out: Set<number>): Set<number> {
  out.clear();
  for (const id in items) {
    const holder = items[id]?.holder;
    if (holder !== null && holder !== undefined) out.add(holder);
  }
  return out;
}

/** The name to show for a person: their profile's, or the first letters of their id. */
export function nameOf(room: PeopleRoom, slot: number, person: string): string {
  const member = room.members.get(slot);
  if (member?.person === person && member.profile) return member.profile.name;
  for (const other of room.members.values()) {
    if (other.person === person && other.profile) return other.profile.name;
  }
  return person.slice(0, 8);
}
