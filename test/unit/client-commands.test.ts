import fc from "fast-check";
import { expect, test } from "vitest";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { CommandLost, CommandRefused } from "../../src/client/client.ts";
import { CommandLog } from "../../src/client/command-log.ts";
import { clientDefaults } from "../../src/client/limits.ts";
import { Pace } from "../../src/client/pace.ts";
import { gatewaySchema } from "../../src/config/schema.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import { inRoom, joined, LATER, record, reply, settle, snapshot } from "../support/fake-gateway.ts";

const outcome = (promise: Promise<unknown>): { value: unknown } => {
  const seen: { value: unknown } = { value: "pending" };
  promise.then(
    (data) => {
      seen.value = { data };
    },
    (error: unknown) => {
      seen.value = error;
    },
  );
  return seen;
};

test("[CL25] commands are numbered from 1 and at most 32 are in flight", async () => {
  const { room, gateways, clock } = await inRoom({ limits: { commandsBurst: 1000 } });
  const results = Array.from({ length: 40 }, (_, i) => outcome(room.command("say", { i })));
  expect(gateways.last.all("command").map(({ seq }) => seq)).toEqual(
    Array.from({ length: 32 }, (_, i) => i + 1),
  );
  gateways.last.tell(reply(1), reply(2));
  await settle();
  expect(gateways.last.last("command").seq).toBe(34);
  expect(results[0]?.value).toEqual({ data: null });
  expect(results[2]?.value).toBe("pending");
  clock.advance(1);
});

test("[CL25] none is sent 32 after one without a reply, whose own would be kept no longer", async () => {
  const { room, gateways, clock } = await inRoom({ limits: { commandsBurst: 1000 } });
  for (let i = 0; i < 40; i++) outcome(room.command("say", { i }));
  gateways.last.tell(...Array.from({ length: 31 }, (_, i) => reply(i + 2)));
  await settle();
  expect(gateways.last.last("command").seq).toBe(32);
  gateways.last.tell(reply(1));
  await settle();
  expect(gateways.last.last("command").seq).toBe(40);
  clock.advance(1);
});

test("[CL25] a full queue refuses, and so does a body over the limit", async () => {
  const { room } = await inRoom();
  for (let i = 0; i < 32 + 256; i++) outcome(room.command("say"));
  await expect(room.command("say")).rejects.toMatchObject({
    name: "CommandRefused",
    status: "queue_full",
  });
  await expect(room.command("say", "x".repeat(20_000))).rejects.toMatchObject({
    status: "too_large",
  });
});

test("[CL25] a resumed session goes on from the room's number", async () => {
  const { client, gateways, clock } = await inRoom();
  const resume = { room: "hall", token: "old", attach: 4 };
  const joining = client.join("hall", { profile: { name: "", color: 0, model: "" }, resume });
  gateways.last.tell(joined({ channel: 1, seq: 17, attach: 5 }), snapshot({ channel: 1 }));
  const room = await joining;
  outcome(room.command("say"));
  expect(gateways.last.last("command")).toMatchObject({ seq: 18, channel: 1, resent: false });
  clock.advance(1);
});

test("[CL26] a promise resolves once its record is in the replica", async () => {
  const { room, gateways, clock } = await inRoom();
  const seen: number[] = [];
  const first = room.command("add").then(() => seen.push(room.state.count));
  gateways.last.tell(reply(1, 11));
  await settle();
  expect(seen).toEqual([]);
  gateways.last.tell(record(11, { patches: [[0, ["count"], 5]] }));
  await first;
  expect(seen).toEqual([5]);
  const second = outcome(room.command("add"));
  gateways.last.tell(reply(2, 99));
  clock.advance(clientDefaults.visibleMsMax);
  await settle();
  expect(second.value).toEqual({ data: null });
});

test("[CL27] refusals and losses are told apart", async () => {
  const { room, gateways, client, clock } = await inRoom();
  const refused = outcome(room.command("grab", { item: "lamp" }));
  const lost = outcome(room.command("say"));
  gateways.last.tell(reply(1, 10, "held", { by: 4 }));
  await settle();
  expect(refused.value).toBeInstanceOf(CommandRefused);
  expect(refused.value).toMatchObject({ status: "held", data: { by: 4 } });
  gateways.last.drop();
  await clock.run(3_000, 100);
  expect(lost.value).toBe("pending");
  const unsent = Array.from({ length: 40 }, () => outcome(room.command("say")));
  client.close();
  await settle();
  expect(lost.value).toBeInstanceOf(CommandLost);
  expect(lost.value).toMatchObject({ reason: "closed", sent: true });
  expect(unsent.at(-1)?.value).toMatchObject({ sent: false });
  await expect(room.command("say")).rejects.toMatchObject({ name: "CommandLost", sent: false });
});

