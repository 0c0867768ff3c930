import { bug, type PlantedBug } from "./planted-bug.ts";

const ROOM = "actors/room";
const MEMORY_JOURNAL = "src/journal/memory-journal.ts";

/** Breaks the ownership protocol by its sentences (DESIGN 6). */
export const OWNERSHIP_BUGS: readonly PlantedBug[] = [
  bug(
    "ignoreForeignTail",
    "an owner that finds another's record where its own would stand goes on behind it",
    `${ROOM}/register.ts`,
    'this.#fenced = true;\n    return { type: "fenced" };',
    'this.#tail = stored.sequence;\n    return { type: "repeat", expected: this.#tail, data: flying.data };',
  ),
  bug(
    "tailFromRead",
    "the expected sequence comes from a read instead of from one's own last append",
    `${ROOM}/journal-work.ts`,
    "const outcome = await journal.append(this.#room, effect.expected, effect.data);",
    `const read = await journal.readTail(this.#room);
    const expected = read.ok ? read.value.sequence : effect.expected;
    const outcome = await journal.append(this.#room, expected, effect.data);`,
  ),
  bug(
    "timeoutMeansLanded",
    "a write that timed out is taken for written",
    `${ROOM}/register.ts`,
    'return { type: "repeat", expected: this.#tail, data: flying.data };\n    }\n  }',
    "return this.#settle(flying, this.#tail + 1);\n    }\n  }",
  ),
  bug(
    "timeoutMeansFailed",
    "a write that timed out is given up",
    `${ROOM}/register.ts`,
    'return { type: "repeat", expected: this.#tail, data: flying.data };\n    }\n  }',
    "this.#inFlight = undefined;\n        return undefined;\n    }\n  }",
  ),
  {
    name: "trustUnsettledClaim",
    says: "a claim that timed out is taken for granted",
    edits: [
      {
        file: `${ROOM}/claim.ts`,
        find: 'if (effect.type === "repeat") await delay(clock, backoffMs(attempt, RETRY, random));',
        replace: `if (effect.type === "repeat") {
      const record = decodeRecord(effect.data);
      if (record) return claimed(generation, register, { record, sequence: effect.expected + 1 });
    }`,
      },
      {
        file: `${ROOM}/claim.ts`,
        find: 'import type { World } from "./define-room.ts";',
        replace: `import { decodeRecord } from "../../src/protocol/journal-record.ts";
import type { World } from "./define-room.ts";`,
      },
    ],
  },
  bug(
    "compareIncarnation",
    "what stands there is recognised by its writer, not by its nonce",
    `${ROOM}/register.ts`,
    "if (there?.nonce === nonce)",
    "if (there?.by === flying.record.by)",
  ),
  bug(
    "claimWhateverStands",
    "a proposal is obeyed although the tail shows another epoch than it replaces",
    `${ROOM}/claim.ts`,
    'if (!yieldsTo(now, replaces)) return { kind: "refused", why: "not_replaced" };',
    "",
  ),
  bug(
    "ackBeforeAppend",
    "a command is answered when it is decided",
    `${ROOM}/commands.ts`,
    'this.#parts.record({ type: "command", ...reply, patches, events }, outcome, settled);',
    `this.#parts.record({ type: "command", ...reply, patches, events }, outcome, settled);
    this.#parts.outlet.send(gatewayOf(row.connection), {
      type: "reply", session, seq, status, data, index: ledger.acked.index,
    });`,
  ),
  {
    name: "publishBeforeAppend",
    says: "gateways hear of a record when it is sent to the journal",
    edits: [
      {
        file: `${ROOM}/core.ts`,
        find: "this.#nonceInFlight = started.nonce;\n    this.#register(",
        replace: `this.#nonceInFlight = started.nonce;
    const early = started.effect.type === "append" && decodeRecord(started.effect.data);
    if (early && early.type === "batch")
      this.#parts.outlet.broadcast({ type: "record", record: publicRecord(this.#parts.ledger.acked, early) });
    this.#register(`,
      },
      {
        file: `${ROOM}/core.ts`,
        find: 'import { Commands } from "./commands.ts";',
        replace:
          'import { Commands } from "./commands.ts";\nimport { decodeRecord } from "../../src/protocol/journal-record.ts";',
      },
    ],
  },
  bug(
    "trimToNamingRecord",
    "everything before the record that names a snapshot is trimmed",
    `${ROOM}/core.ts`,
    'this.#effects.push({ type: "trim", sequence: record.sequence, index: record.snapshotIndex });',
    'this.#effects.push({ type: "trim", sequence: sequence - 1, index: record.snapshotIndex });',
  ),
  bug(
    "trimUnnamed",
    "a journal is trimmed under a snapshot that no record names yet",
    `${ROOM}/core.ts`,
    "return this.#parts.ledger.name(message.name, message.sequence);",
    `this.#effects.push({ type: "trim", sequence: message.sequence, index: message.name.index });
        return this.#parts.ledger.name(message.name, message.sequence);`,
  ),
  {
    name: "noGatewayFence",
    says: "a gateway takes what an older owner says, by epoch, sender and index",
    edits: [
      {
        file: "gateway/held-room.ts",
        find: 'if (standing === "stale") {',
        replace: 'if (standing === "stale" && from === this.route.owner) {',
      },
      {
        file: "gateway/held-room.ts",
        find: 'if (from !== this.route.owner) return this.#dropped("foreign", 1);',
        replace: "",
      },
      {
        file: "gateway/held-room.ts",
        find: "if (replica.ready && index < replica.index) this.#startOver();",
        replace: "",
      },
    ],
  },
  bug(
    "floorFromMessage",
    "a gateway believes an epoch that somebody claims, without a look at the tail",
    "gateway/room-route.ts",
    'if (typeof reason === "number") {',
    'if (typeof reason === "number") {\n      if (reason > this.#floor) this.#floor = reason;',
  ),
  bug(
    "acceptLowerAttach",
    "an older socket of a session may attach again",
    `${ROOM}/membership.ts`,
    "if (row && (attach < row.attach || (attach === row.attach && connection !== row.connection)))",
    "if (row && attach === row.attach && connection !== row.connection)",
  ),
  {
    name: "admitGaps",
    says: "a command is admitted although one before it is missing",
    edits: [
      {
        file: `${ROOM}/commands.ts`,
        find: "if (seq !== row.last + 1)",
        replace: "if (seq < row.last + 1)",
      },
      {
        file: `${ROOM}/commands.ts`,
        find: "if (row?.last !== seq - 1 || row.connection !== message.connection) return;",
        replace: "if (row?.connection !== message.connection) return;",
      },
    ],
  },
  {
    name: "noPendingDedupe",
    says: "a duplicate is looked for among what is durable only",
    edits: [
      {
        file: `${ROOM}/commands.ts`,
        find: "const row = ledger.decided.sessions.get(session);\n    if (ledger.decided.closed) return;",
        replace:
          "const row = ledger.acked.sessions.get(session);\n    if (ledger.decided.closed) return;",
      },
      {
        file: `${ROOM}/commands.ts`,
        find: "if (row?.last !== seq - 1 || row.connection !== message.connection) return;",
        replace: "if (row?.connection !== message.connection) return;",
      },
    ],
  },
  bug(
    "snapshotNoTable",
    "snapshots leave the last commands and their replies out",
    `${ROOM}/snapshot.ts`,
    "row.last,\n    row.replies.map((r) => [r.seq, r.digest, r.status, r.data, r.index]),",
    "0,\n    [],",
  ),
  bug(
    "snapshotDraft",
    "a snapshot is taken of what is decided instead of what is durable",
    `${ROOM}/snapshots.ts`,
    "encodeSnapshot(ledger.acked, ledger.tail)",
    "encodeSnapshot(Object.assign(ledger.decided, { index: ledger.acked.index, at: ledger.acked.at }), ledger.tail)",
  ),
  bug(
    "decideOnAcked",
    "commands are decided on what is durable, although others wait before them",
    `${ROOM}/decisions.ts`,
    "const fold = ledger.decided;",
    "const fold = ledger.acked;",
  ),
  bug(
    "noChain",
    "a room starts from whatever a follower answered",
    `${ROOM}/recovery.ts`,
    "if (!follows) return {",
    "if (follows === undefined) return {",
  ),
  bug(
    "silentRefusals",
    "a refusal is answered and not journaled",
    `${ROOM}/commands.ts`,
    "const reply = { session, seq, digest, status, data };",
    `if (isRefusal(outcome.value) && row)
      return this.#parts.outlet.send(gatewayOf(row.connection), {
        type: "reply", session, seq, status, data, index: ledger.acked.index,
      });
    const reply = { session, seq, digest, status, data };`,
  ),
  {
    name: "noResend",
    says: "a client does not resend what a new owner may not have",
    edits: [
      {
        file: "src/client/command-log.ts",
        find: "entry.dueMs = nowMs + entry.waitMs;",
        replace: "entry.dueMs = Number.POSITIVE_INFINITY;",
      },
      {
        file: "src/client/command-log.ts",
        find: "for (const entry of this.#inFlight) {\n      entry.dueMs = nowMs;",
        replace:
          "for (const entry of this.#inFlight) {\n      if (entry.sent) continue;\n      entry.dueMs = nowMs;",
      },
    ],
  },
  bug(
    "reuseIncarnation",
    "a process that starts again is the one that it was",
    "test/sim/sim-process.ts",
    "randomHex(random, 8)",
    '"0".repeat(16)',
  ),
  bug(
    "noExpectedTail",
    "an append does not expect the tail that its writer knows",
    MEMORY_JOURNAL,
    'if ((records.at(-1)?.sequence ?? 0) !== expected) return { kind: "refused" };',
    "",
  ),
  bug(
    "staleRead",
    "a tail is read from a follower",
    MEMORY_JOURNAL,
    "const last = this.#records(room).at(-1);",
    "const last = this.#records(room).at(-1 - this.#line.staleRecords());",
  ),
  {
    name: "twoInFlight",
    says: "a room appends while its last append is on its way",
    edits: [
      {
        file: `${ROOM}/ledger.ts`,
        find: "if (this.#register.busy || this.#register.fenced) return undefined;",
        replace: "if (this.#register.fenced) return undefined;",
      },
      {
        file: `${ROOM}/register.ts`,
        find: 'assert(!this.#inFlight, "one append is in flight at a time");',
        replace: "",
      },
    ],
  },
  {
    name: "trimToEmpty",
    says: "the record that names a snapshot is trimmed with what it covers",
    edits: [
      {
        file: `${ROOM}/core.ts`,
        find: 'this.#effects.push({ type: "trim", sequence: record.sequence, index: record.snapshotIndex });',
        replace: 'this.#effects.push({ type: "trim", sequence, index: record.snapshotIndex });',
      },
      {
        file: MEMORY_JOURNAL,
        find: "const removed = kept < 0 ? records.length - 1 : Math.min(kept, records.length - 1);",
        replace: "const removed = kept < 0 ? records.length : kept;",
      },
    ],
  },
  bug(
    "tableInMemory",
    "the last commands and their replies die with the owner",
    `${ROOM}/recovery.ts`,
    "return { fold, told, replayed: (start?.replayed ?? 0) + records.length };",
    `for (const [session, row] of fold.sessions)
    fold.sessions.set(session, { ...row, last: 0, replies: [] });
  return { fold, told, replayed: (start?.replayed ?? 0) + records.length };`,
  ),
  bug(
    "attachInMemory",
    "the numbers of attaches die with the owner",
    `${ROOM}/recovery.ts`,
    "return { fold, told, replayed: (start?.replayed ?? 0) + records.length };",
    `for (const [session, row] of fold.sessions) fold.sessions.set(session, { ...row, attach: 0 });
  return { fold, told, replayed: (start?.replayed ?? 0) + records.length };`,
  ),
  bug(
    "honourLowerLeave",
    "an older socket of a session may take the person out",
    `${ROOM}/membership.ts`,
    `if (!row?.here || row.attach !== message.attach) return undefined;
    return row.connection === message.connection ? row : undefined;`,
    "return row?.here ? row : undefined;",
  ),
  bug(
    "noReverify",
    "an owner does not look whether it is one still",
    `${ROOM}/runtime.ts`,
    "if (this.#verification) this.#guard(this.#verification.ask());",
    "",
  ),
];
