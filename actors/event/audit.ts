import type { AuditEntry } from "../../src/protocol/event-spec.ts";

/** Orders that are remembered; the oldest is forgotten. */
const ENTRIES_MAX = 512;
/** Of the newest, in one answer. */
const TOLD_MAX = 100;

/** Part of a stage's secret: journaled with what it tells of, by number. */
export interface Audit {
  n: number;
  entries: Record<string, AuditEntry>;
}

export const newAudit = (): Audit => ({ n: 0, entries: {} });

/** By number and not in a list: to drop the first of a list would journal all that follow. */
export function addAudit(audit: Audit, entry: AuditEntry): void {
  audit.n++;
  audit.entries[audit.n] = entry;
  delete audit.entries[audit.n - ENTRIES_MAX];
}

/** The newest first, as many as one answer holds. */
export const auditOf = ({ entries }: Audit): AuditEntry[] =>
  Object.values(entries).reverse().slice(0, TOLD_MAX);
