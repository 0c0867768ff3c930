interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram; by the unit at the end of its name where left out. */
  readonly buckets?: readonly number[];
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
  roomcluster_process_info: {
    kind: "gauge",
    help: "Always 1; its labels tell which process this is.",
    labels: ["role", "process", "version"],
  },
  roomcluster_control_requests_total: {
    kind: "counter",
    help: "Requests to the operator API by the status of their answer.",
    labels: ["status"],
  },
  roomcluster_rooms: { kind: "gauge", help: "Rooms this node owns." },
} as const satisfies Record<string, Metric>;
