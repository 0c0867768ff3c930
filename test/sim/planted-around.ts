import { bug, type PlantedBug } from "./planted-bug.ts";

const ROOM = "actors/room";

/** Breaks what stands around the ownership protocol. */
export const BUGS_AROUND: readonly PlantedBug[] = [
  bug(
    "staleRouteKept",
    "a gateway that is told that the room is elsewhere stays where it was",
    "gateway/room-route.ts",
    "const moved = owned !== undefined && epochCompare(owned.epoch, this.#floor) > 0;",
    "const moved = owned !== undefined && this.#floor === EPOCH_NONE;",
  ),
  bug(
    "unboundedQueue",
    "decisions that wait for the journal have no limit",
    `${ROOM}/ledger.ts`,
    "return entries >= pendingEntriesMax || this.#queueBytes + this.#flyingBytes >= pendingBytesMax;",
    "return entries + pendingEntriesMax + pendingBytesMax < 0;",
  ),
  bug(
    "leakedTimer",
    "a room that ended goes on ticking",
    `${ROOM}/runtime.ts`,
    "for (const timer of this.#timers) timer.cancel();",
    "",
  ),
  bug(
    "leakedSubscription",
    "a gateway that closes goes on listening",
    "gateway/core.ts",
    "for (const subscription of subscriptions)",
    "for (const subscription of subscriptions.slice(1))",
  ),
  bug(
    "stalledLoopLives",
    "the liveness thread lets a stalled main loop be",
    "src/membership/liveness-beats.ts",
    "if (told || !isOverdue({ loopAgeMs, echoAgeMs }, config)) return;",
    "return;",
  ),
  bug(
    "poisonKeepsRunning",
    "a resent command is not marked before it runs again",
    `${ROOM}/commands.ts`,
    "if (!message.resent) return this.#run(message, at);",
    "if (message.seq > 0) return this.#run(message, at);",
  ),
  bug(
    "unboundedMailbox",
    "what waits while a command runs alone has no limit",
    "actors/mailbox.ts",
    "new BoundedQueue({ itemsMax: durableMax, bytesMax: durableBytesMax, sizeOf })",
    "new BoundedQueue({ itemsMax: Number.POSITIVE_INFINITY, sizeOf })",
  ),
  bug(
    "holdForEver",
    "while many nodes are silent at once none of them is suspected",
    "src/membership/detector.ts",
    "if (over <= this.#config.busFaultHoldMs && this.#isBusFault(node, now)) continue;",
    "if (this.#isBusFault(node, now)) continue;",
  ),
  {
    name: "deadComeBack",
    says: "a node that was given up for good is welcomed again",
    edits: [
      {
        file: "src/placement/node-watch.ts",
        find: 'if (this.#detector.state(process) === "dead") {',
        replace: "if (beat.sequence < 0) {",
      },
      {
        file: "src/membership/detector.ts",
        find: "if (this.#dead.has(process)) return [];",
        replace: "this.#dead.delete(process);",
      },
    ],
  },
  bug(
    "departureForgotten",
    "a gateway does not tell the room that somebody is gone",
    "gateway/attendance.ts",
    "this.#departures.add(session, reason, this.#deps.clock.now());",
    "",
  ),
  bug(
    "awayForEver",
    "whoever was away is shown so when they are back",
    `${ROOM}/presence.ts`,
    "this.#show(slot, false);",
    "",
  ),
  bug(
    "generationKept",
    "a seat that is dealt anew is the same seat",
    `${ROOM}/membership.ts`,
    "generation: ledger.decided.admissions & 0xff",
    "generation: 0",
  ),
  {
    name: "oldGenerationShown",
    says: "a row counts for whoever has the seat now",
    edits: [
      {
        file: `${ROOM}/presence.ts`,
        find: "if (slot < this.#marks.length) this.#marks[slot] = 0;",
        replace: "",
      },
      {
        file: `${ROOM}/presence.ts`,
        find: "return !!this.#marks[slot] && rowGeneration(this.#rows, slot * ROW_WORDS) === generation;",
        replace:
          "return this.#marks[slot] !== undefined && this.#marks[slot] > 0 && generation >= 0;",
      },
      {
        file: "gateway/replica.ts",
        find: "if (!member || member.generation !== rowGeneration(rows, at)) continue;",
        replace: "if (!member) continue;",
      },
      {
        file: "src/client/avatars.ts",
        find: "if (seated(slot, generation)) this.#buffer.add(slot, generation, atMs, words, at);",
        replace: "this.#buffer.add(slot, generation, atMs, words, at);",
      },
      {
        file: "src/client/pose-buffer.ts",
        find: "if (track?.generation !== generation) {",
        replace: "if (!track) {",
      },
      {
        file: "src/client/pose-buffer.ts",
        find: "if (track === undefined || track.generation !== generation) return undefined;",
        replace: "if (track === undefined) return undefined;",
      },
      {
        file: "src/client/pose-buffer.ts",
        find: "if (this.#tracks.get(slot)?.generation === generation) this.#tracks.delete(slot);",
        replace: "",
      },
    ],
  },
  {
    name: "poseForgotten",
    says: "a new owner is not told where people stand",
    edits: [
      {
        file: "gateway/session.ts",
        find: "row: row ? bytesOfRows(row, 1) : null,",
        replace: "row: null,",
      },
      {
        file: "src/client/pose-sender.ts",
        find: "this.#limits.poseKeepAliveMs)",
        replace: "600_000)",
      },
      {
        file: "src/client/pose-sender.ts",
        find: "  reattached(): void {\n    this.#fresh = true;",
        replace: "  reattached(): void {",
      },
    ],
  },
  bug(
    "batchTakenTwice",
    "a batch that comes twice is taken twice",
    "src/bus/link.ts",
    "if (head.sequence <= last && head.sequence !== 1) return undefined;",
    "",
  ),
  {
    name: "gapApplied",
    says: "a record is applied although one before it is missing",
    edits: [
      {
        file: "gateway/replica.ts",
        find: 'if (record.index > this.index + 1) return "gap";',
        replace: "",
      },
      {
        file: "src/client/replica.ts",
        find: 'if (record.index !== this.#index + 1) return "hole";',
        replace: "",
      },
    ],
  },
];
