import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  aptConfiguration,
  chooseNewest,
  compareVersions,
  downloadVerified,
  firstDebianArchive,
  parseAptSources,
  parseVersion,
  platformName,
  provisionNatsServer,
  RELEASE,
  refusal,
  releaseFor,
  type Version,
} from "../../deploy/nats-server.mjs";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "roomcluster-test-provision-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("versions", () => {
  test.each([
    ["nats-server: v2.15.1", [2, 15, 1]],
    ["nats-server: v2.14.5-RC.3", [2, 14, 5]],
    ["2.10.27-1+b2", [2, 10, 27]],
    ["nats-server version 1.4.1", [1, 4, 1]],
  ])("%s is %j", (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });
  test.each(["", "(none)", "v2.15", "v2.15.", "12345.1.1", "v1.2.34567"])("%j is none", (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
  test("are compared as numbers", () => {
    expect(compareVersions([2, 9, 10], [2, 12, 0])).toBeLessThan(0);
    expect(compareVersions([2, 12, 10], [2, 12, 9])).toBeGreaterThan(0);
    expect(compareVersions([2, 12, 0], [2, 12, 0])).toBe(0);
  });
  test("Debian 12's server is refused for its broken compare-and-set", () => {
    expect(refusal([2, 9, 10])).toContain("2.9.10 is refused");
    expect(refusal([2, 9, 10])).toContain("two nodes could own one room");
  });
  test("a sound but old server is refused for its age", () => {
    expect(refusal([2, 10, 27])).toContain("older than 2.12");
    expect(refusal([2, 10, 27])).not.toContain("two nodes could own one room");
  });
  test.each<Version>([
    [2, 12, 0],
    [2, 15, 1],
    [3, 0, 0],
  ])("%d.%d.%d may be used", (...version) => {
    expect(refusal(version)).toBeUndefined();
  });
  test("the newest that may be used is chosen", () => {
    const of = (...versions: Version[]) => versions.map((version) => ({ version }));
    const mixed = of([2, 10, 27], [2, 14, 5], [2, 15, 1], [2, 12, 9]);
    expect(chooseNewest(mixed)?.version).toEqual([2, 15, 1]);
    expect(chooseNewest(of([2, 10, 27], [2, 9, 10]))).toBeUndefined();
    expect(chooseNewest([])).toBeUndefined();
  });
});

