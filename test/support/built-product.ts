import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const LEDGER = path.join(ROOT, "test", "support", "ledger-world.ts");

/**
 * What an operator runs: the output of `npm run build`, with the ledger as its world, or with the
 * one in `world`. Sources under tsx are slower (every inner function is given its name anew), so
 * they are not what is measured.
 */
export function buildProduct(world = LEDGER): { readonly main: string; readonly worlds: string } {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const folder = path.join(ROOT, ".cache", "bench");
  mkdirSync(folder, { recursive: true });
  const { code } = transformSync(readFileSync(world, "utf8"), { loader: "ts", format: "esm" });
  const worlds = path.join(folder, `${path.basename(world, ".ts")}.mjs`);
  const built = code.replaceAll(/"[./]+\/(actors\/[\w/-]+)\.ts"/g, '"../../dist/$1.js"');
  writeFileSync(worlds, built);
  return { main: path.join(ROOT, "dist", "src", "main.js"), worlds };
}
