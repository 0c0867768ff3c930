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
  roomcluster_mailbox_full_total: {
    kind: "counter",
    help: "Messages a room's mailbox had no place for, by lane.",
    labels: ["lane"],
  },
  roomcluster_room_crashes_total: {
    kind: "counter",
    help: "Rooms that crashed in their author's code and started again or were given up.",
    labels: ["world"],
  },
  roomcluster_commands_total: {
    kind: "counter",
    help: "Commands with an unusual outcome: busy, duplicate, dead_letter.",
    labels: ["outcome"],
  },
  roomcluster_append_ms: {
    kind: "histogram",
    help: "Time from a journal append to its acknowledgement.",
  },
  roomcluster_takeover_ms: {
    kind: "histogram",
    help: "Time from a placement's proposal to the room serving again on this node.",
  },
  roomcluster_proposals_total: {
    kind: "counter",
    help: "Proposals this node received, by what it did with them.",
    labels: ["outcome"],
  },
} as const satisfies Record<string, Metric>;
