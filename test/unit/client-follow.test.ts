import { describe, expect, it } from "vitest";
import { Client } from "../../src/client/client.ts";
import { clientDefaults } from "../../src/client/limits.ts";
import type { Room } from "../../src/client/room.ts";
import { personId } from "../../src/kernel/ids.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { at, inRoom, joined, LATER, member, record, snapshot } from "../support/fake-gateway.ts";
import { MemoryStack } from "../support/memory-stack.ts";

const seat = (slot: number, generation = 0) => ({ slot, generation });
const others = (...slots: number[]) => slots.map((slot) => member(slot));

/** In a room with the members 0 to 3, at a frame that finds everything there. */
async function among() {
  const harness = await inRoom();
  const { gateways } = harness;
  const tell = gateways.last;
  tell.tell(record(11, { joined: others(1, 2, 3) }));
  return { ...harness, socket: gateways.last };
}

describe("follow", () => {
  it("[CL48] [PR57] is told once the replica is up to date, and answers whom", async () => {
    const { room, socket, clock } = await among();
    const named = [seat(1), seat(2), seat(1), seat(3, 9), seat(50)];
    expect(room.follow(named).map(({ slot }) => slot)).toEqual([1, 2]);
    expect(socket.all("follow")).toEqual([]);
    socket.frame({ tick: 1, at: 0, index: 11 });
    expect(socket.take("follow")).toMatchObject([{ channel: 0, members: [seat(1), seat(2)] }]);
    clock.advance(1_000);
    socket.frame({ tick: 2, at: 0, index: 11 });
    expect(socket.all("follow")).toEqual([]);
    expect(room.follow([seat(3)])).toMatchObject([{ slot: 3, person: "person-3-0" }]);
    expect(room.follow([])).toEqual([]);
    expect(socket.take("follow").map(({ members }) => members)).toEqual([[seat(3)], []]);
  });

  it("[CL48] takes as many as it may, and keeps to the pace: the latest list goes out", async () => {
    const { room, socket, clock } = await among();
    const crowd = Array.from({ length: 20 }, (_, i) => member(i + 10));
    socket.tell(record(12, { joined: crowd }));
    socket.frame({ tick: 1, at: 0, index: 12 });
    expect(room.follow(crowd)).toHaveLength(clientDefaults.followedMax);
    for (let n = 0; n < 100; n++) room.follow([seat(10 + (n % 20))]);
    expect(socket.all("follow").length).toBeLessThanOrEqual(clientDefaults.signalsBurst + 1);
    clock.advance(1_000);
    socket.take("follow");
    socket.frame({ tick: 2, at: 0, index: 12 });
    expect(socket.take("follow")).toMatchObject([{ members: [seat(29)] }]);
  });

  it("[CL48] [PR57] each attach is told anew, without who has left or whose seat another has", async () => {
    const { room, socket, gateways, clock } = await among();
    socket.frame({ tick: 1, at: 0, index: 11 });
    room.follow(others(1, 2, 3));
    socket.drop();
    await clock.run(2_000, 20);
    const next = gateways.last;
    expect(next).not.toBe(socket);
    // Meanwhile 1 has left, and somebody else has the very seat of 2.
    const another = { ...member(2), person: personId("another") };
    next.tell(joined({ attach: 2, replayed: true }), record(12, { left: [seat(1), seat(2)] }));
    next.frame({
      tick: 1,
      at: 0,
      epoch: LATER,
      index: 13,
      messages: [record(13, { joined: [another] }, LATER)],
    });
    expect(next.take("follow")).toMatchObject([{ members: [seat(3)] }]);
    // A snapshot of another history tells it too, and the same socket may say joined again.
    next.tell(joined({ attach: 2 }));
    next.frame({ tick: 2, at: 0, epoch: LATER, index: 13 });
    expect(next.take("follow")).toMatchObject([{ members: [seat(3)] }]);
    next.tell(
      joined({ attach: 2 }),
      snapshot({
        epoch: LATER,
        index: 20,
        members: [member(0), { ...member(3), person: personId("another") }],
      }),
    );
    next.frame({ tick: 3, at: 0, epoch: LATER, index: 20 });
    expect(next.take("follow")).toMatchObject([{ members: [] }]);
    next.tell(joined({ attach: 2 }));
    next.frame({ tick: 4, at: 0, epoch: LATER, index: 20 });
    expect(next.take("follow")).toEqual([]);
  });

  it("[CL48] nothing is told over a hole, and what is named while away is told afterwards", async () => {
    const { room, socket, gateways, clock } = await among();
    socket.drop();
    room.follow([seat(2)]);
    await clock.run(2_000, 20);
    const next = gateways.last;
    next.tell(joined({ attach: 2, replayed: true }));
    next.frame({ tick: 1, at: 0, index: 12 });
    expect(next.all("follow")).toEqual([]);
    next.tell(record(12));
    next.frame({ tick: 2, at: 0, index: 12 });
    expect(next.take("follow")).toMatchObject([{ members: [seat(2)] }]);
  });

  it("[CL23] [PR58] rows that ride a frame are rows of it", async () => {
    const { room, socket } = await among();
    const row = (x: number, slot: number) => ({ slot, pose: at(x) });
    socket.frame({ tick: 1, at: 100, index: 11, rows: [row(1, 1)], tail: [row(5, 2), row(7, 60)] });
    const shown = [...room.poses(Number.POSITIVE_INFINITY)];
    expect(shown.map(({ member: { slot }, pose }) => [slot, pose.x])).toEqual([
      [1, 1],
      [2, 5],
    ]);
    // Without a frame nobody knows when that was.
    socket.tell({ type: "rows", rows: new Uint8Array(16) });
    expect(room.ended).toBe(false);
  });
});

