import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { epochAt, epochGeneration } from "../../src/kernel/epoch.ts";
import { processId, roomId } from "../../src/kernel/ids.ts";
import {
  CHANNELS_MAX,
  COMMAND_BODY_BYTES_MAX,
  COMMANDS_IN_FLIGHT_MAX,
  clientToGateway,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
  ROLES,
  SUBPROTOCOL,
  VERSION_MAX,
} from "../../src/protocol/client-messages.ts";
import {
  CLOSE,
  MEMBERSHIP_CODES,
  mayReconnect,
  REPLY_STATUS,
} from "../../src/protocol/close-codes.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { decodeFrame, FRAME_KIND, POSE_KIND } from "../../src/protocol/frame.ts";
import { decode, encode } from "../../src/protocol/msgpack.ts";
import { MEMBERS_MAX, STATE_BYTES_MAX } from "../../src/protocol/room-messages.ts";
import * as subjects from "../../src/protocol/subjects.ts";
import { FAMILIES, fieldsNotation, STRUCTURES } from "../support/protocol-families.ts";
import { hex, unhex } from "../support/vectors.ts";

const read = (name: string): string =>
  readFileSync(new URL(`../../src/protocol/${name}`, import.meta.url), "utf8");
const SPEC = read("SPEC.md");
const CLUSTER = read("CLUSTER-SPEC.md");
const squeezed = (text: string): string => text.replaceAll(/ +/g, " ");

