import { expect, test } from "vitest";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { sessionId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { randomBelow, seededRandom } from "../../src/kernel/random.ts";
import { Crowd } from "../../src/load/crowd.ts";
import { Walker } from "../../src/load/walker.ts";
import { plazaScript } from "../../src/load/world-script.ts";
import type { ClientMessage, GatewayMessage } from "../../src/protocol/client-messages.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import { applyPatches, type Patch } from "../../src/protocol/patches.ts";
import {
  FakeGateways,
  type FakeSocket,
  joined,
  member,
  record,
  settle,
  snapshot,
} from "../support/fake-gateway.ts";

const SEED = 20;

/** What a broken cluster would do. Bots must find each, and imagine none. */
type Fault = "none" | "double" | "lose" | "ghost" | "tick" | "epoch" | "hole" | "end";

interface Seat {
  readonly socket: FakeSocket;
  readonly channel: number;
  readonly slot: number;
  last: number;
}

const left = (channel: number, code: "kicked" | "superseded"): GatewayMessage => ({
  type: "left",
  channel,
  code,
  reason: "",
  transfer: null,
});

/** A room of the demo world, exactly as durable as one process: enough to see bots work in. */
class FakePlaza {
  readonly gateways: FakeGateways;
  readonly faults = new Map<Fault, number>();
  readonly #clock: ManualClock;
  readonly #random = seededRandom(SEED);
  readonly #seats = new Map<FakeSocket, Seat>();
  readonly state = {
    items: {
      lamp: { kind: "lamp", x: 2, y: 0, z: 2, yaw: 0, holder: null as number | null },
      cube: { kind: "cube", x: -4, y: 0, z: 6, yaw: 0, holder: null as number | null },
    } as Record<string, { x: number; z: number; holder: number | null }>,
    chat: {} as Record<string, unknown>,
  };
  #index = 1;
  #said = 0;
  #tick = 0;
  #epoch: Epoch = epochAt(1, 50);
  readonly #fault: Fault;

  constructor(clock: ManualClock, fault: Fault) {
    this.#clock = clock;
    this.#fault = fault;
    this.gateways = new FakeGateways({ script: (socket, message) => this.#hear(socket, message) });
    clock.every(100, () => this.#frame());
  }

  takeOver(): void {
    this.#epoch = epochAt(1, 50 + this.#index * 10);
    this.#tick = 0;
  }

  dropEveryone(): void {
    for (const socket of [...this.#seats.keys()]) socket.drop(1006, "cut");
  }

  #hear(socket: FakeSocket, message: ClientMessage): void {
    if (message.type === "join") this.#join(socket, message);
    if (message.type === "leave") {
      this.#seats.delete(socket);
      const { channel, transfer } = message;
      socket.tell({ type: "left", channel, code: "left", reason: "", transfer });
    }
    if (message.type === "command") this.#command(socket, message);
  }

  #join(socket: FakeSocket, join: Extract<ClientMessage, { type: "join" }>): void {
    const slot = join.session ? Number(join.session) : this.#seats.size;
    const before = [...this.#seats.values()].find((seat) => seat.slot === slot);
    const { attach, channel } = join;
    if (before) this.#seats.delete(before.socket);
    const seat: Seat = { socket, channel, slot, last: before?.last ?? 0 };
    this.#seats.set(socket, seat);
    const session = sessionId(String(slot).padStart(22, "x"));
    const token = String(slot);
    const members = [...this.#seats.values()].map((other) => member(other.slot));
    socket.tell(
      joined({ channel, attach, slot, session, token, seq: seat.last }),
      snapshot({
        channel,
        epoch: this.#epoch,
        index: this.#index,
        state: structuredClone(this.state),
        members,
      }),
    );
    if (before) before.socket.tell(left(before.channel, "superseded"));
  }

  #command(socket: FakeSocket, command: Extract<ClientMessage, { type: "command" }>): void {
    const seat = this.#seats.get(socket);
    if (!seat || command.seq !== seat.last + 1) return;
    seat.last = command.seq;
    const body = decode(command.body);
    const patches = body.ok ? this.#decide(command.name, body.value, seat.slot) : undefined;
    const { channel, seq } = command;
    const tell = (status: string): void =>
      socket.tell({ type: "reply", channel, seq, status, data: null, index: this.#index });
    const say = command.name === "say";
    if (say && this.#strikes("lose")) return tell("ok");
    if (say && this.#strikes("ghost")) {
      this.#publish(patches ?? []);
      return tell("forbidden");
    }
    if (patches === undefined) return tell("held");
    this.#publish(patches);
    if (say && this.#strikes("double")) this.#publish(patches);
    tell("ok");
  }

  #decide(name: string, body: unknown, slot: number): Patch[] | undefined {
    const { text, item = "", x, z } = body as { text: string; item: string; x: number; z: number };
    const { person } = member(slot);
    if (name === "say") return [[0, ["chat", String(++this.#said)], { text, slot, person }]];
    const holder = this.state.items[item]?.holder;
    const path = (field: string): string[] => ["items", item, field];
    if (name === "grab") return holder === null ? [[0, path("holder"), slot]] : undefined;
    if (holder !== slot) return undefined;
    return [
      [0, path("x"), x],
      [0, path("z"), z],
      [0, path("holder"), null],
    ];
  }

  #publish(patches: readonly Patch[]): void {
    expect(applyPatches(this.state, structuredClone(patches) as Patch[])).toBe(true);
    this.#index++;
    const skip = this.#strikes("hole");
    const seats = [...this.#seats.keys()];
    const unlucky = skip ? seats[randomBelow(this.#random, seats.length)] : undefined;
    for (const { socket, channel } of this.#seats.values())
      if (socket !== unlucky) socket.tell(record(this.#index, { patches }, this.#epoch, channel));
  }

  #frame(): void {
    this.#tick++;
    const tick = this.#strikes("tick") ? this.#tick - 1 : this.#tick;
    const lower = this.#strikes("epoch");
    const epoch = lower ? epochAt(1, 49) : this.#epoch;
    for (const { socket, channel } of this.#seats.values())
      socket.frame({ channel, tick, at: this.#clock.now(), epoch, index: this.#index });
    if (this.#strikes("end")) {
      const [seat] = this.#seats.values();
      seat?.socket.tell(left(seat.channel, "kicked"));
      if (seat) this.#seats.delete(seat.socket);
    }
  }

  #strikes(fault: Fault): boolean {
    if (this.#fault !== fault || this.#random.next() > 0.1) return false;
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    return true;
  }
}

async function crowdOf(bots: number, fault: Fault) {
  const clock = new ManualClock();
  const plaza = new FakePlaza(clock, fault);
  const crowd = new Crowd({
    urls: ["ws://a", "ws://b"],
    token: async (person) => `jwt of ${person}`,
    bots,
    startsPerSecond: 20,
    clock,
    random: seededRandom(SEED),
    transport: plaza.gateways,
    habits: { sayMs: 2_000, emoteMs: 3_000, grabMs: 3_000, carryMs: 2_000 },
  });
  return { clock, plaza, crowd };
}

const bad = (report: ReturnType<Crowd["report"]>) => {
  const { lost, doubled, ghosts, regressed, ended } = report;
  return { lost, doubled, ghosts, regressed, ended };
};
const CLEAN = { lost: 0, doubled: 0, ghosts: 0, regressed: 0, ended: 0 };

test("[LD9] a sound room is found sound, through a takeover and a cut of all sockets", async () => {
  const { clock, plaza, crowd } = await crowdOf(8, "none");
  await clock.run(300, 50);
  expect(crowd.ready, "the ramp takes 400 ms").toBe(false);
  await clock.run(2_000, 50);
  expect(crowd.ready, JSON.stringify(crowd.report())).toBe(true);
  await clock.run(40_000, 50);
  plaza.takeOver();
  await clock.run(5_000, 50);
  plaza.dropEveryone();
  await clock.run(40_000, 50);
  const report = crowd.report();
  expect(bad(report), JSON.stringify(report)).toEqual(CLEAN);
  expect(report).toMatchObject({ bots: 8, waiting: 0, failures: {}, reconnects: 8, unknown: 0 });
  expect(report.commands).toBeGreaterThan(250);
  expect(report.refused, "two bots want one lamp now and then").toBeGreaterThan(0);
  expect(report.frames).toBeGreaterThan(6_000);
  expect(report.latency.count).toBeGreaterThan(250);
  expect(report.frameGap.p50).toBeCloseTo(100, -1);
  expect(Object.values(plaza.state.items).some(({ x }) => x !== 2 && x !== -4)).toBe(true);
  const stopped = crowd.stop();
  await settle();
  await stopped;
  expect(bad(crowd.report())).toEqual(CLEAN);
});

const found: Record<Exclude<Fault, "none" | "hole">, keyof typeof CLEAN> = {
  double: "doubled",
  lose: "lost",
  ghost: "ghosts",
  tick: "regressed",
  epoch: "regressed",
  end: "ended",
};

test.each(
  Object.entries(found),
)("[LD2] [LD3] [LD4] [LD5] [LD6] [LD7] a room with the fault %s is found out as %s", async (name, count) => {
  const fault = name as Fault;
  const { clock, plaza, crowd } = await crowdOf(6, fault);
  await clock.run(30_000, 50);
  const struck = plaza.faults.get(fault) ?? 0;
  expect(struck, `seed ${SEED}: the fault must have fired`).toBeGreaterThan(2);
  const report = crowd.report();
  expect(bad(report)[count], JSON.stringify(report)).toBeGreaterThanOrEqual(
    fault === "end" ? 3 : struck,
  );
  const others = { ...bad(report), [count]: 0 };
  expect(others, JSON.stringify(report)).toEqual(CLEAN);
});

test("[LD8] a hole is repaired by a snapshot, counted, and not called a loss", async () => {
  const { clock, plaza, crowd } = await crowdOf(6, "hole");
  await clock.run(60_000, 50);
  const report = crowd.report();
  expect(plaza.faults.get("hole") ?? 0).toBeGreaterThan(3);
  expect(report.holes).toBeGreaterThan(3);
  expect(bad(report), JSON.stringify(report)).toEqual(CLEAN);
});

test("[LD10] a crowd tells who could not come in", async () => {
  const clock = new ManualClock();
  const gateways = new FakeGateways({
    script: (socket, message) => {
      if (message.type === "join")
        socket.tell({
          type: "refused",
          channel: message.channel,
          code: "room_closed",
          message: "",
          retryAfterMs: null,
        });
    },
  });
  const token = async (): Promise<string> => "jwt";
  const random = seededRandom(SEED);
  const crowd = new Crowd({ urls: ["ws://a"], token, bots: 3, clock, random, transport: gateways });
  await clock.run(1_000, 50);
  expect(crowd.report()).toMatchObject({
    bots: 0,
    waiting: 0,
    failures: { "join refused: room_closed": 3 },
  });
  expect(gateways.sockets.every(({ over }) => over)).toBe(true);
});

test("[LD1] people walk at the pace of people, within their area, and do not stand still for ever", () => {
  const { area } = plazaScript;
  for (let seed = 1; seed <= 10; seed++) {
    const walker = new Walker(seededRandom(seed), area);
    let { x, z } = walker;
    let walked = 0;
    let rested = 0;
    for (let i = 0; i < 3_000; i++) {
      const pose = walker.step(100);
      const step = Math.hypot(pose.x - x, pose.z - z);
      expect(step).toBeLessThan(0.33);
      expect(Math.hypot(pose.x - area.x, pose.z - area.z)).toBeLessThan(area.radiusM + 1);
      walked += step;
      if (step === 0) rested++;
      ({ x, z } = pose);
    }
    expect(walked, `seed ${seed}`).toBeGreaterThan(100);
    expect(rested, `seed ${seed}`).toBeGreaterThan(200);
  }
});

test("[LD1] somebody sent somewhere gets there and waits", () => {
  const walker = new Walker(seededRandom(4), plazaScript.area);
  walker.goTo(7, -3);
  for (let i = 0; i < 600; i++) walker.step(100);
  expect(walker.arrived).toBe(true);
  expect(Math.hypot(walker.x - 7, walker.z + 3)).toBeLessThan(0.2);
  walker.release();
  for (let i = 0; i < 300; i++) walker.step(100);
  expect(Math.hypot(walker.x - 7, walker.z + 3)).toBeGreaterThan(0.5);
});
