interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Every metric there is, under its Prometheus name. A part adds its own lines here. */
export const METRICS = {
  roomcluster_fenced_total: {
    kind: "counter",
    help: "Messages and writes refused because a newer owner exists, by where they were refused.",
    labels: ["where"],
  },
  roomcluster_bus_dropped_total: {
    kind: "counter",
    help: "Publishes lost because the bus was not connected.",
    labels: ["bus"],
  },
  roomcluster_rooms: { kind: "gauge", help: "Rooms this node owns." },
} as const satisfies Record<string, Metric>;