const PEOPLE = 14;

/** A crowd of real clients on real gateways and rooms: who walks where only few are near. */
class Square {
  readonly stack = new MemoryStack(47);
  readonly rooms = new Map<string, Room>();
  /** Around the square; who is next to somebody is seen by them anyway. */
  readonly places = new Map<string, number>();
  readonly clients: Client[] = [];
  readonly urls: string[];
  #tick = 0;

  constructor() {
    const few = { frameBytesPerSecond: 0 };
    this.urls = [this.stack.gateway("gw-a", few), this.stack.gateway("gw-b", few)];
    this.stack.place(0);
  }

  async enter(name: string, urls: readonly string[] = this.urls): Promise<Room> {
    const { harness, transport } = this.stack;
    const client = new Client({
      urls,
      token: name,
      agent: "test",
      transport,
      clock: harness.clock,
      random: seededRandom(this.clients.length + 1),
    });
    this.clients.push(client);
    const joining = client.opened.then(() =>
      client.join("plaza", { profile: { name, color: 1, model: "m" }, poseHz: 20 }),
    );
    await harness.run(400);
    const room = await joining;
    this.rooms.set(name, room);
    this.places.set(name, this.places.get(name) ?? this.places.size);
    return room;
  }

  /** Everybody walks, each around a place of their own; `ms` in steps of a tick. */
  async walk(ms: number): Promise<void> {
    for (const until = this.#tick + ms / 50; this.#tick < until; this.#tick++) {
      for (const [name, room] of this.rooms) {
        const around = ((this.places.get(name) ?? 0) / PEOPLE) * 2 * Math.PI;
        const [x, z] = [Math.sin(around) * 55, Math.cos(around) * 55];
        if (!room.ended) room.setPose(at(x + (this.#tick % 8) * 0.1, z));
      }
      await this.stack.harness.run(50);
    }
  }

  /** In what share of the frames of one somebody else is seen where they were not before. */
  async seen(by: string, whom: string, ms: number): Promise<number> {
    const room = this.rooms.get(by) as Room;
    let [frames, moves, last] = [0, 0, Number.NaN];
    const off = room.on("frame", ({ accepted }) => {
      if (!accepted) return;
      frames++;
      for (const { member: shown, pose } of room.poses(Number.POSITIVE_INFINITY)) {
        if (shown.person !== whom) continue;
        if (pose.x !== last) moves++;
        last = pose.x;
      }
    });
    await this.walk(ms);
    off();
    expect(frames, "frames that came").toBeGreaterThan(ms / 100);
    return moves / frames;
  }
}

const ALWAYS = 0.85;
const SOMETIMES = 0.6;

describe("a crowd of clients", () => {
  it("[GW57] [GW58] [CL48] sees whom it follows everywhere, whatever dies on the way", async () => {
    const square = new Square();
    const { stack } = square;
    const [first = "", second = ""] = square.urls;
    await square.enter("ada", [first, second]);
    for (let n = 1; n < PEOPLE; n++) await square.enter(`p${n}`, [second, first]);
    const ada = square.rooms.get("ada") as Room;
    const friend = "p7";
    const follow = () => [...ada.members.values()].filter(({ person }) => person === friend);
    expect(await square.seen("ada", friend, 3_000)).toBeLessThan(SOMETIMES);
    expect(ada.follow(follow())).toHaveLength(1);
    await square.walk(200);
    expect(await square.seen("ada", friend, 3_000)).toBeGreaterThan(ALWAYS);
    expect(await square.seen("p3", friend, 3_000)).toBeLessThan(SOMETIMES);
    stack.place(1);
    await square.walk(1_500);
    expect(await square.seen("ada", friend, 3_000)).toBeGreaterThan(ALWAYS);
    stack.kill(first);
    await square.walk(3_000);
    expect(await square.seen("ada", friend, 3_000)).toBeGreaterThan(ALWAYS);
    // Whoever gets the seat next is not followed.
    const left = square.rooms.get(friend)?.leave();
    await square.walk(500);
    await left;
    square.rooms.delete(friend);
    square.places.set("newcomer", square.places.get(friend) as number);
    await square.enter("newcomer", [second]);
    await square.walk(500);
    expect(await square.seen("ada", "newcomer", 3_000)).toBeLessThan(SOMETIMES);
    for (const client of square.clients) client.close();
  });

  it("[GW56] [RG10] looks at who says something in the plaza", async () => {
    const square = new Square();
    for (let n = 0; n < PEOPLE; n++) await square.enter(`p${n}`);
    expect(await square.seen("p1", "p8", 3_000)).toBeLessThan(SOMETIMES);
    const said = square.rooms.get("p8")?.command("say", { text: "look here" });
    await square.walk(200);
    await said;
    expect(await square.seen("p1", "p8", 4_000)).toBeGreaterThan(ALWAYS);
    await square.walk(3_000);
    expect(await square.seen("p1", "p8", 3_000)).toBeLessThan(SOMETIMES);
    for (const client of square.clients) client.close();
  });
});