describe("upstream's release", () => {
  test("is pinned by a hash for each platform, and is itself new enough", () => {
    expect(refusal(parseVersion(RELEASE.version) as Version)).toBeUndefined();
    for (const hash of Object.values(RELEASE.sha256)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
    const arm = releaseFor(platformName("linux", "arm64"));
    expect(arm?.url).toBe(`${RELEASE.base}/v${RELEASE.version}/${arm?.folder}.tar.gz`);
    expect(arm?.folder).toBe(`nats-server-v${RELEASE.version}-linux-arm64`);
  });
  test("a platform without a known hash has none", () => {
    expect(platformName("linux", "x64")).toBe("linux-amd64");
    expect(releaseFor(platformName("win32", "x64"))).toBeUndefined();
    expect(releaseFor(platformName("linux", "riscv64"))).toBeUndefined();
  });
});

describe("the download", () => {
  const body = Buffer.from("an archive");
  const sha256 = createHash("sha256").update(body).digest("hex");
  const server = http.createServer((request, response) => {
    if (request.url === "/moved") response.writeHead(302, { location: "/archive" }).end();
    else if (request.url === "/archive") response.end(body);
    else if (request.url === "/elsewhere") {
      response.writeHead(302, { location: "http://127.0.0.2:9/archive" }).end();
    } else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else response.writeHead(404).end();
  });
  let base: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  test("follows a redirect and keeps what has the right hash", async () => {
    const file = path.join(dir, "right");
    await downloadVerified(`${base}/moved`, sha256, file);
    expect(await readFile(file)).toEqual(body);
  });
  test("throws away what has another hash", async () => {
    const file = path.join(dir, "wrong");
    const download = downloadVerified(`${base}/archive`, "0".repeat(64), file);
    await expect(download).rejects.toThrow(`sha256 is ${sha256}`);
    expect(await readdir(dir)).not.toContain("wrong");
  });
  test.each([
    ["/missing", "status 404"],
    ["/elsewhere", "redirected out of TLS"],
    ["/loop", "status 302"],
  ])("%s fails with: %s", async (url, message) => {
    const download = downloadVerified(`${base}${url}`, sha256, path.join(dir, "none"));
    await expect(download).rejects.toThrow(message);
  });
});

describe("apt's sources", () => {
  const deb822 = `# a comment
Types: deb deb-src
URIs: https://mirror.example/debian https://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: https://disabled.example/debian
Suites: sid
Components: main


Types: deb-src
URIs: https://sources.example/debian
Suites: sid
Components: main

Types: deb
URIs: https://inline.example/debian
Suites:
 trixie
 trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`;
  test("in the deb822 format", () => {
    const [first, second, third, ...rest] = parseAptSources(deb822, "deb822");
    expect(first).toEqual({
      uri: "https://mirror.example/debian",
      suites: ["bookworm", "bookworm-updates"],
      components: ["main", "contrib"],
      signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    });
    expect(second?.uri).toBe("https://second.example/debian");
    expect(third?.suites).toEqual(["trixie", "trixie-updates"]);
    expect(third?.signedBy).toContain("BEGIN PGP");
    expect(rest).toEqual([]);
  });
  test("in the one-line format", () => {
    const text = `
# deb https://commented.example/debian sid main
deb-src https://sources.example/debian sid main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://third.example/x bookworm main # x
deb https://mirror.example/debian/ bookworm main non-free-firmware
deb cdrom:[Debian_12]/ bookworm main
`;
    expect(parseAptSources(text, "oneline").slice(0, 2)).toEqual([
      {
        uri: "https://third.example/x",
        suites: ["bookworm"],
        components: ["main"],
        signedBy: "/usr/share/keyrings/x.gpg",
      },
      {
        uri: "https://mirror.example/debian/",
        suites: ["bookworm"],
        components: ["main", "non-free-firmware"],
        signedBy: "",
      },
    ]);
    expect(firstDebianArchive(parseAptSources(text, "oneline"))).toBe(
      "https://mirror.example/debian/",
    );
  });
  test.each([
    ["a third party's key", "deb [signed-by=/k/vendor.gpg] https://v.example/debian bookworm main"],
    ["no main component", "deb https://v.example/debian bookworm stable"],
    ["a suite of its own", "deb https://v.example/debian bookworm-pgdg main"],
    ["security updates only", "deb https://v.example/debian-security bookworm-security main"],
    ["another distribution", "deb https://v.example/ubuntu noble main"],
    ["a disc", "deb cdrom:[Debian_12]/ bookworm main"],
    ["nothing", ""],
  ])("none is Debian's own with %s", (_, line) => {
    expect(firstDebianArchive(parseAptSources(line, "oneline"))).toBeUndefined();
  });
  test("a mirror list counts", () => {
    const line = "deb mirror+file:/etc/apt/mirrors/debian.list trixie main";
    expect(firstDebianArchive(parseAptSources(line, "oneline"))).toContain("mirror+file:");
  });
  test("the private configuration writes nowhere else and runs no hook", () => {
    const text = aptConfiguration("/private");
    const paths = [...text.matchAll(/^Dir::\S+ "([^"]*)"/gm)].map((match) => match[1]);
    expect(paths).toHaveLength(4);
    for (const file of paths) expect(file).toMatch(/^(-|\/private\/.*)$/);
    expect(text).toContain("#clear APT::Update::Post-Invoke-Success;");
  });
});

describe("the order", () => {
  const log = () => undefined;
  /** A stand-in that answers `-v` as a nats-server does. */
  async function fakeServer(folder: string, version: string): Promise<string> {
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, "nats-server");
    await writeFile(file, `#!/bin/sh\necho "nats-server: v${version}"\n`);
    await chmod(file, 0o755);
    return file;
  }
  const provision = (env: Record<string, string>, cacheDir = path.join(dir, "empty")) =>
    provisionNatsServer({ log, env, offline: true, cacheDir, platform: "linux-amd64" });

  test("NATS_SERVER_BIN comes first", async () => {
    const named = await fakeServer(path.join(dir, "named"), "2.12.3");
    await fakeServer(path.join(dir, "bin"), "2.15.1");
    const found = await provision({ NATS_SERVER_BIN: named, PATH: path.join(dir, "bin") });
    expect(found).toEqual({ path: named, version: "2.12.3", from: "NATS_SERVER_BIN" });
  });
  test("a NATS_SERVER_BIN that is too old is an error, not passed over", async () => {
    const named = await fakeServer(path.join(dir, "old"), "2.9.10");
    await fakeServer(path.join(dir, "bin"), "2.15.1");
    const found = await provision({ NATS_SERVER_BIN: named, PATH: path.join(dir, "bin") });
    expect(found).toHaveProperty("reason", expect.stringContaining("two nodes could own"));
  });
  test("a NATS_SERVER_BIN that can not be used is named with the reason", async () => {
    const missing = path.join(dir, "missing");
    expect(await provision({ NATS_SERVER_BIN: missing })).toEqual({
      reason: `NATS_SERVER_BIN (${missing}): there is no such file.`,
      named: true,
    });
    const text = path.join(dir, "text");
    await writeFile(text, "nats-server: v2.15.1");
    expect(await provision({ NATS_SERVER_BIN: text })).toEqual({
      reason: `NATS_SERVER_BIN (${text}): it is no program that may be run here.`,
      named: true,
    });
  });
  test("then one on PATH, unless it is too old: then the newest of the cache", async () => {
    const bin = await fakeServer(path.join(dir, "bin"), "2.15.1");
    expect(await provision({ PATH: path.join(dir, "bin") })).toMatchObject({ path: bin });

    const cache = path.join(dir, "cache");
    await fakeServer(path.join(cache, "2.14.5-linux-amd64"), "2.14.5");
    const newest = await fakeServer(path.join(cache, "2.15.0-linux-amd64"), "2.15.0");
    await fakeServer(path.join(cache, "2.16.0-linux-arm64"), "2.16.0");
    await mkdir(path.join(cache, "2.17.0-linux-amd64"), { recursive: true });
    const found = await provision({ PATH: path.join(dir, "old") }, cache);
    expect(found).toEqual({ path: newest, version: "2.15.0", from: "cache" });
  });
  test("with nothing usable the reason names what was refused", async () => {
    const found = await provision({ PATH: path.join(dir, "old") });
    expect(found).toHaveProperty("reason", expect.stringContaining("PATH: nats-server 2.9.10"));
  });
});
