import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../src/client/client.ts";
import { Command, killCommands, type Ready } from "../support/cluster-command.ts";
import { withoutNats } from "../support/nats-servers.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = `${root}.cache/readme-test`;
const readme = readFileSync(`${root}README.md`, "utf8");

/** The first fenced block of a language that has this text in it. */
function block(language: string, text = ""): string {
  const blocks = readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"));
  const found = [...blocks].map(([, code = ""]) => code).find((code) => code.includes(text));
  if (!found) throw new Error(`README.md has no ${language} block with ${text}`);
  return found;
}

/** What README passes to `npm start` and to curl, for a cluster on other ports. */
function worldSteps(): { readonly start: readonly string[]; readonly room: string } {
  const steps = block("sh", "--world");
  const start = /^npm start -- (.+)$/m.exec(steps)?.[1]?.split(" ");
  const room = /^curl http:\/\/127\.0\.0\.1:7070\/v1\/rooms [\s\S]* -d '(.+)'$/m.exec(steps)?.[1];
  if (!start || !room) throw new Error(`README.md's steps are others:\n${steps}`);
  return { start, room };
}

interface Curl {
  readonly method: string;
  /** Below `/v1/events`. */
  readonly path: string;
  readonly body: string | undefined;
}

/** The curl lines about an event. */
const eventSteps = (): readonly Curl[] =>
  [
    ...block("sh", "$api").matchAll(/^curl (-X DELETE )?\$api(\S*)(?: -H "\$json" -d '(.+)')?/gm),
  ].map(([, deleting, path = "", body]) => {
    const method = deleting ? "DELETE" : body === undefined ? "GET" : "POST";
    return { method, path, body };
  });

describe.skipIf(withoutNats)("README", () => {
  const command = { ready: undefined as Ready | undefined };
  const cluster = (): Ready => {
    if (!command.ready) throw new Error("the cluster is not ready");
    return command.ready;
  };
  beforeAll(async () => {
    mkdirSync(scratch, { recursive: true });
    const built = run("npm", ["run", "--silent", "build"], { cwd: root });
    writeFileSync(`${scratch}/garden.ts`, block("ts"));
    writeFileSync(`${scratch}/talk.ts`, block("ts", "defineEvent"));
    expect(block("sh", "$api")).toMatch(/^npm start -- --world talk.ts$/m);
    const given = [...worldSteps().start, "--world", "talk.ts"].map((word) =>
      word.replace(/^(garden|talk)\./, `${scratch}/$1.`),
    );
    const started = new Command(["cluster", "--port", "0", "--bots", "4", ...given]);
    [command.ready] = await Promise.all([started.ready(), built]);
  }, 120_000);
  afterAll(async () => {
    rmSync(scratch, { recursive: true, force: true });
    await killCommands();
  });

  it("the client in it has about 20 lines and works when pasted", async () => {
    const code = block("js");
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    expect(lines.length).toBeLessThanOrEqual(21);
    writeFileSync(`${scratch}/hello.mjs`, code);
    const { stdout } = await run("node", [`${scratch}/hello.mjs`], {
      env: { ...process.env, GATEWAYS: cluster().gateways.join(",") },
      timeout: 30_000,
    });
    expect(stdout).toMatch(/^in the journal, where \d+ people are: \{ n: \d+ \}$/m);
  });

  it("the world in it is hosted and played by the steps beside it", async () => {
    const answer = await fetch(`${cluster().control}/v1/rooms`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: worldSteps().room,
    });
    expect(answer.status).toBe(201);
    const [gateway = ""] = cluster().gateways;
    const query = "tenant=demo&person=gardener";
    const issued = await fetch(`${gateway.replace("ws", "http")}/dev/token?${query}`);
    const { token } = (await issued.json()) as { token: string };
    const client = await connect({ urls: [gateway], token, agent: "gardener" });
    try {
      const room = await client.join("garden", { profile: { name: "g", color: 0, model: "" } });
      const rose = { id: "rose", x: 1, z: 2 };
      expect(await room.command("plant", rose)).toEqual({ flowers: 1 });
      await expect(room.command("plant", rose)).rejects.toMatchObject({ status: "taken" });
    } finally {
      client.close();
    }
  });

  it("the event in it lives from its first curl line to its last", async () => {
    const said: unknown[] = [];
    for (const { method, path, body } of eventSteps()) {
      const headers = { "content-type": "application/json" };
      const init = body === undefined ? { method } : { method, headers, body };
      const answer = await fetch(`${cluster().control}/v1/events${path}`, init);
      said.push([answer.status, await answer.json()]);
    }
    expect(said).toMatchObject([
      [201, { event: "demo/keynote", spec: { capacity: 1000, shardSize: 100 } }],
      [200, { phase: "doors_open" }],
      [200, { n: 1 }],
      [200, { step: "pose_rate" }],
      [200, { phase: "doors_open", announcement: { text: "Welcome" }, shards: [] }],
      [200, { status: "closed" }],
    ]);
  });

  it("its client and worlds compile as strict TypeScript", async () => {
    writeFileSync(`${scratch}/hello.ts`, block("js"));
    const flags = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--skipLibCheck",
    ];
    const compiles = (...args: readonly string[]) =>
      run("npx", ["tsc", ...flags, "--ignoreConfig", ...args], { cwd: root });
    await compiles(`${scratch}/garden.ts`, `${scratch}/talk.ts`);
    await compiles("--types", "node", `${scratch}/hello.ts`);
  });
});
