import { assert } from "../../src/kernel/assert.ts";
import type { RoomId, SessionId, WorldName } from "../../src/kernel/ids.ts";
import { worldName } from "../../src/kernel/ids.ts";
import type { Role } from "../../src/protocol/client-messages.ts";
import type { Pose } from "../../src/protocol/pose-row.ts";
import type { Audience } from "../../src/protocol/room-messages.ts";
import type { Desk } from "./desk.ts";

export type { Pose } from "../../src/protocol/pose-row.ts";

/**
 * Any schema library that speaks Standard Schema (zod, valibot, arktype, …); validation is sync.
 */
export interface Schema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly validate: (
      value: unknown,
    ) =>
      | { readonly value: T; readonly issues?: undefined }
      | { readonly issues: readonly unknown[] }
      | Promise<unknown>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

/** Somebody in the room. `slot` is what other members know them by. */
export interface Who {
  readonly session: SessionId;
  readonly person: string;
  readonly role: Role;
  readonly slot: number;
}

/** A hook's view of its room. What it writes to `state` and `secret` becomes patches. */
export interface Room<S, X = unknown> {
  readonly id: RoomId;
  /** Room time in ms since 1970; goes on across owners and never falls. */
  readonly now: number;
  /** Public: every member has a replica. Plain JSON values only. */
  readonly state: S;
  /** Known to the room alone. Plain JSON values only. */
  readonly secret: X;
  readonly members: readonly Who[];
  /** Where a member is, as last told; undefined before the first pose. */
  pose(slot: number): Pose | undefined;
  /** A reliable event: in order, replayed to whoever missed it. */
  emit(name: string, data: unknown, audience?: Audience): void;
  /** Uniform in [0, 1). Not replayed: what it decided is in the patches. */
  random(): number;
  /**
   * Slow work outside the room's turn. Its result comes back as the body of `command`, sent by the
   * room itself; it is lost if the owner dies first, so the command must be one that can be
   * missing. Where too much is under way, what asks for more is refused as a whole, `later_full`.
   */
  later(command: string, work: () => Promise<unknown>): void;
  /**
   * For so long, a minute at most, everybody sees every move of this member, however far away and
   * large the crowd: for whoever speaks or wins. Best effort and not journaled; of more than eight
   * at once the latest stay. 0 ends it.
   */
  spotlight(slot: number, forMs: number): void;
}

const refused = Symbol("refused");
export interface Refusal {
  readonly [refused]: true;
  readonly status: string;
  readonly data: unknown;
}

/** What a command returns to say no. The refusal is journaled like any other outcome. */
export function refuse(status: string, data: unknown = null): Refusal {
  assert(/^[a-z][a-z0-9_]{0,47}$/.test(status) && status !== "ok", `not a status: ${status}`);
  return { [refused]: true, status, data };
}

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" && value !== null && refused in value;

export interface Command<S, X, B> {
  readonly body: Schema<B>;
  /** `who` is undefined for the room's own commands (`later`). Returns the reply's data. */
  readonly run: (room: Room<S, X>, body: B, who: Who | undefined) => unknown;
}

/** What `defineRoom` takes; every hook is synchronous and optional. */
export interface RoomDefinition<S extends object, X extends object, B> {
  readonly name: string;
  /** Raised whenever the shape of `state` or `secret` changes. */
  readonly version: number;
  readonly state: () => S;
  readonly secret?: () => X;
  /** `migrations[2]` turns version 1 into 2. Pure: it may run again on the next owner. */
  readonly migrations?: Readonly<
    Record<number, (old: { state: unknown; secret: unknown }) => { state: object; secret: object }>
  >;
  /** 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10 (where nothing is said) or 20. */
  readonly tickHz?: number;
  /** Members at once, observers included. */
  readonly capacity?: number;
  readonly commands: { readonly [K in keyof B]: Command<S, X, B[K]> };
  readonly signals?: Readonly<Record<string, Schema<unknown>>>;
  /** Where somebody appears who was not here before. */
  readonly spawn?: (room: Room<S, X>, who: Who) => Pose;
  readonly onJoin?: (room: Room<S, X>, who: Who) => void;
  readonly onLeave?: (room: Room<S, X>, who: Who, reason: string) => void;
  /** Before every command of a member; a refusal ends it there. */
  readonly onCommand?: (room: Room<S, X>, name: string, who: Who) => Refusal | undefined;
  /** Clamps or corrects a pose. May not write: poses are not journaled. */
  readonly onPose?: (pose: Pose, who: Who) => Pose;
  /** At most 10 times a second; `dtMs` since the last one. */
  readonly onTick?: (room: Room<S, X>, dtMs: number) => void;
}

/** A room type, as nodes host it. Typed at its definition, uniform from here on. */
export interface World {
  readonly name: WorldName;
  readonly version: number;
  readonly tickHz: number;
  readonly capacity: number;
  readonly definition: RoomDefinition<object, object, Record<string, unknown>>;
  /** Made anew for each ownership; an event's stage has one. `now`: monotonic ms. */
  readonly desk?: (now: number) => Desk;
}

const TICK_RATES_HZ = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];
export const CAPACITY_MAX = 4096;

/** Declares a room type. Throws on a definition that can not work. */
export function defineRoom<S extends object, B, X extends object = Record<string, never>>(
  definition: RoomDefinition<S, X, B>,
): World {
  const { name, version, tickHz = 10, capacity = 200, migrations = {} } = definition;
  assert(Number.isInteger(version) && version >= 1, `${name}: version is a positive integer`);
  assert(TICK_RATES_HZ.includes(tickHz), `${name}: tickHz is one of ${TICK_RATES_HZ.join(", ")}`);
  assert(capacity >= 1 && capacity <= CAPACITY_MAX, `${name}: capacity is 1 to ${CAPACITY_MAX}`);
  for (let to = 2; to <= version; to++)
    assert(migrations[to], `${name}: version ${version} needs a migration to ${to}`);
  return {
    name: worldName(name),
    version,
    tickHz,
    capacity,
    // The one place where a definition loses its types: the runtime hands back what it was given.
    definition: definition as unknown as World["definition"],
  };
}
