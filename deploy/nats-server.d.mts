/** Types of nats-server.mjs, plain JavaScript because it runs before anything is installed. */

export type Version = readonly [major: number, minor: number, patch: number];

export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** A keyring's path or fingerprint; empty when the source names none. */
  readonly signedBy: string;
}

export interface Provisioned {
  readonly path: string;
  readonly version: string;
  /** Where it came from, for people. */
  readonly from: string;
}

export interface ProvisionOptions {
  /** Receives one line for each thing that takes time or went wrong. */
  readonly log: (line: string) => void;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Look no further than this machine. */
  readonly offline?: boolean;
  /** `<platform>-<arch>` as in upstream's archive names; for tests. */
  readonly platform?: string;
  readonly cacheDir?: string;
  readonly aptDir?: string;
}

export const VERSION_MIN: Version;
export const RELEASE: {
  readonly version: string;
  readonly base: string;
  readonly sha256: Readonly<Record<string, string>>;
};

/** The first x.y.z in the text, e.g. in `nats-server: v2.15.1` or in a package's version. */
export function parseVersion(text: string): Version | undefined;
export function compareVersions(a: Version, b: Version): number;
/** A sentence that says why this version must not be used; undefined when it may. */
export function refusal(version: Version): string | undefined;
/** The newest that may be used. */
export function chooseNewest<T extends { readonly version: Version }>(
  candidates: readonly T[],
): T | undefined;
/** Node's names to upstream's: `linux` and `x64` are `linux-amd64`. */
export function platformName(platform: string, arch: string): string;
export function releaseFor(
  platformName: string,
): { readonly folder: string; readonly url: string; readonly sha256: string } | undefined;
export function parseAptSources(text: string, format: "deb822" | "oneline"): AptSource[];
export function firstDebianArchive(sources: readonly AptSource[]): string | undefined;
export function aptConfiguration(stateDir: string): string;
/** Rejects, and leaves no file behind, when the content is not what the hash says. */
export function downloadVerified(url: string, sha256: string, file: string): Promise<void>;
export interface NotProvisioned {
  /** A sentence. */
  readonly reason: string;
  /** Somebody chose the server that is not usable: to go on without it would hide that. */
  readonly named?: true;
}

/**
 * A server that is new enough: the one NATS_SERVER_BIN names, one on PATH, the project's cache,
 * upstream's release, Debian's package. Or the reason why none could be had, as a sentence.
 */
export function provisionNatsServer(
  options: ProvisionOptions,
): Promise<Provisioned | NotProvisioned>;
