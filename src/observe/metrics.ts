import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { assert } from "../kernel/assert.ts";
import { METRICS } from "./metric-catalogue.ts";
import type { Labels, MetricName, Metrics } from "./observer.ts";

interface Definition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
}

/** The metrics of one process, and how Prometheus reads them. */
export interface MetricsRegistry extends Metrics {
  /** The exposition format, of now. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** By the unit at the end of a histogram's name; a metric may bring buckets of its own. */
const BUCKETS: Readonly<Record<string, readonly number[]>> = {
  ms: [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 75, 100, 250, 500, 1000, 2500, 5000, 10_000],
  bytes: [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
};
const BUCKETS_OTHERWISE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/**
 * `processMetrics`: also those of Node and the operating system (memory, CPU, event loop), which
 * belong to the process and not to a role: at most one registry of a process has them.
 */
export function createMetrics(options: { readonly processMetrics: boolean }): MetricsRegistry {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const labelsOf = new Map<string, readonly string[]>();
  for (const [name, definition] of Object.entries<Definition>(METRICS)) {
    const { kind, help, labels = [] } = definition;
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    labelsOf.set(name, labels);
    if (kind === "counter") counters.set(name, new Counter(configuration));
    if (kind === "gauge") gauges.set(name, new Gauge(configuration));
    if (kind === "histogram") {
      const unit = name.slice(name.lastIndexOf("_") + 1);
      const buckets = definition.buckets ?? BUCKETS[unit] ?? BUCKETS_OTHERWISE;
      histograms.set(name, new Histogram({ ...configuration, buckets: [...buckets] }));
    }
  }
  if (options.processMetrics)
    // Its default would wake an idle process a hundred times a second.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });

  const pick = <T>(kind: ReadonlyMap<string, T>, name: MetricName, labels: Labels): T => {
    const metric = kind.get(name);
    assert(metric !== undefined, `${name} is no metric of this kind`);
    checkLabels(name, labelsOf.get(name) ?? [], labels);
    return metric;
  };
  return {
    add(name, by = 1, labels = NO_LABELS) {
      assert(by >= 0, `${name} is a counter: it never falls`);
      pick(counters, name, labels).inc(labels, by);
    },
    set: (name, value, labels = NO_LABELS) => pick(gauges, name, labels).set(labels, value),
    observe: (name, value, labels = NO_LABELS) =>
      pick(histograms, name, labels).observe(labels, value),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

const NO_LABELS: Labels = {};

function checkLabels(name: string, declared: readonly string[], given: Labels): void {
  let count = 0;
  for (const label in given) {
    assert(declared.includes(label), `${name} has no label ${label}`);
    count += 1;
  }
  assert(count === declared.length, `${name} wants the labels ${declared.join(", ")}`);
}
