#!/usr/bin/env node
// @ts-check
// Finds or fetches a nats-server that keeps the cluster's promises. Uses nothing but Node, because
// it also runs before dependencies are installed. `node deploy/nats-server.mjs` prints its path.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, createWriteStream, existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  aptConfiguration,
  chooseNewest,
  firstDebianArchive,
  parseAptSources,
  parseVersion,
  platformName,
  RELEASE,
  refusal,
  releaseFor,
  VERSION_MIN,
} from "./nats-choice.mjs";

export * from "./nats-choice.mjs";

/** @typedef {import("./nats-server.mjs").Version} Version */
/** @typedef {import("./nats-server.mjs").AptSource} AptSource */
/** @typedef {import("./nats-server.mjs").Provisioned} Provisioned */
/** @typedef {import("./nats-server.mjs").ProvisionOptions} ProvisionOptions */
/** @typedef {{ path: string, version: Version }} Candidate */

const PROJECT_DIR = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const CONNECT_MS_MAX = 3_000;
const DOWNLOAD_MS_MAX = 120_000;
const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The suites that are tried, newest first. Not trixie (2.10) nor bookworm (2.9): both are refused.
 * The cluster never installs the package, it only unpacks it into the project's own cache.
 */
const DEBIAN_SUITES = ["sid", "forky"];
const DEBIAN_KEYRINGS = ["gpg", "pgp"].map(
  (ending) => `/usr/share/keyrings/debian-archive-keyring.${ending}`,
);

// ---- what the machine has -------------------------------------------------------------------

/** @param {string} file @param {readonly string[]} args @param {object} [options] */
function run(file, args, options = {}) {
  return new Promise((/** @type {(out: string) => void} */ resolve, reject) => {
    const limits = { encoding: "utf8", timeout: DOWNLOAD_MS_MAX, maxBuffer: 16 * 1024 * 1024 };
    execFile(file, [...args], { ...limits, ...options }, (error, stdout, stderr) => {
      if (error === null) return resolve(String(stdout));
      const said = String(stderr).trim().split("\n").slice(-2).join(" ");
      reject(new Error(`${path.basename(file)}: ${said || error.message}`, { cause: error }));
    });
  });
}

/** @param {string} file @returns {Promise<Version | undefined>} */
async function versionOf(file) {
  const asked = await askVersion(file);
  return "version" in asked ? asked.version : undefined;
}

/**
 * It may be missing, cut short, or made for another machine. All of them mean: not this one.
 * @param {string} file @returns {Promise<{ version: Version } | { why: string }>}
 */
async function askVersion(file) {
  try {
    const version = parseVersion(await run(file, ["-v"], { timeout: 5_000 }));
    return version === undefined
      ? { why: "it does not tell a nats-server's version" }
      : { version };
  } catch (error) {
    const { cause, message } = /** @type {Error} */ (error);
    const code = /** @type {NodeJS.ErrnoException | undefined} */ (cause)?.code;
    if (code === "ENOENT") return { why: "there is no such file" };
    if (code === "EACCES") return { why: "it is no program that may be run here" };
    return { why: `it does not run (${message.trim()})` };
  }
}

