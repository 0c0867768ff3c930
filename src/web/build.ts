import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/**
 * Bundles the demo page into `outDir` (made where missing): index.html, style.css, page.js and its
 * source map. Nothing is fetched from anywhere, neither now nor by the page. `plugins` is for the
 * preview, which puts another room behind the page.
 */
export async function buildWeb(
  outDir: string,
  options: Pick<BuildOptions, "plugins"> = {},
): Promise<void> {
  await mkdir(outDir, { recursive: true });
  await Promise.all([
    build({
      entryPoints: [join(HERE, "page.ts")],
      outfile: join(outDir, "page.js"),
      bundle: true,
      minify: true,
      sourcemap: true,
      format: "esm",
      target: ["es2022"],
      loader: { ".svg": "text" },
      legalComments: "eof",
      logLevel: "silent",
      ...options,
    }),
    build({
      entryPoints: [join(HERE, "style.css")],
      outfile: join(outDir, "style.css"),
      bundle: true,
      minify: true,
      logLevel: "silent",
    }),
    copyFile(join(HERE, "index.html"), join(outDir, "index.html")),
  ]);
}