test("[CL28] a new epoch gets everything again, marked", async () => {
  const { room, gateways } = await inRoom();
  outcome(room.command("say", "a"));
  outcome(room.command("say", "b"));
  const [first] = gateways.last.take("command");
  gateways.last.tell({ type: "epoch", channel: 0, epoch: LATER });
  const again = gateways.last.take("command");
  expect(again.map(({ seq, resent }) => ({ seq, resent }))).toEqual([
    { seq: 1, resent: true },
    { seq: 2, resent: true },
  ]);
  expect(again[0]?.body).toEqual(first?.body);
  expect(decode(again[0]?.body ?? new Uint8Array())).toMatchObject({ value: "a" });
  expect(gateways.last.payloads.at(-1), "resends travel in one payload").toBe(2);
  // Told once more, by frames and by a replayed record of the earlier owner: nothing new.
  gateways.last.tell({ type: "epoch", channel: 0, epoch: LATER }, record(11));
  gateways.last.frame({ tick: 1, at: 1, epoch: LATER, index: 11 });
  expect(gateways.last.take("command")).toEqual([]);
  outcome(room.command("say", "c"));
  expect(gateways.last.last("command")).toMatchObject({ seq: 3, resent: false });
});

test("[CL29] everything pending goes again after an attach, marked if it was sent", async () => {
  const { room, gateways, clock } = await inRoom();
  const answered = outcome(room.command("say", "a"));
  outcome(room.command("say", "b"));
  gateways.last.drop();
  outcome(room.command("say", "c"));
  await clock.run(1_000, 20);
  gateways.last.tell(joined({ attach: 2, seq: 1, replayed: true }));
  const again = gateways.last.take("command");
  expect(again.map(({ seq, resent }) => [seq, resent])).toEqual([
    [1, true],
    [2, true],
    [3, false],
  ]);
  // The room answers the duplicate of 1 with the reply that it journaled.
  gateways.last.tell(record(11), reply(1, 11, "ok", "journaled"));
  await settle();
  expect(answered.value).toEqual({ data: "journaled" });
});

test("[CL30] without a reply a command goes again after 1, 2, 4, 4 s, unmarked", async () => {
  const { room, gateways, clock } = await inRoom();
  outcome(room.command("say"));
  const times: number[] = [];
  let before = gateways.last.all("command").length;
  for (let ms = 0; ms < 11_500; ms += 100) {
    await clock.run(100, 100);
    gateways.last.frame({ tick: ms, at: ms, index: 10 });
    const count = gateways.last.all("command").length;
    if (count > before) times.push(clock.now());
    before = count;
  }
  expect(times).toEqual([1_000, 3_000, 7_000, 11_000]);
  expect(gateways.last.all("command").every(({ resent, seq }) => !resent && seq === 1)).toBe(true);
});

test("[CL31] expect sends again from its number, once for a burst", async () => {
  const { room, gateways, clock } = await inRoom();
  for (let i = 0; i < 6; i++) outcome(room.command("say"));
  gateways.last.take("command");
  clock.advance(200);
  gateways.last.tell(
    { type: "expect", channel: 0, seq: 3 },
    { type: "expect", channel: 0, seq: 3 },
    { type: "expect", channel: 0, seq: 3 },
  );
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  gateways.last.tell({ type: "expect", channel: 0, seq: 99 });
  expect(gateways.last.take("command")).toEqual([]);
});

test("[CL31] busy holds a command and all behind it for its delay", async () => {
  const { room, gateways, clock } = await inRoom();
  for (let i = 0; i < 3; i++) outcome(room.command("say"));
  gateways.last.take("command");
  gateways.last.tell(reply(1), { type: "busy", channel: 0, seq: 2, retryAfterMs: 400 });
  gateways.last.tell({ type: "expect", channel: 0, seq: 2 });
  outcome(room.command("say"));
  clock.advance(399);
  expect(gateways.last.take("command")).toEqual([]);
  clock.advance(1);
  expect(gateways.last.take("command").map(({ seq, resent }) => [seq, resent])).toEqual([
    [2, false],
    [3, false],
    [4, false],
  ]);
});

test("[CL32] a suspended room is sent no commands until its owner is heard", async () => {
  const { room, gateways, clock } = await inRoom();
  const told: string[] = [];
  room.on("suspended", (cause) => told.push(`suspended ${cause}`));
  room.on("resumed", () => told.push("resumed"));
  outcome(room.command("say"));
  gateways.last.take("command");
  gateways.last.tell({ type: "suspended", channel: 0, forMs: 1_500 });
  outcome(room.command("say"));
  clock.advance(3_000);
  expect(gateways.last.take("command")).toEqual([]);
  gateways.last.frame({ tick: 1, at: 1, index: 10 });
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([1, 2]);
  expect(told).toEqual(["suspended room", "resumed"]);
});

