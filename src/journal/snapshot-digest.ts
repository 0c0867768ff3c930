import { hash } from "node:crypto";

/** The digest a snapshot is named by: SHA-256 in hex. */
export const snapshotDigest = (data: Uint8Array): string => hash("sha256", data);
