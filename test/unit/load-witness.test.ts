import { expect, test } from "vitest";
import { epochAt } from "../../src/kernel/epoch.ts";
import { personId, sessionId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import type { Bot, CommandTold } from "../../src/load/bot.ts";
import { Crowd } from "../../src/load/crowd.ts";
import { auditLedger, ledgerScript, ledgerToken } from "../../src/load/ledger-script.ts";
import type { ClientMessage } from "../../src/protocol/client-messages.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import type { Patch } from "../../src/protocol/patches.ts";
import {
  FakeGateways,
  type FakeSocket,
  joined,
  member,
  record,
  snapshot,
} from "../support/fake-gateway.ts";

const TICK_MS = 100;
const PERSON = "ada-1";

/** One person's ledger behind a gateway that can be taken over, fall silent and break. */
class FakeLedger {
  readonly clock = new ManualClock();
  readonly gateways = new FakeGateways({
    script: (socket, message) => this.#hear(socket, message),
  });
  readonly tokens: Record<string, number> = {};
  /** Commands that are not answered until somebody says so. */
  readonly held: (() => void)[] = [];
  holding = false;
  copies = 1;
  #socket: FakeSocket | undefined;
  #channel = 0;
  #epoch = epochAt(1, 50);
  #index = 1;
  #tick = 0;

  constructor() {
    this.clock.every(TICK_MS, () => this.frame());
  }

  frame(tick = ++this.#tick): void {
    const { clock } = this;
    const [channel, epoch, index] = [this.#channel, this.#epoch, this.#index];
    this.#socket?.frame({ channel, tick, at: clock.now(), epoch, index });
  }

  takeOver(): void {
    this.#epoch = epochAt(1, 60 + this.#index);
    this.#tick = 0;
  }

  cut(): void {
    this.#socket?.drop(1006, "cut");
    this.#socket = undefined;
  }

  #hear(socket: FakeSocket, message: ClientMessage): void {
    if (message.type === "join") {
      this.#socket = socket;
      this.#channel = message.channel;
      const { attach, channel } = message;
      const state = { tokens: [{ ...this.tokens }] };
      const [epoch, index] = [this.#epoch, this.#index];
      const seq = Object.keys(this.tokens).length;
      socket.tell(
        joined({ channel, attach, slot: 0, session: sessionId("x".repeat(22)), token: "0", seq }),
        snapshot({
          channel,
          epoch,
          index,
          state,
          members: [{ ...member(0), person: personId(PERSON) }],
        }),
      );
    }
    if (message.type === "leave")
      socket.tell({
        type: "left",
        channel: message.channel,
        code: "left",
        reason: "",
        transfer: message.transfer,
      });
    if (message.type !== "command") return;
    const body = decode(message.body);
    const token = body.ok ? (body.value as { token: string }).token : "";
    const { channel, seq } = message;
    const answer = (): void => {
      for (let copy = 0; copy < this.copies; copy++) {
        this.tokens[token] = (this.tokens[token] ?? 0) + 1;
        const patch: Patch = [0, ["tokens", 0, token], this.tokens[token]];
        socket.tell(record(++this.#index, { patches: [patch] }, this.#epoch, channel));
      }
      socket.tell({ type: "reply", channel, seq, status: "ok", data: null, index: this.#index });
    };
    if (this.holding) this.held.push(answer);
    else answer();
  }
}

interface Told {
  readonly fresh: number[];
  readonly commands: CommandTold[];
  readonly cuts: (number | null)[];
  readonly found: string[];
}

async function oneBot() {
  const ledger = new FakeLedger();
  const told: Told = { fresh: [], commands: [], cuts: [], found: [] };
  const crowd = new Crowd({
    urls: ["ws://a"],
    token: async () => "jwt",
    bots: 1,
    prefix: "ada",
    world: ledgerScript("hall"),
    habits: { sayMs: 1_000, grabMs: Number.POSITIVE_INFINITY, emoteMs: Number.POSITIVE_INFINITY },
    clock: ledger.clock,
    random: seededRandom(4),
    transport: ledger.gateways,
    witness: {
      fresh: (_bot: Bot, epoch) => told.fresh.push(epoch),
      command: (_bot, command) => told.commands.push(command),
      cut: (_bot, code) => told.cuts.push(code),
      found: (_bot, what) => told.found.push(what),
    },
  });
  await ledger.clock.run(3_000, 50);
  expect(crowd.ready, JSON.stringify(crowd.report())).toBe(true);
  return { crowd, ledger, told };
}

test("[LD12] a witness hears of an owner's first frame once, and of commands that met a takeover", async () => {
  const { crowd, ledger, told } = await oneBot();
  await ledger.clock.run(5_000, 50);
  expect(told.fresh).toEqual([]);
  expect(told.commands.length).toBeGreaterThan(2);
  expect(told.commands.every(({ moved, outcome }) => !moved && outcome === "acked")).toBe(true);
  ledger.holding = true;
  await ledger.clock.run(3_000, 50);
  const before = told.commands.length;
  expect(ledger.held.length).toBeGreaterThan(0);
  ledger.takeOver();
  await ledger.clock.run(300, 50);
  expect(told.fresh).toHaveLength(1);
  ledger.holding = false;
  // Only the first of each: the client sends again what it knows no answer to.
  ledger.held[0]?.();
  await ledger.clock.run(300, 50);
  const [first] = told.commands.slice(before);
  expect(first).toMatchObject({ moved: true, outcome: "acked" });
  expect(first?.tookMs).toBeGreaterThan(200);
  expect([told.fresh.length, crowd.report().lost]).toEqual([1, 0]);
});

test("[LD12] a lost socket is told once, however often it takes to get another", async () => {
  const { ledger, told } = await oneBot();
  ledger.cut();
  await ledger.clock.run(5_000, 50);
  expect(told.cuts).toEqual([1006]);
});

test("[LD12] what is counted as wrong is told: a frame that goes back, an effect that shows twice", async () => {
  const { crowd, ledger, told } = await oneBot();
  ledger.frame(1);
  expect(told.found).toEqual(["regressed"]);
  ledger.copies = 2;
  await ledger.clock.run(5_000, 50);
  const { doubled, regressed } = crowd.report();
  expect(doubled).toBeGreaterThan(0);
  expect(told.found.filter((what) => what === "doubled")).toHaveLength(doubled);
  expect(told.found.filter((what) => what === "regressed")).toHaveLength(regressed);
});

test("[LD13] habits change at work: a crowd that is told to be silent is, until told otherwise", async () => {
  const { crowd, ledger, told } = await oneBot();
  crowd.adopt({ sayMs: Number.POSITIVE_INFINITY });
  const before = told.commands.length;
  await ledger.clock.run(10_000, 50);
  expect(told.commands).toHaveLength(before);
  crowd.adopt({ sayMs: 200 });
  await ledger.clock.run(5_000, 50);
  expect(told.commands.length - before, "one in two steps of 100 ms").toBeGreaterThan(10);
});

test("[LD14] an audit finds what is missing and what is there twice, also of others", () => {
  const acked = new Set(["a:0", "a:1", "b:0"]);
  const tokens = [{ "a:0": 1, "b:0": 2 }, {}, { "c:7": 3, "c:8": 1 }];
  expect(auditLedger(acked, { tokens })).toEqual({
    acked: 3,
    lost: ["a:1"],
    doubled: ["b:0", "c:7"],
  });
  expect(auditLedger(new Set(["toString"]), { tokens: [] }).lost).toEqual(["toString"]);
});

test("[LD14] tokens name who put them, and show as effects of theirs alone", () => {
  const script = ledgerScript("hall");
  expect(script.say("3", "ada")).toEqual({ name: "put", body: { token: ledgerToken("ada", "3") } });
  const patches: Patch[] = [
    [0, ["tokens", 2, "ada:3"], 1],
    [0, ["said"], 4],
    [2, ["tokens", 2, "old:1"], null],
  ];
  expect(script.effects(patches)).toEqual([{ key: "say:ada:3", unique: true }]);
});
