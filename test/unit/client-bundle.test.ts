import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const GZIP_BYTES_MAX = 30 * 1024;

test("[CL41] a bundle for browsers is small and holds no ws", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ["src/client/client.ts"],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    external: ["ws"],
  });
  const [bundle] = outputFiles;
  const gzipped = gzipSync(bundle?.contents ?? new Uint8Array()).length;
  console.log(`SDK: ${bundle?.contents.length} bytes minified, ${gzipped} gzipped`);
  expect(gzipped).toBeGreaterThan(5_000);
  expect(gzipped).toBeLessThan(GZIP_BYTES_MAX);
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.filter((path) => path.includes("node_modules/ws/"))).toEqual([]);
  const foreign = inputs.filter((path) => !/^src\/(client|protocol|kernel)\//.test(path));
  expect(foreign.every((path) => path.includes("node_modules/@msgpack/msgpack/"))).toBe(true);
  // Only ever asked for where there is no WebSocket: an import when the page loads would fail it.
  expect(bundle?.text).not.toMatch(/\bimport\b[^("]*from\s*"ws"/);
});
