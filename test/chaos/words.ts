import type { FaultRecord } from "./measure.ts";
import { factsOf } from "./plan.ts";

/** Minutes and seconds. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

/** One line for a fault. */
export function describe(record: FaultRecord): string {
  const { cuts, kind, movedMs, note, number, servedAfterMs, unserved, victims, waitsMs } = record;
  const served =
    servedAfterMs === null
      ? "NOT SERVED AGAIN"
      : `served after ${(servedAfterMs / 1e3).toFixed(2)} s`;
  const parts = [
    `#${number} ${kind} ${victims.join(" + ")}: ${served}`,
    waitsMs.length > 0 ? `new owners seen after ${span(waitsMs)} ms by ${waitsMs.length}` : "",
    unserved > 0 ? `${unserved} never saw one` : "",
    factsOf(kind).planned && movedMs.length > 0 ? `commands that moved ${span(movedMs)} ms` : "",
    cuts > 0 ? `${cuts} sockets lost` : "",
    note,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

const span = (values: readonly number[]): string =>
  `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`;
