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
  roomcluster_store_busy_total: {
    kind: "counter",
    help: "Conditional writes sent again because another to the same subject was in flight.",
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
  roomcluster_http_requests_total: {
    kind: "counter",
    help: "Requests for health, metrics and the operator API, by the status of their answer; dropped: connections over the limit.",
    labels: ["status"],
  },
  roomcluster_rooms: { kind: "gauge", help: "Rooms this node owns." },
  roomcluster_stretch: {
    kind: "gauge",
    help: "How much longer than asked for ticks (of a node's rooms) or frames (of a gateway) are apart, because it is behind; 1: not at all.",
  },
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
    help: "Commands with an unusual outcome: busy, duplicate, dead_letter, reply_too_large, later_full.",
    labels: ["outcome"],
  },
  roomcluster_snapshots_too_large_total: {
    kind: "counter",
    help: "Snapshots that were due and not taken, because they are larger than the store takes.",
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
  roomcluster_placement_migrations_total: {
    kind: "counter",
    help: "Times this placement replica asked an owner to hand a room over, by why: drain or balance.",
    labels: ["why"],
  },
  roomcluster_placement_entries_removed_total: {
    kind: "counter",
    help: "Index entries that this placement replica removed, of rooms closed long ago.",
  },
  roomcluster_placement_rounds_total: {
    kind: "counter",
    help: "Rounds of moves for a better balance that this replica wanted to make, by outcome: won, lost to another, unavailable.",
    labels: ["outcome"],
  },
  roomcluster_placement_imbalance: {
    kind: "gauge",
    help: "Load of the fullest node against the mean, both by capacity; 1 is balanced.",
  },
  roomcluster_migrations_total: {
    kind: "counter",
    help: "Wishes to hand a room over that this node received, by what it did with them.",
    labels: ["outcome"],
  },
  roomcluster_nodes: {
    kind: "gauge",
    help: "Nodes that are there, by this placement replica's verdict.",
    labels: ["state"],
  },
  roomcluster_price_per_hour_per_1000_sessions: {
    kind: "gauge",
    help: "What nodes with a price cost in an hour per 1,000 of their sessions, by architecture and for all. NaN: no sessions or no price.",
    labels: ["arch"],
  },
  roomcluster_node_transitions_total: {
    kind: "counter",
    help: "Changes of this placement replica's verdict on a node.",
    labels: ["to", "reason"],
  },
  roomcluster_placement_proposed_total: {
    kind: "counter",
    help: "Rooms proposed to nodes, by why they needed an owner.",
    labels: ["reason"],
  },
  roomcluster_placement_unsettled: {
    kind: "gauge",
    help: "Rooms that wait for an owner.",
  },
  roomcluster_placement_answers_total: {
    kind: "counter",
    help: "Answers to the question where a room is.",
    labels: ["status"],
  },
  roomcluster_placement_pauses_total: {
    kind: "counter",
    help: "Times this replica threw its samples and decisions away, by cause: loop, bus or cut_off.",
    labels: ["cause"],
  },
  roomcluster_placement_declared_dead_total: {
    kind: "counter",
    help: "Times that a node which still beats was told that it is held dead.",
  },
  roomcluster_placement_malformed_total: {
    kind: "counter",
    help: "Control messages that placement could not read, or of processes beyond its limit.",
  },
  roomcluster_gateway_sockets: { kind: "gauge", help: "Client sockets this gateway holds." },
  roomcluster_gateway_sessions: {
    kind: "gauge",
    help: "Memberships of this gateway's clients, one for each channel of a socket.",
  },
  roomcluster_gateway_links: {
    kind: "gauge",
    help: "Node incarnations that this gateway keeps a numbered link to.",
  },
  roomcluster_gateway_queued_bytes: {
    kind: "gauge",
    help: "Bytes that wait in this gateway until clients read: written and not taken by the kernel, or for one session only.",
  },
  roomcluster_gateway_rooms: { kind: "gauge", help: "Rooms this gateway keeps a replica of." },
  roomcluster_gateway_closes_total: {
    kind: "counter",
    help: "Sockets closed, by name of the close code; client: closed from the other side.",
    labels: ["reason"],
  },
  roomcluster_gateway_upgrades_refused_total: {
    kind: "counter",
    help: "Requests for a socket that were answered by an HTTP error.",
    labels: ["why"],
  },
  roomcluster_gateway_refusals_total: {
    kind: "counter",
    help: "Joins refused and memberships ended, by code.",
    labels: ["code"],
  },
  roomcluster_gateway_errors_total: {
    kind: "counter",
    help: "Client messages that had no effect and were answered so, by code.",
    labels: ["code"],
  },
  roomcluster_gateway_joins_total: {
    kind: "counter",
    help: "Joins, by how the client was brought up to date: new, ring, fetched or snapshot.",
    labels: ["how"],
  },
  roomcluster_gateway_rate_limited_total: {
    kind: "counter",
    help: "Client messages over a rate limit, by kind.",
    labels: ["kind"],
  },
  roomcluster_gateway_dropped_total: {
    kind: "counter",
    help: "Messages from nodes that did not count, other than fenced ones, by reason.",
    labels: ["why"],
  },
  roomcluster_gateway_gaps_total: {
    kind: "counter",
    help: "Times that a replica was behind and asked its owner for what is missing.",
  },
  roomcluster_gateway_room_images_total: {
    kind: "counter",
    help: "Snapshots of rooms received from their owners, by outcome.",
    labels: ["outcome"],
  },
  roomcluster_gateway_tail_reads_total: {
    kind: "counter",
    help: "Tails read to learn who owns a room, by outcome: moved, same or unavailable.",
    labels: ["outcome"],
  },
  roomcluster_gateway_writes_total: {
    kind: "counter",
    help: "Buffers written to clients; shared: the same one went to all of a group.",
    labels: ["kind"],
  },
  roomcluster_gateway_egress_bytes_total: {
    kind: "counter",
    help: "Bytes of room traffic written to clients.",
  },
  roomcluster_gateway_conflated_total: {
    kind: "counter",
    help: "Frames that a client was not sent because an earlier write was pending.",
  },
} as const satisfies Record<string, Metric>;
