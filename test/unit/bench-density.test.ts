import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Percentiles } from "../../src/load/percentiles.ts";
import type { Talk } from "../bench/density/dialect.ts";
import { LightSocket } from "../bench/density/light-socket.ts";
import { ageOf, poseOf, STAMPS, type Steps } from "../bench/density/motion.ts";
import { Witness } from "../bench/density/witness.ts";
import type { Work } from "../bench/density/work.ts";
import { waitUntil } from "../support/wait-until.ts";

const WORK: Work = { name: "rooms50", rooms: 1, roomSize: 4, moversOfTen: 10 };

/** A talk whose payloads are no bytes, but the rows to be told. */
const telling = (rows: readonly (readonly [key: number, steps: Steps])[]): Talk => ({
  path: "/",
  joined: true,
  opened: () => [],
  hear: () => "update",
  pose: () => "",
  decode: (_payload, row) => {
    for (const [key, steps] of rows) row(key, steps);
  },
});

function witnessOf(...ticks: (readonly (readonly [number, Steps])[])[]) {
  const witness = new Witness(WORK, 0, new Percentiles());
  witness.begin();
  for (const rows of ticks) witness.hear(telling(rows), Buffer.alloc(0), 1);
  return witness.report();
}

describe("what a witness sees", () => {
  it("new poses of others, each once", () => {
    const first = [1, 2, 3].map((person) => [person + 7, poseOf(person, 100)] as const);
    const second = [1, 2].map((person) => [person + 7, poseOf(person, 300)] as const);
    expect(witnessOf(first, first, second)).toEqual({
      movers: 3,
      fresh: 5,
      freshLeast: 1,
      rows: 8,
      wrong: 0,
    });
  });

  it("nobody seen counts as seen never, and the own row counts for nothing", () => {
    const report = witnessOf([
      [7, poseOf(0, 100)],
      [8, poseOf(1, 100)],
    ]);
    expect(report).toMatchObject({ movers: 3, fresh: 1, freshLeast: 0 });
  });

  it("any field that was changed on the way", () => {
    const sent = poseOf(2, 4_711);
    for (const field of Object.keys(sent) as (keyof Steps)[]) {
      const { wrong, fresh } = witnessOf([[9, { ...sent, [field]: sent[field] + 1 }]]);
      expect({ field, wrong, fresh }).toEqual({ field, wrong: 1, fresh: 0 });
    }
  });

  it("a row under the name of somebody else", () => {
    const { wrong } = witnessOf([[8, poseOf(1, 100)]], [[8, poseOf(2, 300)]]);
    expect(wrong).toBe(1);
  });
});

it("a stamp tells its age, also after it has wrapped", () => {
  expect(ageOf(100, 60)).toBe(10);
  expect(ageOf(STAMPS - 20, STAMPS / 2 + 5)).toBe(15);
});

describe("the light client", () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** A server that says `bytes` in pieces, once it was asked; answers what it then hears. */
  async function heard(bytes: Buffer, pieceBytes: number) {
    const server = createServer();
    closers.push(() => server.close());
    const answered: Buffer[] = [];
    server.on("connection", (socket: Socket) => {
      closers.push(() => socket.destroy());
      socket.setNoDelay(true);
      socket.once("data", async () => {
        socket.on("data", (data) => answered.push(data));
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          socket.write(bytes.subarray(at, at + pieceBytes));
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const port = (server.address() as { port: number }).port;
    const messages: string[] = [];
    let closed: string | undefined;
    const client = new LightSocket(
      { host: "127.0.0.1", port },
      { path: "/", subprotocol: undefined },
      {
        opened: () => undefined,
        message: (text, payload) => messages.push(`${text ? "text" : "binary"} ${payload}`),
        closed: (why) => {
          closed = why;
        },
      },
    );
    closers.push(() => client.destroy());
    await waitUntil("the server's close is heard", () => closed !== undefined);
    return { messages, closed, bytes: client.bytes, answered: Buffer.concat(answered) };
  }

  const frame = (first: number, body: string): Buffer => {
    const { length } = body;
    const head = length < 126 ? [first, length] : [first, 126, length >> 8, length & 0xff];
    return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
  };
  const long = "x".repeat(300);
  const said = Buffer.concat([
    Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    frame(0x82, "one"),
    frame(0x89, "ping"),
    frame(0x82, long),
    frame(0x81, "two"),
    Buffer.from([0x88, 2, 0x03, 0xe8]),
  ]);

  it("hands out messages whole, however they are cut, and answers pings", async () => {
    for (const pieceBytes of [1, 7, 1000]) {
      const { messages, closed, bytes, answered } = await heard(said, pieceBytes);
      expect(messages).toEqual(["binary one", `binary ${long}`, "text two"]);
      expect(closed).toBe("closed with 1000");
      expect(bytes).toBe(said.length);
      expect([answered[0], answered[1]]).toEqual([0x8a, 0x84]);
    }
  });

  it("says why it was not let in", async () => {
    const { closed } = await heard(Buffer.from("HTTP/1.1 503 Service Unavailable\r\n\r\n"), 1000);
    expect(closed).toBe("HTTP/1.1 503 Service Unavailable");
  });
});
