import type { JournalEntry } from "../../src/protocol/journal-record.ts";
import type { Patch } from "../../src/protocol/patches.ts";
import type { World } from "./define-room.ts";
import { CREATED, type Document, patched } from "./fold.ts";
import { type HookOutcome, nothing } from "./hooks.ts";

/**
 * The first owner journals the initial state: a later version of the type could not make it.
 * `empty`: the document of a room that nobody has created yet.
 */
export function creation(
  { definition }: World,
  empty: Document,
): { readonly entry: JournalEntry; readonly outcome: HookOutcome } {
  const patches: Patch[] = [];
  const initial = { state: definition.state(), secret: definition.secret?.() ?? {} };
  for (const [part, values] of Object.entries(initial))
    for (const [key, value] of Object.entries(values)) patches.push([0, [part, key], value]);
  const document = patched(empty, patches);
  const outcome = { ...nothing(document, null), patches };
  return { entry: { type: "system", cause: CREATED, patches, events: [] }, outcome };
}