describe("SPEC.md says what the code does", () => {
  it("[PR9] every message of every family is listed with its tag and fields", () => {
    const missing: string[] = [];
    for (const [name, { definitions }] of Object.entries(FAMILIES)) {
      const text = squeezed(name.includes("lient") ? SPEC : CLUSTER);
      for (const [type, [tag, fields]] of Object.entries(definitions)) {
        const row = squeezed(`| ${tag} | \`${type}\` | ${fieldsNotation(fields)} |`);
        if (!text.includes(row)) missing.push(`${name}: ${row}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("[PR12] no row of a message that the code does not have", () => {
    const known = Object.values(FAMILIES).flatMap(({ definitions }) =>
      Object.entries(definitions).map(([type, [tag]]) => `${tag} ${type}`),
    );
    const listed = [...`${SPEC}${CLUSTER}`.matchAll(/^\| (\d+) \| `([a-z]\w*)` \|/gm)].map(
      ([, tag, type]) => `${tag} ${type}`,
    );
    expect(listed.sort()).toEqual(known.sort());
  });

  it("[PR10] every structure is listed with its elements", () => {
    const rows = Object.entries(STRUCTURES).map(
      ([name, { fields }]) => `| \`${name}\` | (${fieldsNotation(fields)}) |`,
    );
    expect(rows.filter((row) => !`${SPEC}${CLUSTER}`.includes(row))).toEqual([]);
  });

  it("[PR37] every close code is listed, and its band says whether to reconnect", () => {
    for (const [name, { code, reason }] of Object.entries(CLOSE)) {
      expect(SPEC).toContain(`| ${code} | ${name} |`);
      expect(mayReconnect(code), name).toBe(code < 4500);
      expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(123);
    }
    expect([...SPEC.matchAll(/^\| 4\d\d\d \|/gm)]).toHaveLength(Object.keys(CLOSE).length);
    for (const code of [1000, 1001, 1006, 1011, 3000, 5000])
      expect(mayReconnect(code), `${code}`).toBe(true);
  });

  it("[PR31] every membership code, reply status and role is listed", () => {
    const code = (text: string): RegExp => new RegExp(`^\\| \`${text}\`( \\*)? \\|`, "m");
    for (const name of [...MEMBERSHIP_CODES, ...REPLY_STATUS]) expect(SPEC).toMatch(code(name));
    expect(SPEC).toContain(ROLES.join("/"));
  });

  it("[PR1] [PR3] [PR11] [PR28] the limits are those of the code", () => {
    const figures = [
      [`subprotocol \`${SUBPROTOCOL}\``],
      [`at most ${MESSAGES_PER_PAYLOAD_MAX} to a client`],
      [`This is version ${VERSION_MAX}.`],
      [`up to ${CHANNELS_MAX} memberships`],
      [`| command body | ${COMMAND_BODY_BYTES_MAX.toLocaleString("en")} bytes |`],
      [`| commands without reply | ${COMMANDS_IN_FLIGHT_MAX} |`],
      [`| members of a room | ${MEMBERS_MAX} |`],
      [`| state of a room | ${STATE_BYTES_MAX / 1024 ** 2} MiB |`],
    ].flat();
    expect(figures.filter((figure) => !SPEC.includes(figure))).toEqual([]);
    const run = (count: number) =>
      new Uint8Array(Array.from({ length: count }, () => [0x93, 3, 0, 0xc0]).flat());
    expect(clientToGateway.decode(run(64), 64).ok).toBe(true);
    expect(clientToGateway.decode(run(65), 64)).toEqual({ ok: false, error: "too_large" });
  });
});

describe("the bytes in SPEC.md", () => {
  const lines = [...SPEC.matchAll(/^(client|gateway) +(\w+) +([0-9a-f ]+)$/gm)].map(
    ([, from = "", type = "", bytes = ""]) => ({ from, type, bytes: unhex(bytes) }),
  );

  it("[PR2] [PR24] the session decodes line by line, and encodes to the same bytes", () => {
    expect(lines.length).toBeGreaterThanOrEqual(12);
    for (const { from, type, bytes } of lines) {
      const kind = bytes[0] as number;
      if (type === "pose") expect(kind).toBe(POSE_KIND);
      else if (type === "frame") expect(kind).toBe(FRAME_KIND);
      else {
        expect(kind >= 0x90 && (kind <= 0x9f || kind === 0xdc)).toBe(true);
        const family = FAMILIES[from === "client" ? "clientToGateway" : "gatewayToClient"];
        const messages = family?.decode(bytes, 64);
        if (!family || !messages?.ok) throw new Error(`${type} does not decode`);
        expect(messages.value.map((message) => message.type)).toEqual([type]);
        expect(messages.value.map((message) => hex(family.encode(message)))).toEqual([hex(bytes)]);
      }
    }
  });

  it("[PR23] [PR24] the frame has one row, record 10 and reply 1, in that order", () => {
    const bytes = lines.find(({ type }) => type === "frame")?.bytes ?? new Uint8Array();
    const frame = decodeFrame(bytes);
    if (!frame.ok) throw new Error("the frame does not decode");
    expect(frame.value.epoch).toBe(epochAt(1, 258));
    expect(frame.value.rows).toHaveLength(4);
    expect(frame.value.messages.map(({ type }) => type)).toEqual(["record", "reply"]);
    expect(SPEC).toContain(hex(bytes.subarray(32, 48)).replaceAll(/../g, "$& ").trim());
  });

  it("[PR5] four spellings of the number 5", () => {
    const spellings = SPEC.match(/\*\*PR5\*\*[^:]*: (.*) are the same 5/)?.[1] ?? "";
    const all = [...spellings.matchAll(/`([0-9a-f ]+)`/g)].map(([, bytes = ""]) => unhex(bytes));
    expect(all).toHaveLength(4);
    for (const bytes of all) expect(decode(bytes)).toEqual({ ok: true, value: 5 });
  });

  it("[PR9] a leave of channel 0 is [3, 0, null]", () => {
    const leave = { type: "leave", channel: 0, transfer: null } as const;
    expect(hex(clientToGateway.encode(leave))).toBe(hex(encode([3, 0, null])));
  });
});

describe("CLUSTER-SPEC.md", () => {
  const process = processId("n-1.0123456789abcdef");
  const room = roomId("acme/hall");

  it("[PR40] every subject is listed", () => {
    const built: Record<string, string> = {
      "d.n.<process>.in": subjects.nodeInbox(process),
      "d.g.<process>.out": subjects.gatewayInbox(process),
      "c.hb.n.<process>": subjects.nodeBeat(process),
      "c.hb.g.<process>": subjects.gatewayBeat(process),
      "c.hb.p.<process>": subjects.placementBeat(process),
      "c.route.<process>": subjects.routes(process),
      "c.place.req": subjects.PLACE_REQUEST,
      "c.n.<process>.ctl": subjects.nodeControl(process),
      "c.n.<process>.ping": subjects.nodePing(process),
      "c.n.<process>.echo": subjects.nodeEcho(process),
      "c.g.<process>.ctl": subjects.gatewayControl(process),
      "jrn.<generation>.<shard>.<tenant>.<name>": subjects.journalSubject(7, room),
      "snp.<tenant>.<name>.<index>.<digest>.<chunk>": subjects.snapshotSubject(room, 9, "d1", 2),
      "c.idx": subjects.INDEX_HINTS,
    };
    const values: Record<string, string> = {
      process,
      tenant: "acme",
      name: "hall",
      generation: "7",
      shard: `${subjects.journalShard(room)}`,
      index: "9",
      digest: "d1",
      chunk: "2",
    };
    for (const [pattern, subject] of Object.entries(built)) {
      expect(CLUSTER).toContain(`\`${pattern}\``);
      expect(subject).toBe(pattern.replaceAll(/<(\w+)>/g, (_, name: string) => values[name] ?? ""));
    }
    expect(subjects.roomOfTokens(subjects.journalSubject(7, room))).toBe(room);
    expect(subjects.roomOfTokens(subjects.indexKey(room))).toBe(room);
  });

  it("[PR41] shards are FNV-1a of the room id modulo 8", () => {
    // The definition of the hash, in whole numbers of any size.
    const shardOf = (text: string): number => {
      let hash = 0x811c9dc5n;
      for (const byte of new TextEncoder().encode(text))
        hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
      return Number(hash % 8n);
    };
    const rooms = Array.from({ length: 400 }, (_, i) => roomId(`tenant-${i % 7}/room-${i}`));
    for (const each of rooms) expect(subjects.journalShard(each)).toBe(shardOf(each));
    expect(new Set(rooms.map(subjects.journalShard)).size).toBe(8);
  });

  it("[PR42] a liveness connection tells its process", () => {
    expect(subjects.processOfLiveness(subjects.livenessConnection(process))).toBe(process);
    for (const name of ["", "live:", "live:n", `${process}`, `xlive:${process}`])
      expect(subjects.processOfLiveness(name)).toBeUndefined();
  });

  it("[PR45] none, several and unknown messages are no control message", () => {
    const echo = control.encode({ type: "echo", stamp: 1 });
    expect(decodeControl(echo)).toEqual({ type: "echo", stamp: 1 });
    expect(decodeControl(new Uint8Array())).toBeUndefined();
    expect(decodeControl(new Uint8Array([...echo, ...echo]))).toBeUndefined();
    expect(decodeControl(encode([99, 1]))).toBeUndefined();
  });

  it("[PR47] an epoch is generation and sequence in one safe integer", () => {
    expect(epochAt(3, 17)).toBe(3 * 2 ** 40 + 17);
    expect(epochGeneration(epochAt(3, 17))).toBe(3);
    expect(epochAt(8191, 2 ** 40 - 1)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("[PR44] every message between gateway and room starts with room and epoch", () => {
    for (const name of ["gatewayToRoom", "roomToGateway"])
      for (const [, fields] of Object.values(FAMILIES[name]?.definitions ?? {}))
        expect(Object.keys(fields).slice(0, 2)).toEqual(["room", "epoch"]);
    expect(Object.keys(gatewayToClient.definitions.epoch[1])).toEqual(["channel", "epoch"]);
  });
});
