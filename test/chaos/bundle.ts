import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A file of this folder, with all of ours in it, as something that Node itself can run. */
export function bundle(name: string): string {
  const outfile = path.join(ROOT, ".cache", "chaos", `${name}.mjs`);
  buildSync({
    entryPoints: [path.join(ROOT, "test", "chaos", `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  return outfile;
}
