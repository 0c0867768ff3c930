import { createDraft, type Draft, finishDraft, type Patch as ImmerPatch } from "immer";
import { assert } from "../../src/kernel/assert.ts";
import type { RoomId, SessionId } from "../../src/kernel/ids.ts";
import type { Patch } from "../../src/protocol/patches.ts";
import { PATCHES, PATCHES_MAX } from "../../src/protocol/patches.ts";
import type { Pose } from "../../src/protocol/pose-row.ts";
import { ROOM_EVENT, type RoomEvent } from "../../src/protocol/room-messages.ts";
import { isRefusal, type Room, type Who } from "./define-room.ts";
import { type Document, type RoomFold, type SessionRow, toPatches } from "./fold.ts";
import type { Spotlight } from "./spotlights.ts";

const EVENTS_PER_HOOK_MAX = 256;
const LATER_PER_HOOK_MAX = 8;
const SPOTLIGHTS_PER_HOOK_MAX = 64;
/** Path and value together, so that no document nests deeper than a decoder goes. */
const DOCUMENT_DEPTH_MAX = 16;

/** Slow work an author asked for; the driver runs it once the entry is durable. */
export interface Later {
  readonly command: string;
  readonly work: () => Promise<unknown>;
}

/** What a hook did. A refusal has no writes. */
export interface HookOutcome {
  readonly document: Document;
  readonly patches: readonly Patch[];
  readonly events: readonly RoomEvent[];
  readonly later: readonly Later[];
  readonly spotlights: readonly Spotlight[];
  readonly value: unknown;
  /**
   * False where no decoder would read it back: a key `constructor` or of 300 characters, an
   * audience too long. Such names come from clients, and one such record would end the journal.
   */
  readonly readable: boolean;
}

/** What a hook asks for besides its writes, while it runs. */
interface Asked {
  readonly events: RoomEvent[];
  readonly later: Later[];
  readonly spotlights: Spotlight[];
}

export interface HookContext {
  readonly id: RoomId;
  readonly fold: RoomFold;
  readonly now: number;
  readonly pose: (slot: number) => Pose | undefined;
  readonly random: () => number;
}

export const whoOf = (session: SessionId, row: SessionRow): Who => ({
  session,
  person: row.person,
  role: row.role,
  slot: row.slot,
});

/**
 * Runs author's code on a draft of the decided room. Whatever it throws is a bug in the world and
 * goes up: the actor crashes and starts again from its journal.
 */
export function runHook(
  context: HookContext,
  hook: (room: Room<object, object>) => unknown,
): HookOutcome {
  const { fold } = context;
  const draft = createDraft(fold.document);
  const asked: Asked = { events: [], later: [], spotlights: [] };
  const { events, later, spotlights } = asked;
  const value = hook(roomView(context, draft, asked));
  assert(!(value instanceof Promise), "hooks are synchronous; use room.later for slow work");
  if (isRefusal(value)) {
    return nothing(fold.document, value);
  }
  let changes: ImmerPatch[] = [];
  const document = finishDraft(draft, (forward) => {
    changes = forward;
  }) as Document;
  const patches = toPatches(changes);
  assert(patches.length <= PATCHES_MAX, `a hook writes at most ${PATCHES_MAX} patches`);
  for (const [, path, written] of patches) assertPlain(written, path.join("."), path.length);
  for (const event of events) assertPlain(event.data, event.name, 0);
  assertPlain(value ?? null, "the reply", 0);
  const readable = PATCHES(patches) !== undefined && events.every(isReadable);
  return { document, patches, events, later, spotlights, value, readable };
}

/** The outcome of what changed nothing. */
export const nothing = (document: Document, value: unknown): HookOutcome => ({
  document,
  patches: [],
  events: [],
  later: [],
  spotlights: [],
  value,
  readable: true,
});

const isReadable = ({ name, audience }: RoomEvent): boolean =>
  ROOM_EVENT([name, null, audience && [audience.kind, audience.values]]) !== undefined;

function roomView(
  { id, fold, now, pose, random }: HookContext,
  draft: Draft<Document>,
  { events, later, spotlights }: Asked,
): Room<object, object> {
  return {
    id,
    now,
    state: draft.state,
    secret: draft.secret,
    get members() {
      return fold.slots.flatMap((session) => {
        const row = session && fold.sessions.get(session);
        return row ? [whoOf(session, row)] : [];
      });
    },
    pose,
    random,
    emit(name, data, audience = null) {
      assert(events.length < EVENTS_PER_HOOK_MAX, `at most ${EVENTS_PER_HOOK_MAX} events a hook`);
      events.push({ name, data, audience });
    },
    later(command, work) {
      assert(later.length < LATER_PER_HOOK_MAX, `at most ${LATER_PER_HOOK_MAX} later a hook`);
      later.push({ command, work });
    },
    spotlight(slot, forMs) {
      assert(forMs >= 0 && Number.isFinite(forMs), "a spotlight is for some ms, or 0 to end it");
      assert(spotlights.length < SPOTLIGHTS_PER_HOOK_MAX, "too many spotlights in one hook");
      spotlights.push({ slot, forMs });
    },
  };
}

/** Values must survive the journal unchanged: JSON's kinds, and byte strings. */
function assertPlain(value: unknown, where: string, depth: number): void {
  if (value === null || value === undefined || value instanceof Uint8Array) return;
  if (typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number")
    return assert(Number.isFinite(value), () => `${where} is not finite`);
  assert(typeof value === "object", () => `${where} is a ${typeof value}, not a plain value`);
  assert(depth < DOCUMENT_DEPTH_MAX, () => `${where} is nested deeper than ${DOCUMENT_DEPTH_MAX}`);
  const prototype = Object.getPrototypeOf(value);
  const plain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  assert(plain, () => `${where} is not a plain object`);
  assert(!Object.hasOwn(value, "__proto__"), () => `${where} has a key that no decoder reads back`);
  for (const item of Object.values(value)) assertPlain(item, where, depth + 1);
}