test("[CL33] commands keep to a rate, and pause when told rate_limited", async () => {
  const { room, gateways, clock } = await inRoom({
    limits: { commandsPerSecond: 10, commandsBurst: 5 },
  });
  for (let i = 0; i < 25; i++) outcome(room.command("say"));
  expect(gateways.last.take("command")).toHaveLength(5);
  for (let seq = 1; seq <= 5; seq++) gateways.last.tell(reply(seq));
  clock.advance(500);
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10]);
  gateways.last.tell({ type: "error", channel: 0, code: "rate_limited", message: "" });
  clock.advance(999);
  expect(gateways.last.take("command")).toEqual([]);
  clock.advance(2);
  expect(gateways.last.take("command").map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10]);
});

test("[CL33] signals over the rate are dropped", async () => {
  const { room, gateways, clock } = await inRoom();
  const sent = Array.from({ length: 40 }, () => room.signal("emote", { kind: "wave" }));
  expect(sent.filter(Boolean)).toHaveLength(clientDefaults.signalsBurst);
  expect(gateways.last.all("signal")).toHaveLength(clientDefaults.signalsBurst);
  clock.advance(1_000);
  expect(room.signal("emote")).toBe(true);
});

test("[CL34] after a restored journal, pending commands are renumbered", async () => {
  const { room, gateways, clock } = await inRoom();
  for (let i = 0; i < 4; i++) outcome(room.command("say", i));
  gateways.last.tell(reply(1), reply(2));
  gateways.last.drop();
  await clock.run(1_000, 20);
  gateways.last.tell(joined({ attach: 2, seq: 1 }), snapshot({ epoch: LATER, index: 3 }));
  const again = gateways.last.take("command");
  expect(again.map(({ seq, body }) => [seq, decode(body)])).toEqual([
    [2, { ok: true, value: 2 }],
    [3, { ok: true, value: 3 }],
  ]);
  expect(room.index).toBe(3);
});

test("[CL25] [CL31] whatever is lost, numbers reach the room in order and each once", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("submit" as const) }),
    fc.record({ kind: fc.constant("send" as const), lose: fc.nat(3) }),
    fc.record({ kind: fc.constant("later" as const), ms: fc.nat(3_000) }),
    fc.record({ kind: fc.constant("rejoin" as const) }),
  );
  let applied = 0;
  let lostOnTheWay = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const log = new CommandLog<number>(clientDefaults, new Pace(1_000, 1_000));
      const room = { last: 0, bodies: [] as number[] };
      let now = 0;
      let submitted = 0;
      log.joined(0, now);
      const exchange = (lose: number): void => {
        for (const { seq, body } of log.take(now)) {
          if (lose > 0 && (seq + now) % (lose + 1) === 0) {
            lostOnTheWay++;
            continue;
          }
          if (seq === room.last + 1) {
            room.last = seq;
            room.bodies.push(body[0] as number);
          }
          if (seq > room.last) log.expect(room.last + 1, now);
          else log.reply(seq);
        }
      };
      const act = (action: (typeof steps)[number]): void => {
        if (action.kind === "submit")
          log.submit({ name: "n", body: Uint8Array.of(submitted), traceparent: null }, submitted++);
        else if (action.kind === "send") exchange(action.lose);
        else if (action.kind === "later") now += action.ms;
        else log.joined(room.last, now);
      };
      for (const action of steps) act(action);
      for (let i = 0; i < 60 && log.pending > 0; i++) {
        exchange(0);
        now = Math.max(now + 200, log.nextDueMs(now) ?? now);
      }
      expect(log.pending).toBe(0);
      expect(room.bodies).toEqual(Array.from({ length: submitted }, (_, i) => i));
      applied += submitted;
    }),
    { seed: 42, numRuns: 600 },
  );
  expect(applied).toBeGreaterThan(1_000);
  expect(lostOnTheWay, "the property must have lost some").toBeGreaterThan(100);
});

test("[CL33] no operator can set a gateway below what this client may send", () => {
  const least = (knob: string): number => {
    let value = 1;
    while (!gatewaySchema.safeParse({ [knob]: value }).success) value++;
    return value;
  };
  const { commandsPerSecond, commandsBurst, signalsPerSecond, signalsBurst } = clientDefaults;
  const { commandBytesPerToken } = clientDefaults;
  const seconds = GATEWAY_DEFAULTS.burstSeconds;
  expect(least("commandsPerSecond")).toBeGreaterThan(commandsPerSecond);
  expect(least("commandsPerSecond") * seconds).toBeGreaterThan(commandsBurst);
  expect(least("signalsPerSecond")).toBeGreaterThan(signalsPerSecond);
  expect(least("signalsPerSecond") * seconds).toBeGreaterThan(signalsBurst);
  expect(least("messagesPerSecond")).toBeGreaterThan(commandsPerSecond + signalsPerSecond);
  expect(least("messagesPerSecond") * seconds).toBeGreaterThan(commandsBurst + signalsBurst);
  expect(least("bytesPerSecond")).toBeGreaterThan(commandsPerSecond * commandBytesPerToken);
  expect(least("bytesPerSecond") * seconds).toBeGreaterThan(commandsBurst * commandBytesPerToken);
});
