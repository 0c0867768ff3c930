import type { ChaosReport } from "./report.ts";
import type { ChaosResult } from "./run.ts";
export function htmlOf(report: ChaosReport, _result: ChaosResult): string {
  return JSON.stringify(report);
}
