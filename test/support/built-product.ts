import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * What an operator runs: the output of `npm run build`, with the ledger as its world. Sources under
 * tsx are slower (every inner function is given its name anew), so they are not what is measured.
 */
export function buildProduct(): { readonly main: string; readonly worlds: string } {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const folder = path.join(ROOT, ".cache", "bench");
  mkdirSync(folder, { recursive: true });
  const source = readFileSync(path.join(ROOT, "test", "support", "ledger-world.ts"), "utf8");
  const { code } = transformSync(source, { loader: "ts", format: "esm" });
  const worlds = path.join(folder, "ledger-world.mjs");
  const entry = "../../dist/actors/room/define-room.js";
  writeFileSync(worlds, code.replace("../../actors/room/define-room.ts", entry));
  return { main: path.join(ROOT, "dist", "src", "main.js"), worlds };
}
