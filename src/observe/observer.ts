import type { METRICS } from "./metric-catalogue.ts";

/** Structured logging: fields first, then a sentence. */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export type MetricName = keyof typeof METRICS;
export type Labels = Readonly<Record<string, string>>;

/** Counters, gauges and histograms, by the names of the catalogue. */
export interface Metrics {
  /** Adds to a counter. */
  add(name: MetricName, by?: number, labels?: Labels): void;
  /** Sets a gauge. */
  set(name: MetricName, value: number, labels?: Labels): void;
  /** Adds a value to a histogram, in the unit its name ends with. */
  observe(name: MetricName, value: number, labels?: Labels): void;
}

/** What every part of a process is handed to speak about itself. */
export interface Observer {
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Keeps nothing: for tests that look at outcomes instead. */
export const silentObserver: Observer = {
  log: { debug() {}, info() {}, warn() {}, error() {} },
  metrics: { add() {}, set() {}, observe() {} },
};
