import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "../kernel/assert.ts";

/** The folder of package.json: two levels up in the sources, three in what is built from them. */
export function projectDir(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const found = ["../..", "../../.."]
    .map((up) => path.resolve(here, up))
    .find((folder) => existsSync(path.join(folder, "package.json")));
  assert(found !== undefined, `no package.json above ${here}`);
  return found;
}

export function packageVersion(): string {
  const text = readFileSync(path.join(projectDir(), "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** `main.ts` from sources, `main.js` from what is built. */
export function mainFile(): string {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`../main.${ending}`, import.meta.url));
}
