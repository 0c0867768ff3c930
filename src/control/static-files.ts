import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { assert } from "../kernel/assert.ts";
import { type HttpAnswer, type HttpRequest, methodNotAllowed } from "../observe/http-answers.ts";

interface StaticFile {
  readonly body: Uint8Array;
  readonly type: string;
  readonly etag: string;
  readonly cacheControl: string;
}

/** By the path that serves it. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

const FILES_MAX = 256;
const BYTES_MAX = 64 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".glb": "model/gltf-binary",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

/** `name-4F2K9QXZ.js`: the bundler's content hash, so such a file never changes. */
const HASHED = /-[A-Z0-9]{8}\.[a-z0-9]+(\.map)?$/;

/**
 * Everything below `folder`, held in memory: a request is looked up by its path and never becomes
 * one on disk, so there is nothing to climb out of. Files of unknown kinds are left out.
 */
export async function readStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[path.extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const file = path.join(entry.parentPath, entry.name);
    const body = await readFile(file);
    bytes += body.length;
    assert(files.size < FILES_MAX && bytes <= BYTES_MAX, `${folder} is no folder of a web page`);
    const name = `/${path.relative(folder, file).split(path.sep).join("/")}`;
    files.set(name, {
      body,
      type,
      etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
      cacheControl: HASHED.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
    });
  }
  const index = files.get("/index.html");
  if (index !== undefined) files.set("/", index);
  return files;
}

/** Undefined where no file has this path. `connect`: where the page's scripts may connect to. */
export function serveStatic(
  files: StaticFiles,
  request: HttpRequest,
  connect: readonly string[],
): HttpAnswer | undefined {
  const file = files.get(request.path);
  if (file === undefined) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return methodNotAllowed(["GET", "HEAD"]);
  }
  const headers = {
    "cache-control": file.cacheControl,
    "content-security-policy": contentSecurityPolicy(connect),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    etag: file.etag,
  };
  if (request.headers["if-none-match"] === file.etag) return { status: 304, headers };
  return { status: 200, headers: { ...headers, "content-type": file.type }, body: file.body };
}

const contentSecurityPolicy = (connect: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src ${["'self'", ...connect].join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
