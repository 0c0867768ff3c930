#!/usr/bin/env node
// @ts-check
// What `npm start` and `npm test` run: brings a fresh clone to the point where the real program can
// start, then starts it. Uses nothing but Node, because nothing else may be installed yet.
//
//   node deploy/setup.mjs start [args]       the whole cluster on this machine
//   node deploy/setup.mjs test [args]        the tests; args go to vitest
//   node deploy/setup.mjs tool FILE [args]   one TypeScript file, a bench script for instance
//   node deploy/setup.mjs run FILE [args]    the same for one that starts no nats-server

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT_DIR = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const NODE_MIN = [20, 19];

/** @typedef {{ code: number, signal: NodeJS.Signals | null, errors: string }} Ended */

/** @param {string} line */
const say = (line) => console.error(`roomcluster: ${line}`);

function nodeIsNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [majorMin = 0, minorMin = 0] = NODE_MIN;
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

/** @param {readonly string[]} args */
const asksForHelp = (args) => args.some((arg) => arg === "--help" || arg === "-h");

/** What the program itself says, which is a TypeScript file without types. */
async function printHelp() {
  const text = fs.readFileSync(path.join(PROJECT_DIR, "src", "help.ts"), "utf8");
  const { HELP } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  // Not by a stream's write, which ends in an error where a pager has seen enough.
  console.log(HELP.trimEnd());
}

// ---- dependencies ---------------------------------------------------------------------------

async function ensureDependencies() {
  const modules = path.join(PROJECT_DIR, "node_modules");
  const stamp = path.join(modules, ".roomcluster-setup");
  const lock = fs.readFileSync(path.join(PROJECT_DIR, "package-lock.json"), "utf8");
  const hash = createHash("sha256").update(lock).digest("hex");
  if (readOr(stamp, "") === hash) return true;
  // Somebody may have run npm by hand. Installing again would take the folder away from under
  // whatever is using it.
  if (agree(lock, readOr(path.join(modules, ".package-lock.json"), ""))) {
    fs.writeFileSync(stamp, hash);
    return true;
  }
  const why = fs.existsSync(modules) ? "package-lock.json has changed" : "none are installed";
  say(`installing dependencies with \`npm ci\`, because ${why}`);
  let ended = await runNpm("ci");
  // A registry that does not carry a package's builds for other platforms makes a lock file without
  // them, and `npm ci` then refuses all of it. `npm install` takes the same versions and hashes.
  if (ended.code !== 0 && ended.errors.includes("are in sync")) {
    say("the lock file lacks some optional packages: installing the rest with `npm install`");
    ended = await runNpm("install", "--no-save");
  }
  if (ended.code !== 0) {
    say(`npm could not install the dependencies:\n${ended.errors.trim()}`);
    return false;
  }
  fs.writeFileSync(stamp, hash);
  return true;
}

/** @param {...string} command */
function runNpm(...command) {
  // Tests and `npm start` need the development ones too, also where NODE_ENV says production.
  const quiet = ["--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  return runChild(...npm([...command, ...quiet]), ["ignore", "ignore", "pipe"], process.env);
}

/** @param {string} file @param {string} otherwise */
function readOr(file, otherwise) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}

/**
 * Whether what npm noted as installed is what package-lock.json asks for. Packages for other
 * platforms are optional and may be absent.
 * @param {string} wantedText @param {string} installedText
 */
function agree(wantedText, installedText) {
  if (installedText === "") return false;
  const wanted = JSON.parse(wantedText).packages;
  const installed = JSON.parse(installedText).packages;
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === "") continue;
    const found = installed[name];
    if (found === undefined && entry.optional !== true) return false;
    if (found !== undefined && found.version !== entry.version) return false;
    if (found !== undefined && found.integrity !== entry.integrity) return false;
  }
  return Object.keys(installed).every((name) => name in wanted);
}

/** @param {string[]} args @returns {[string, string[]]} */
function npm(args) {
  const cli = process.env.npm_execpath;
  // The npm that runs this script, unless another package manager or nobody does.
  if (cli?.endsWith("npm-cli.js")) return [process.execPath, [cli, ...args]];
  return ["npm", args];
}

// ---- the child ------------------------------------------------------------------------------

/**
 * Runs a child and waits for it, whatever happens here. Ctrl-C reaches the child by itself, because
 * it is in the terminal's foreground group like this process; passing it on would be a second
 * Ctrl-C, which asks many programs to skip their cleanup. Without a terminal SIGINT comes from a
 * program, and like SIGTERM it goes to one process only, so these are passed on, once: npm and
 * `timeout` repeat them.
 * @param {string} file @param {readonly string[]} args
 * @param {import("node:child_process").StdioOptions} stdio @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Ended>}
 */
function runChild(file, args, stdio, env) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: PROJECT_DIR, stdio, env });
    let passedOn = false;
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    const passOn = (/** @type {NodeJS.Signals} */ signal) => {
      if (!passedOn) child.kill(signal);
      passedOn = true;
    };
    const interrupted = () => {
      if (!process.stdin.isTTY) passOn("SIGINT");
    };
    process.on("SIGINT", interrupted).on("SIGHUP", passOn).on("SIGTERM", passOn);
    const done = (/** @type {Ended} */ ended) => {
      process.off("SIGINT", interrupted).off("SIGHUP", passOn).off("SIGTERM", passOn);
      resolve(ended);
    };
    child.once("error", (error) => {
      say(`${file} could not be started: ${error.message}`);
      done({ code: 127, signal: null, errors });
    });
    child.once("close", (code, signal) => {
      const number = signal === null ? 0 : (os.constants.signals[signal] ?? 0);
      done({ code: code ?? 128 + number, signal, errors });
    });
  });
}

