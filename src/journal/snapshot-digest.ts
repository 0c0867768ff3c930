import { createHash } from "node:crypto";

/** The digest a snapshot is named by: SHA-256 in hex. */
export const snapshotDigest = (data: Uint8Array): string =>
  createHash("sha256").update(data).digest("hex");
