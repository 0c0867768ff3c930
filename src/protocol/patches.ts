import { type Field, list } from "./shape.ts";

/** 0 sets a key or an array element, 1 inserts into an array, 2 removes a key or an element. */
export type PatchOp = 0 | 1 | 2;
export type PatchPath = readonly (string | number)[];
/** One change of a plain JSON value. `[0, ["list", "length"], n]` truncates an array. */
export type Patch = readonly [op: PatchOp, path: PatchPath, value: unknown];

/** Of one hook's writes. */
export const PATCHES_MAX = 4096;
const PATH_MAX = 16;
const FORBIDDEN = new Set<unknown>(["__proto__", "constructor", "prototype"]);

const isKey = (key: unknown): boolean =>
  (typeof key === "string" && key.length <= 256 && !FORBIDDEN.has(key)) ||
  (Number.isInteger(key) && (key as number) >= 0);

function isPatch(value: unknown): value is Patch {
  if (!Array.isArray(value)) return false;
  const [op, path] = value as unknown[];
  if (op !== 2 && ((op !== 0 && op !== 1) || value.length < 3)) return false;
  return Array.isArray(path) && path.length > 0 && path.length <= PATH_MAX && path.every(isKey);
}

export const PATCH: Field<Patch> = (value) => (isPatch(value) ? value : undefined);
export const PATCHES = list(PATCH, PATCHES_MAX);

/**
 * Applies patches in place, in order. Answers false, and leaves the rest undone, where a path leads
 * nowhere: the replica has diverged and must be fetched anew.
 */
export function applyPatches(root: unknown, patches: readonly Patch[]): boolean {
  return patches.every((patch) => applyPatch(root, patch));
}

function applyPatch(root: unknown, [op, path, value]: Patch): boolean {
  let parent = root;
  for (let i = 0; i < path.length - 1; i++) {
    if (!isContainer(parent) || !Object.hasOwn(parent, path[i] as PropertyKey)) return false;
    parent = (parent as Record<string | number, unknown>)[path[i] as string];
  }
  if (!isContainer(parent)) return false;
  const key = path[path.length - 1] as string | number;
  if (Array.isArray(parent)) return applyToArray(parent, op, key, value);
  if (op === 2) delete (parent as Record<string, unknown>)[key];
  else (parent as Record<string, unknown>)[key] = value;
  return true;
}

function applyToArray(
  array: unknown[],
  op: PatchOp,
  key: string | number,
  value: unknown,
): boolean {
  if (key === "length" && op === 0) {
    const length = value as number;
    if (!Number.isInteger(length) || length < 0 || length > array.length) return false;
    array.length = length;
    return true;
  }
  const at = Number(key);
  // One spelling of an index, as for object keys: "", "01" and "1e0" name no element.
  if (!Number.isInteger(at) || `${at}` !== `${key}` || at < 0 || at > array.length) return false;
  if (op === 0) array[at] = value;
  else if (op === 1) array.splice(at, 0, value);
  else if (at === array.length) return false;
  else array.splice(at, 1);
  return true;
}

const isContainer = (value: unknown): value is object =>
  typeof value === "object" && value !== null;