/** @param {readonly string[]} args @param {NodeJS.ProcessEnv} env */
function runTypeScript(args, env) {
  // Resolved here, so that it is this project's loader wherever the command was given.
  const loader = import.meta.resolve("tsx");
  return runChild(process.execPath, ["--import", loader, ...args], "inherit", env);
}

/** @param {string} sentence */
function giveUp(sentence) {
  say(sentence);
  process.exitCode = 1;
}

/** Ends this process as its child ended: a shell sees no difference. @param {Ended} ended */
function endAs({ code, signal }) {
  process.exitCode = code;
  if (signal !== null) process.kill(process.pid, signal);
}

/**
 * @returns {Promise<{ env: NodeJS.ProcessEnv } | import("./nats-server.mjs").NotProvisioned>}
 */
async function withNats() {
  const { provisionNatsServer } = await import("./nats-server.mjs");
  const found = await provisionNatsServer({ log: say });
  if ("reason" in found) return found;
  return { env: { ...process.env, NATS_SERVER_BIN: found.path } };
}

// ---- the commands ---------------------------------------------------------------------------

/** @param {readonly string[]} args */
async function start(args) {
  const main = path.join(PROJECT_DIR, "src", "main.ts");
  // None of them wants a server of its own: a bus that there is not is an error.
  if (process.env.ROOMCLUSTER_BUS || process.env.NATS_URL) {
    return endAs(await runTypeScript([main, "cluster", ...args], process.env));
  }
  const nats = await withNats();
  if ("env" in nats) return endAs(await runTypeScript([main, "cluster", ...args], nats.env));
  if (nats.named) return giveUp(nats.reason);
  say(
    `${nats.reason} The cluster runs in one process without it and forgets its rooms at the end.`,
  );
  const env = { ...process.env, ROOMCLUSTER_BUS: "memory" };
  endAs(await runTypeScript([main, "cluster", ...args], env));
}

/** @param {readonly string[]} args */
async function test(args) {
  const nats = await withNats();
  let env = process.env;
  if ("env" in nats) {
    env = nats.env;
  } else if (env.ROOMCLUSTER_TEST_WITHOUT_NATS === "1") {
    say(`${nats.reason} Tests that need it are skipped, as ROOMCLUSTER_TEST_WITHOUT_NATS asks.`);
  } else {
    say(`${nats.reason} ROOMCLUSTER_TEST_WITHOUT_NATS=1 runs the tests that do without.`);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
    return;
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "roomcluster-report-"));
  try {
    const report = path.join(folder, "report.json");
    const ended = await runVitest(args, report, env);
    const counts = count(readOr(report, ""), ended.code);
    console.log(
      `${counts.passed} passed, ${counts.failed} failed` +
        (counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""),
    );
    process.exitCode = ended.code === 0 && counts.failed > 0 ? 1 : ended.code;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} args @param {string} report @param {NodeJS.ProcessEnv} env */
function runVitest(args, report, env) {
  const vitest = path.join(PROJECT_DIR, "node_modules", "vitest", "vitest.mjs");
  const config = path.join(PROJECT_DIR, "test", "vitest.config.ts");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const all = [vitest, "run", "--config", config, ...reporters, ...args];
  return runChild(process.execPath, all, "inherit", env);
}

/**
 * A file that cannot be loaded, an error outside any test and a vitest that dies fail no test, yet
 * the run has failed: that counts as one.
 * @param {string} reportText @param {number} code
 */
function count(reportText, code) {
  const report = reportText === "" ? {} : JSON.parse(reportText);
  const failed = report.numFailedTests ?? 0;
  const failedOtherwise = code !== 0 || report.success === false || reportText === "";
  return {
    passed: report.numPassedTests ?? 0,
    failed: failed === 0 && failedOtherwise ? 1 : failed,
    skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0),
  };
}

/** @param {readonly string[]} args */
async function tool([file, ...args]) {
  if (file === undefined) {
    say("which file? node deploy/setup.mjs tool FILE [args]");
    process.exitCode = 2;
    return;
  }
  // To say what it can do, it needs none.
  if (asksForHelp(args)) return run([path.resolve(file), ...args]);
  const nats = await withNats();
  if ("reason" in nats && nats.named) return giveUp(nats.reason);
  if ("reason" in nats) say(nats.reason);
  const env = "env" in nats ? nats.env : process.env;
  endAs(await runTypeScript([path.resolve(file), ...args], env));
}

/** @param {readonly string[]} args */
async function run([file, ...args]) {
  if (file === undefined) {
    say("which file? node deploy/setup.mjs run FILE [args]");
    process.exitCode = 2;
    return;
  }
  endAs(await runTypeScript([path.resolve(PROJECT_DIR, file), ...args], process.env));
}

async function main() {
  const [command = "", ...args] = process.argv.slice(2);
  if (!nodeIsNewEnough()) {
    say(`Node ${NODE_MIN.join(".")} or newer is needed; this is ${process.versions.node}.`);
    process.exitCode = 1;
    return;
  }
  const chosen = new Map([
    ["start", start],
    ["test", test],
    ["tool", tool],
    ["run", run],
  ]).get(command);
  if (chosen === undefined) {
    say("node deploy/setup.mjs start|test|tool|run [args]");
    process.exitCode = 2;
    return;
  }
  if (command === "start" && asksForHelp(args)) return printHelp();
  // For a text any version of them will do.
  const loader = path.join(PROJECT_DIR, "node_modules", "tsx");
  if (asksForHelp(args) && fs.existsSync(loader)) return chosen(args);
  if (await ensureDependencies()) return chosen(args);
  if (command === "test") console.log("0 passed, 1 failed");
  process.exitCode = 1;
}

await main();
