import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { assert } from "../../src/kernel/assert.ts";
import type { Edit, PlantedBug } from "./planted-bug.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Makes one file of the simulation and the product, which starts ten times as fast as its sources
 * do, and into which a bug can be planted on the way. Answers its path.
 */
export async function bundleWorker(outDir: string, bug?: PlantedBug): Promise<string> {
  await mkdir(outDir, { recursive: true });
  const outfile = join(outDir, `${bug?.name ?? "worker"}.mjs`);
  await build({
    entryPoints: [join(ROOT, "test/sim/worker.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    sourcemap: "inline",
    logLevel: "silent",
    external: ["nats", "ws"],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    plugins: bug ? [planting(bug)] : [],
  });
  return outfile;
}

const planting = ({ name, edits }: PlantedBug): Plugin => ({
  name,
  setup(bundler) {
    for (const file of new Set(edits.map((edit) => edit.file))) {
      const filter = new RegExp(`${file.replaceAll(/[./-]/g, "\\$&")}$`);
      bundler.onLoad({ filter }, () => ({ loader: "ts", contents: planted(file, edits) }));
    }
  },
});

/** The file's text with its edits. A place that is not there exactly once is the list's mistake. */
export function planted(file: string, edits: readonly Edit[]): string {
  let text = readFileSync(join(ROOT, file), "utf8");
  for (const { find, replace } of edits.filter((edit) => edit.file === file)) {
    assert(text.split(find).length === 2, `${file} holds this exactly once: ${find}`);
    text = text.replace(find, () => replace);
  }
  return text;
}
