import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { METRICS } from "../../src/observe/metric-catalogue.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { MetricName } from "../../src/observe/observer.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const CATALOGUE = "src/observe/metric-catalogue.ts";

interface Definition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
}
const definitions = Object.entries<Definition>(METRICS);

function sources(): { file: string; text: string }[] {
  return ["src", "actors", "gateway"].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`)
      .filter((file) => file !== CATALOGUE)
      .map((file) => ({ file, text: readFileSync(path.join(ROOT, file), "utf8") })),
  );
}

describe("the catalogue", () => {
  test.each(definitions)("%s follows Prometheus' naming and explains itself", (name, metric) => {
    expect(name).toMatch(/^roomcluster_[a-z0-9_]+$/);
    expect(name.endsWith("_total")).toBe(metric.kind === "counter");
    expect(metric.help).toMatch(/^[A-Z0-9].{10,200}\.$/);
    for (const label of metric.labels ?? []) expect(label).toMatch(/^[a-z]+$/);
    const buckets = metric.buckets ?? [];
    expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
  });

  test("is complete: every metric that code names is in it", () => {
    const unknown = sources().flatMap(({ file, text }) =>
      [...text.matchAll(/"(roomcluster_[a-z0-9_]+)"/g)]
        .map((match) => match[1] as string)
        .filter((name) => !Object.hasOwn(METRICS, name))
        .map((name) => `${file}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  test("holds nothing that no code ever sets", () => {
    const all = sources()
      .map(({ text }) => text)
      .join("\n");
    const silent = Object.keys(METRICS).filter((name) => !all.includes(`"${name}"`));
    expect(silent).toEqual([]);
  });
});

describe("a registry", () => {
  test("exposes what was counted, set and observed", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.add("roomcluster_fenced_total", 2, { where: "journal" });
    metrics.add("roomcluster_fenced_total", 1, { where: "journal" });
    metrics.set("roomcluster_rooms", 7);
    const text = await metrics.text();
    expect(text).toContain('roomcluster_fenced_total{where="journal"} 3');
    expect(text).toContain("roomcluster_rooms 7");
    expect(metrics.contentType).toContain("text/plain");
  });

  test("of one role is not the registry of another in the same process", async () => {
    const [a, b] = [1, 2].map(() => createMetrics({ processMetrics: false }));
    a?.set("roomcluster_rooms", 7);
    expect(await b?.text()).toContain("roomcluster_rooms 0");
  });

  test("has Node's own metrics where it was asked for them", async () => {
    expect(await createMetrics({ processMetrics: true }).text()).toContain("nodejs_eventloop_lag");
    const without = await createMetrics({ processMetrics: false }).text();
    expect(without).not.toContain("nodejs_");
  });

  test("declares every metric of the catalogue", async () => {
    const text = await createMetrics({ processMetrics: false }).text();
    for (const [name, { kind, help }] of definitions) {
      expect(text).toContain(`# TYPE ${name} ${kind}\n`);
      expect(text).toContain(`# HELP ${name} ${help}\n`);
    }
  });

  test.each([
    ["a label that the catalogue does not know", { where: "journal", room: "t/a" }],
    ["another label", { room: "t/a" }],
    ["no label where one is declared", {}],
  ])("takes %s for a bug", (_, labels) => {
    const metrics = createMetrics({ processMetrics: false });
    expect(() => metrics.add("roomcluster_fenced_total", 1, labels)).toThrow(/label/);
  });

  test("takes a wrong kind, an unknown name and a falling counter for bugs", () => {
    const metrics = createMetrics({ processMetrics: false });
    expect(() => metrics.set("roomcluster_fenced_total", 1, { where: "x" })).toThrow(/kind/);
    expect(() => metrics.add("roomcluster_none_total" as MetricName)).toThrow(/kind/);
    expect(() => metrics.add("roomcluster_fenced_total", -1, { where: "x" })).toThrow(/falls/);
  });
});
