import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DemoCluster } from "../browser/demo-cluster.ts";
import { withoutNats } from "../support/nats-servers.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = `${root}.cache/readme-test`;
const readme = readFileSync(`${root}README.md`, "utf8");

/** The first fenced block of a language. */
function block(language: string): string {
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  if (!found) throw new Error(`README.md has no ${language} block`);
  return found;
}

describe.skipIf(withoutNats)("README", () => {
  let cluster: DemoCluster;
  beforeAll(async () => {
    mkdirSync(scratch, { recursive: true });
    const built = run("npm", ["run", "--silent", "build"], { cwd: root });
    [cluster] = await Promise.all([DemoCluster.start(), built]);
  }, 120_000);
  afterAll(async () => {
    rmSync(scratch, { recursive: true, force: true });
    await cluster?.stop();
  });

  it("the client in it has about 20 lines and works when pasted", async () => {
    const code = block("js");
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    expect(lines.length).toBeLessThanOrEqual(21);
    writeFileSync(`${scratch}/hello.mjs`, code);
    const { stdout } = await run("node", [`${scratch}/hello.mjs`], {
      env: { ...process.env, GATEWAY: cluster.ready.gateways[0] },
      timeout: 30_000,
    });
    expect(stdout).toMatch(/^line \d+ is in the journal; \d+ people are here$/m);
  });

  it("the world in it compiles and is hosted as it says", async () => {
    const source = block("ts");
    writeFileSync(`${scratch}/garden.ts`, source);
    writeFileSync(`${scratch}/garden.mjs`, transformSync(source, { loader: "ts" }).code);
    const { default: worlds } = await import(`${scratch}/garden.mjs`);
    expect(worlds).toMatchObject([{ name: "garden", version: 1, tickHz: 20, capacity: 100 }]);
    const flags = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--skipLibCheck",
    ];
    await run("npx", ["tsc", ...flags, "--ignoreConfig", `${scratch}/garden.ts`], { cwd: root });
  });
});