/** @param {string} name @param {string} searchPath */
function onPath(name, searchPath) {
  for (const folder of searchPath.split(path.delimiter)) {
    if (folder === "") continue;
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** @param {string} cacheDir @param {string} name @returns {Promise<Candidate | undefined>} */
async function fromCache(cacheDir, name) {
  const candidates = [];
  for (const folder of await fs.readdir(cacheDir).catch(() => [])) {
    if (!folder.endsWith(`-${name}`)) continue;
    const file = path.join(cacheDir, folder, "nats-server");
    const version = await versionOf(file);
    if (version !== undefined) candidates.push({ path: file, version });
  }
  return chooseNewest(candidates);
}

/**
 * Puts a server into the cache by one rename, so that another run sees all of it or nothing. When
 * two runs fetch at once the later one finds the place taken and uses what is there.
 * @param {string} cacheDir @param {string} name @param {string} binary
 * @returns {Promise<Candidate>}
 */
async function putIntoCache(cacheDir, name, binary) {
  await fs.chmod(binary, 0o755);
  const version = await versionOf(binary);
  if (version === undefined) throw new Error("the fetched nats-server does not run here");
  const refused = refusal(version);
  if (refused !== undefined) throw new Error(refused);
  const target = path.join(cacheDir, `${version.join(".")}-${name}`);
  const staging = await fs.mkdtemp(path.join(cacheDir, ".staging-"));
  try {
    await fs.copyFile(binary, path.join(staging, "nats-server"));
    await fs.chmod(path.join(staging, "nats-server"), 0o755);
    await fs.chmod(staging, 0o755);
    await fs.rename(staging, target).catch(async (error) => {
      if ((await versionOf(path.join(target, "nats-server"))) !== undefined) return;
      // What is there does not run, so it is the remains of something else: make room for ours.
      await fs.rm(target, { recursive: true, force: true });
      await fs.rename(staging, target).catch(() => Promise.reject(error));
    });
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
  return { path: path.join(target, "nats-server"), version };
}

/** @param {string} file */
async function sha256Of(file) {
  return createHash("sha256")
    .update(await fs.readFile(file))
    .digest("hex");
}

// ---- upstream's release ---------------------------------------------------------------------

/**
 * @param {string} url @param {number} redirectsLeft
 * @returns {Promise<http.IncomingMessage>}
 */
function get(url, redirectsLeft = 5) {
  return new Promise((resolve, reject) => {
    // Only a test's own server on this machine may be asked without TLS.
    const plain = /^http:\/\/127\.0\.0\.1:/.test(url);
    if (!plain && !url.startsWith("https:")) return reject(new Error("redirected out of TLS"));
    const request = (plain ? http : https).get(url, {
      signal: AbortSignal.timeout(DOWNLOAD_MS_MAX),
    });
    // Without a network many machines neither answer nor refuse, and nobody should wait for that.
    const late = setTimeout(() => {
      request.destroy(new Error(`no connection within ${CONNECT_MS_MAX / 1000} s`));
    }, CONNECT_MS_MAX);
    request.on("socket", (socket) => {
      const connected = () => clearTimeout(late);
      if (!socket.connecting) connected();
      socket.once(plain ? "connect" : "secureConnect", connected);
    });
    request.on("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    request.on("response", (response) => {
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 300 && status < 400 && location !== undefined && redirectsLeft > 0) {
        response.resume();
        return resolve(get(new URL(location, url).href, redirectsLeft - 1));
      }
      if (status === 200) return resolve(response);
      response.resume();
      reject(new Error(`answered with status ${status}`));
    });
  });
}

/** @type {typeof import("./nats-server.mjs").downloadVerified} */
export async function downloadVerified(url, sha256, file) {
  const response = await get(url);
  let bytes = 0;
  response.on("data", (/** @type {Buffer} */ chunk) => {
    bytes += chunk.length;
    if (bytes > ARCHIVE_BYTES_MAX) response.destroy(new Error("the archive is far too large"));
  });
  await pipeline(response, createWriteStream(file));
  const found = await sha256Of(file);
  if (found === sha256) return;
  await fs.rm(file, { force: true });
  throw new Error(`the archive's sha256 is ${found}, expected ${sha256}: it was thrown away`);
}

/** @param {string} name @param {string} workDir @param {(line: string) => void} log */
async function fromRelease(name, workDir, log) {
  const release = releaseFor(name);
  if (release === undefined) throw new Error(`no archive is pinned for ${name}`);
  log(`fetching nats-server ${RELEASE.version} from upstream's releases`);
  const archive = path.join(workDir, "release.tar.gz");
  await downloadVerified(release.url, release.sha256, archive);
  await run("tar", ["-xzf", archive, "-C", workDir]);
  return { binary: path.join(workDir, release.folder, "nats-server"), sha256: release.sha256 };
}

// ---- Debian's package -----------------------------------------------------------------------

/** @param {string} aptDir @returns {Promise<AptSource[]>} */
async function machineAptSources(aptDir) {
  const parts = path.join(aptDir, "sources.list.d");
  const inParts = (await fs.readdir(parts).catch(() => [])).sort();
  const files = [path.join(aptDir, "sources.list"), ...inParts.map((f) => path.join(parts, f))];
  const sources = [];
  for (const file of files) {
    if (!/\.(list|sources)$/.test(file)) continue;
    const text = await fs.readFile(file, "utf8").catch(() => "");
    sources.push(...parseAptSources(text, file.endsWith(".sources") ? "deb822" : "oneline"));
  }
  return sources;
}

/** @param {string} workDir @param {(line: string) => void} log @param {string} aptDir */
async function fromDebian(workDir, log, aptDir) {
  const keyring = DEBIAN_KEYRINGS.find((file) => existsSync(file));
  if (keyring === undefined) throw new Error("no keyring of Debian to check signatures with");
  const archive = firstDebianArchive(await machineAptSources(aptDir));
  if (archive === undefined) throw new Error("apt knows no archive of Debian");
  let failure = new Error("no suite has it");
  for (const suite of DEBIAN_SUITES) {
    const stateDir = path.join(workDir, suite);
    try {
      return await fromSuite(
        stateDir,
        `deb [signed-by=${keyring}] ${archive} ${suite} main\n`,
        log,
      );
    } catch (error) {
      failure = /** @type {Error} */ (error);
    }
  }
  throw failure;
}

/** @param {string} stateDir @param {string} source @param {(line: string) => void} log */
async function fromSuite(stateDir, source, log) {
  await fs.mkdir(path.join(stateDir, "lists", "partial"), { recursive: true });
  await fs.mkdir(path.join(stateDir, "cache", "archives", "partial"), { recursive: true });
  await fs.writeFile(path.join(stateDir, "sources.list"), source);
  const configuration = path.join(stateDir, "apt.conf");
  await fs.writeFile(configuration, aptConfiguration(stateDir));
  const apt = (/** @type {string} */ tool, /** @type {string[]} */ ...args) =>
    run(tool, ["-q", "-c", configuration, ...args], {
      cwd: stateDir,
      env: { ...process.env, LC_ALL: "C" },
    });
  log("fetching nats-server's package from Debian, apart from the system's apt (some 20 MB)");
  await apt("apt-get", "update", "--error-on=any");
  const policy = await apt("apt-cache", "policy", "nats-server");
  const version = parseVersion(/Candidate: (\S+)/.exec(policy)?.[1] ?? "");
  if (version === undefined) throw new Error("Debian's suite has no nats-server");
  const refused = refusal(version);
  if (refused !== undefined) throw new Error(refused);
  await apt("apt-get", "download", "nats-server");
  const packages = (await fs.readdir(stateDir)).filter((file) => file.endsWith(".deb"));
  const deb = path.join(stateDir, String(packages[0]));
  await run("dpkg-deb", ["-x", deb, path.join(stateDir, "root")]);
  for (const folder of ["usr/sbin", "usr/bin"]) {
    const binary = path.join(stateDir, "root", folder, "nats-server");
    if (existsSync(binary)) return { binary, sha256: await sha256Of(deb) };
  }
  throw new Error("Debian's package holds no nats-server");
}

// ---- in order -------------------------------------------------------------------------------

/** @type {typeof import("./nats-server.mjs").provisionNatsServer} */
export async function provisionNatsServer(options) {
  const env = options.env ?? process.env;
  const name = options.platform ?? platformName(process.platform, process.arch);
  const cacheDir = options.cacheDir ?? path.join(PROJECT_DIR, ".cache", "nats-server");
  /** @type {string[]} */
  const reasons = [];

  /** @param {string} file @param {string} from @returns {Promise<Provisioned | undefined>} */
  const consider = async (file, from) => {
    const asked = await askVersion(file);
    const refused = "version" in asked ? refusal(asked.version) : `${asked.why}.`;
    if ("version" in asked && refused === undefined) {
      return { path: file, version: asked.version.join("."), from };
    }
    reasons.push(`${from}: ${refused}`);
    return undefined;
  };

  const named = env.NATS_SERVER_BIN;
  if (named !== undefined && named !== "") {
    // Someone chose this server. Using another one in silence would hide that it is not usable.
    const file = path.resolve(named);
    const found = await consider(file, `NATS_SERVER_BIN (${file})`);
    if (found !== undefined) return { ...found, from: "NATS_SERVER_BIN" };
    return { reason: reasons.join(" "), named: true };
  }
  const installed = onPath("nats-server", env.PATH ?? "");
  if (installed !== undefined) {
    const found = await consider(installed, "nats-server on PATH");
    if (found !== undefined) return found;
  }
  const cached = await fromCache(cacheDir, name);
  if (cached !== undefined) {
    return { path: cached.path, version: cached.version.join("."), from: "cache" };
  }
  if (options.offline !== true) {
    const fetched = await fetchServer(options, name, cacheDir, reasons);
    if (fetched !== undefined) return fetched;
  }
  const min = VERSION_MIN.slice(0, 2).join(".");
  return { reason: [`No nats-server ${min} or newer could be had.`, ...reasons].join(" ") };
}

/**
 * @param {ProvisionOptions} options @param {string} name @param {string} cacheDir
 * @param {string[]} reasons @returns {Promise<Provisioned | undefined>}
 */
async function fetchServer(options, name, cacheDir, reasons) {
  const { log } = options;
  const searchPath = (options.env ?? process.env).PATH ?? "";
  const aptDir = options.aptDir ?? "/etc/apt";
  const debianLike = ["apt-get", "apt-cache", "dpkg-deb"].every((t) => onPath(t, searchPath));
  await fs.mkdir(cacheDir, { recursive: true });
  const workDir = await fs.mkdtemp(path.join(os.tmpdir(), "roomcluster-nats-"));
  const ways = [
    { from: "upstream release", usable: true, fetch: () => fromRelease(name, workDir, log) },
    { from: "Debian", usable: debianLike, fetch: () => fromDebian(workDir, log, aptDir) },
  ];
  try {
    for (const { from, usable, fetch } of ways) {
      if (!usable) continue;
      try {
        const { binary, sha256 } = await fetch();
        const { path: file, version } = await putIntoCache(cacheDir, name, binary);
        log(`nats-server ${version.join(".")} from ${from}, archive's sha256 ${sha256}`);
        return { path: file, version: version.join("."), from };
      } catch (error) {
        const reason = `${from}: ${/** @type {Error} */ (error).message}.`;
        log(reason);
        reasons.push(reason);
      }
    }
    return undefined;
  } finally {
    await fs.rm(workDir, { recursive: true, force: true });
  }
}

const script = process.argv[1];
if (script !== undefined && import.meta.url === pathToFileURL(script).href) {
  const result = await provisionNatsServer({ log: (line) => console.error(line) });
  if ("reason" in result) {
    console.error(result.reason);
    process.exitCode = 1;
  } else {
    console.log(result.path);
  }
}
