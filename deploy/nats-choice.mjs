// @ts-check
// Which nats-server may be used and where one comes from: the decisions of nats-server.mjs, which
// exports them again, apart from all that touches the machine.

/** @typedef {import("./nats-server.mjs").Version} Version */
/** @typedef {import("./nats-server.mjs").AptSource} AptSource */

/** @type {Version} Strict API, per-message TTL and sound replicated compare-and-set. */
export const VERSION_MIN = [2, 12, 0];

/**
 * The upstream release that is fetched, and the sha256 of its archives. Linux: from the build files
 * of upstream's own container images. Darwin: from public projects that pin this release (three for
 * arm64, two for amd64) and whose hashes for Linux are upstream's. Windows is left out, because its
 * archive is a zip and nothing of this was ever run there. A platform whose hash cannot be known
 * that well stays out.
 */
export const RELEASE = {
  version: "2.14.5",
  base: "https://github.com/nats-io/nats-server/releases/download",
  /** @type {Readonly<Record<string, string>>} */
  sha256: {
    "linux-amd64": "5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355",
    "linux-arm64": "673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c",
    "darwin-amd64": "f95c98d6b6ed2b63c5681b46b092c9585c99767d547cf495730c329234625e96",
    "darwin-arm64": "ddd907854d9a2de834af133fa396915fe6442fe6d8909ae31390d1ea7a0fea50",
  },
};

/** @type {typeof import("./nats-server.mjs").parseVersion} */
export function parseVersion(text) {
  const match = /(?:^|[^\d.])(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?!\d)/.exec(text);
  if (match === null) return undefined;
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** @type {typeof import("./nats-server.mjs").compareVersions} */
export function compareVersions(a, b) {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** @type {typeof import("./nats-server.mjs").refusal} */
export function refusal(version) {
  if (compareVersions(version, VERSION_MIN) >= 0) return undefined;
  const is = `nats-server ${version.join(".")} is refused`;
  if (compareVersions(version, [2, 9, 21]) < 0) {
    return (
      `${is}: with replicated streams its compare-and-set lets several writers win ` +
      "(2.9.10 of Debian 12: 18 of 18 racing writers), so two nodes could own one room."
    );
  }
  const min = VERSION_MIN.slice(0, 2).join(".");
  return `${is}: it is older than ${min} and no longer gets upstream's security fixes.`;
}

/** @type {typeof import("./nats-server.mjs").chooseNewest} */
export function chooseNewest(candidates) {
  return candidates
    .filter((candidate) => refusal(candidate.version) === undefined)
    .sort((a, b) => compareVersions(b.version, a.version))[0];
}

/** @type {typeof import("./nats-server.mjs").platformName} */
export function platformName(platform, arch) {
  return `${platform}-${arch === "x64" ? "amd64" : arch}`;
}

/** @type {typeof import("./nats-server.mjs").releaseFor} */
export function releaseFor(name) {
  const sha256 = RELEASE.sha256[name];
  if (sha256 === undefined) return undefined;
  const folder = `nats-server-v${RELEASE.version}-${name}`;
  return { folder, url: `${RELEASE.base}/v${RELEASE.version}/${folder}.tar.gz`, sha256 };
}

/**
 * The `deb` archives of one apt sources file, in either of apt's two formats.
 * @type {typeof import("./nats-server.mjs").parseAptSources}
 */
export function parseAptSources(text, format) {
  return format === "deb822" ? parseDeb822(text) : parseOneLine(text);
}

/** @param {string} text @returns {AptSource[]} */
function parseDeb822(text) {
  const sources = [];
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith("#"));
  for (const stanza of lines.join("\n").split(/\n[ \t]*(?:\n[ \t]*)+/)) {
    /** @type {Map<string, string>} */
    const fields = new Map();
    let name = "";
    for (const line of stanza.split("\n")) {
      const field = /^([A-Za-z-]+):(.*)$/.exec(line);
      if (field !== null) {
        name = String(field[1]).toLowerCase();
        fields.set(name, String(field[2]).trim());
      } else if (/^[ \t]/.test(line)) {
        // A field goes on in the lines that are indented.
        fields.set(name, `${fields.get(name) ?? ""} ${line.trim()}`.trim());
      }
    }
    const words = (/** @type {string} */ key) =>
      (fields.get(key) ?? "").split(/\s+/).filter((word) => word !== "");
    if (!words("types").includes("deb")) continue;
    if (/^(no|false|off|0|without|disable)$/i.test(fields.get("enabled") ?? "yes")) continue;
    for (const uri of words("uris")) {
      sources.push({
        uri,
        suites: words("suites"),
        components: words("components"),
        signedBy: fields.get("signed-by") ?? "",
      });
    }
  }
  return sources;
}

/** @param {string} text @returns {AptSource[]} */
function parseOneLine(text) {
  const sources = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(match[1] ?? "")?.[1] ?? "";
    sources.push({
      uri: String(match[2]),
      suites: [String(match[3])],
      components: (match[4] ?? "").split(/\s+/).filter((word) => word !== ""),
      signedBy,
    });
  }
  return sources;
}

/**
 * The first of the machine's archives that holds Debian itself. Third parties reuse Debian's suite
 * names, but they sign with a key of their own; security and backports are other archives.
 * @type {typeof import("./nats-server.mjs").firstDebianArchive}
 */
export function firstDebianArchive(sources) {
  const suite =
    /^(sid|unstable|testing|stable|oldstable|forky|trixie|bookworm|bullseye)(-updates)?$/;
  return sources.find(
    (source) =>
      /^(https?|mirror(\+[a-z]+)?|tor(\+https?)?):/.test(source.uri) &&
      source.components.includes("main") &&
      source.suites.some((name) => suite.test(name)) &&
      (source.signedBy === "" || source.signedBy.includes("debian-archive")),
  )?.uri;
}

/**
 * An apt configuration under which apt reads and writes only below `stateDir`. The machine's own
 * settings (a proxy, say) still hold, but its hooks are cleared: they refresh the system's caches.
 * @type {typeof import("./nats-server.mjs").aptConfiguration}
 */
export function aptConfiguration(stateDir) {
  return `${[
    `Dir::Etc::sourcelist "${stateDir}/sources.list";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State::lists "${stateDir}/lists";`,
    `Dir::Cache "${stateDir}/cache";`,
    'APT::Sandbox::User "";',
    'Acquire::Languages "none";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "10";',
    'Acquire::https::Timeout "10";',
    'Acquire::AllowInsecureRepositories "false";',
    'APT::Get::AllowUnauthenticated "false";',
    "#clear APT::Update::Pre-Invoke;",
    "#clear APT::Update::Post-Invoke;",
    "#clear APT::Update::Post-Invoke-Success;",
    "#clear DPkg::Post-Invoke;",
  ].join("\n")}\n`;
}
