import path from "node:path";
import { pathToFileURL } from "node:url";
import type { World } from "../../actors/room/define-room.ts";
import { plaza } from "../../actors/worlds/plaza.ts";
import { err, ok, type Result } from "../kernel/result.ts";

/** The worlds that a node hosts: those of the given modules, or the demo's. */
export async function loadWorlds(
  modules: readonly string[] | undefined,
): Promise<Result<readonly World[], string>> {
  if (modules === undefined) return ok([plaza]);
  const worlds: World[] = [];
  for (const file of modules) {
    let loaded: { readonly default?: unknown };
    try {
      loaded = await import(pathToFileURL(path.resolve(file)).href);
    } catch (error) {
      return err(`The worlds of ${file} can not be loaded: ${(error as Error).message}`);
    }
    const listed = loaded.default;
    if (!Array.isArray(listed) || !listed.every(isWorld)) {
      return err(`${file} has no default export that is a list of worlds made by defineRoom.`);
    }
    worlds.push(...listed);
  }
  const names = worlds.map((world) => world.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? ok(worlds) : err(`The world ${twice} is defined twice.`);
}

const isWorld = (value: unknown): value is World =>
  typeof value === "object" && value !== null && "definition" in value && "name" in value;
