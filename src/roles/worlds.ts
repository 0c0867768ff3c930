import { register } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { World } from "../../actors/room/define-room.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import demoWorlds from "./demo-worlds.ts";

const ENDING = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The modules of a cluster on this machine: the demo's and these. Undefined: the demo's alone. */
export function worldModules(files: readonly string[]): readonly string[] | undefined {
  if (files.length === 0) return undefined;
  const demo = fileURLToPath(new URL(`./demo-worlds.${ENDING}`, import.meta.url));
  return [demo, ...files.map((file) => path.resolve(file))];
}

let registered = false;

/**
 * What a world imports as `roomcluster` is the code that hosts it, wherever the file lies and
 * whether that runs from sources or is built. Another copy of it would not know this one's
 * refusals: `refuse` would answer `ok`.
 */
function speakOfThisPackage(): void {
  if (registered) return;
  registered = true;
  const own = new URL(`../../actors/author-api.${ENDING}`, import.meta.url).href;
  const hook = `export const resolve = (specifier, context, next) =>
    next(specifier === "roomcluster" ? ${JSON.stringify(own)} : specifier, context);`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

/** The worlds that a node hosts: those of the given modules, or the demo's. */
export async function loadWorlds(
  modules: readonly string[] | undefined,
): Promise<Result<readonly World[], string>> {
  if (modules === undefined) return ok(demoWorlds);
  speakOfThisPackage();
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
      return err(
        `${file} has no default export that is a list of worlds made by defineRoom or defineEvent.`,
      );
    }
    worlds.push(...listed);
  }
  const names = worlds.map((world) => world.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? ok(worlds) : err(`The world ${twice} is defined twice.`);
}

const isWorld = (value: unknown): value is World =>
  typeof value === "object" && value !== null && "definition" in value && "name" in value;
