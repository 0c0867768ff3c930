import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
} from "../../protocol/client-messages.ts";
import { mayReconnect } from "../../protocol/close-codes.ts";
import { FRAME_HEADER_BYTES, FRAME_KIND } from "../../protocol/frame.ts";
import { encode } from "../../protocol/msgpack.ts";
import { packRow, ROW_BYTES, ROW_WORDS } from "../../protocol/pose-row.ts";
import type { Absence, Resume } from "./absences.ts";
import { concernsMembership, isRun } from "./bystander.ts";
import type { FrameClock } from "./frame-clock.ts";
import type { FrameOrder } from "./frame-order.ts";
import type { Gait } from "./gait.ts";
import type { BotNames } from "./names.ts";
import { Onlooker } from "./onlooker.ts";
import type { InterestPromise } from "./promise.ts";
import { writeStamp } from "./stamp.ts";
import type { Tally } from "./tally.ts";
import { type Upgrade, UpgradeAnswer } from "./upgrade.ts";
import { type Court, Verdict } from "./verdict.ts";
import { type Inflow, WsReader, type WsSink } from "./ws-reader.ts";
import type { WsWriter } from "./ws-writer.ts";

/** What all clients of a process share. */
export interface Common extends Court {
  readonly inflow: Inflow;
  readonly writer: WsWriter;
  readonly upgrade: Upgrade;
  readonly order: FrameOrder;
  /** Of the stage that they watch as well; undefined where they watch none. */
  readonly stageOrder: FrameOrder | undefined;
  readonly names: BotNames;
  readonly promise: InterestPromise;
  readonly frameClock: FrameClock;
  /** Since when each client waits for its next frame; 0 for none yet. */
  readonly lastFrames: Float64Array;
  readonly frames: Uint32Array;
  tally: Tally;
  /** When what is being read now came. */
  readMs: number;
  judging: boolean;
  /** It waits in line, so an answer is coming. */
  waits(client: DenseClient): void;
  /** A client is in, or it is over for it. */
  settled(client: DenseClient, came: boolean): void;
  /** It lost its connection in a way that lets it come back; false where it will not. */
  cutOff(client: DenseClient): boolean;
}

export interface GatewayAddress {
  /** As its URL has it, for the `Host` header and a certificate. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** TLS, which a proxy in front of a gateway speaks. */
  readonly secure: boolean;
}

export interface ClientPlan {
  readonly n: number;
  readonly gateway: GatewayAddress;
  /** Where it dials from; undefined leaves it to the system. */
  readonly source: { readonly localAddress: string; readonly localPort: number } | undefined;
  readonly room: string;
  readonly person: string;
  readonly token: string;
  readonly beacon: boolean;
  readonly decodes: boolean;
  /** What it joins as well, to watch. */
  readonly stage: string | null;
  readonly gait: Gait;
  /** Of somebody who was cut off, and comes back. */
  readonly absence: Absence | undefined;
}

type Phase = "dialling" | "greeting" | "joining" | "in" | "gone";

const CHANNEL = 0;
const STAGE_CHANNEL = 1;
/** These end a membership but not its session (SPEC.md, Closing). */
const AGAIN = new Set(["room_full", "room_unavailable", "no_capacity", "rate_limited"]);
const LOOK = { color: 0x808080, model: "capsule" };
const scratch = new Uint32Array(ROW_WORDS);

/** One person of the crowd: a socket, its place in the protocol, and who it is. */
export class DenseClient implements WsSink {
  readonly plan: ClientPlan;
  readonly #common: Common;
  #socket: Socket;
  readonly #reader = new WsReader(this);
  readonly #onlooker: Onlooker | undefined;
  readonly #dialledMs: number;
  /** Both of who decodes only. */
  readonly #verdict: Verdict | undefined;
  #answer: UpgradeAnswer | undefined = new UpgradeAnswer();
  #phase: Phase = "dialling";
  #counter = 0;
  #seq = 0;
  #resume: Resume | undefined;
  #pingMs = Number.POSITIVE_INFINITY;
  #pingedMs = 0;

  constructor(plan: ClientPlan, common: Common) {
    this.plan = plan;
    this.#common = common;
    this.#dialledMs = performance.now();
    if (plan.decodes) {
      this.#verdict = new Verdict(common, plan.person);
      this.#onlooker = new Onlooker(common.promise, common.names, this.#verdict);
    }
    this.#socket = this.#dial(plan.source);
  }

  #dial(source: Partial<NonNullable<ClientPlan["source"]>> = {}): Socket {
    const { inflow, upgrade } = this.#common;
    const { host, name, port, secure } = this.plan.gateway;
    const onread = { buffer: inflow.bytes, callback: (length: number) => this.#read(length) };
    const address = { host, port, noDelay: true, onread, ...source };
    const greet = (): void => {
      socket.write(upgrade.request(`${name}:${port}`));
    };
    const servername = isIP(host) > 0 && name !== "localhost" ? "" : name;
    const socket = secure
      ? connectSecurely({ ...address, servername }, greet)
      : connect(address, greet);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // A server listens there at any address: let the system find another port.
      if (error.code === "EADDRINUSE" && source.localPort) {
        this.#socket = this.#dial({ ...source, localPort: 0 });
      } else this.#over(`socket ${error.code ?? error.message}`, true);
    });
    socket.once("close", () => {
      if (socket === this.#socket) this.#over("socket closed", true);
    });
    return socket;
  }

  /** What it needs to come back; undefined before it was in for the first time. */
  get resume(): Resume | undefined {
    return this.#resume ?? this.plan.absence?.resume;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Says where it is, and moves on. Answers in how many ms it does so again. */
  pose(nowMs: number): number {
    const { gait, beacon } = this.plan;
    const waitMs = gait.step(nowMs);
    if (nowMs - this.#pingedMs >= this.#pingMs) this.#ping(nowMs);
    const { tally, clock, writer } = this.#common;
    // What was not taken yet is enough: a newer pose is all that counts.
    if (this.#socket.writableLength > 0) {
      tally.counts.poses_held++;
      return waitMs;
    }
    packRow(scratch, 0, 0, 0, gait.pose);
    if (beacon) writeStamp(scratch, 0, clock.now());
    this.#counter = (this.#counter + 1) & 0xffff;
    this.#socket.write(writer.pose(CHANNEL, this.#counter, scratch));
    tally.counts.poses_sent++;
    return waitMs;
  }

  /** A command of the demo's world; only who decodes hears the answer. */
  say(text: string): void {
    const body = encode({ text });
    const seq = ++this.#seq;
    this.#verdict?.sent(seq, performance.now());
    const command = { channel: CHANNEL, seq, name: "say", body, resent: false, traceparent: null };
    this.#send({ type: "command", ...command });
  }

  /** As the SDK does: a gateway sends fewer frames to who is far behind (GW51). */
  #ping(nowMs: number): void {
    this.#pingedMs = nowMs;
    const tick = this.#common.order.tick(this.plan.n);
    const echoes = tick > 0 ? [{ channel: CHANNEL, tick }] : [];
    this.#send({ type: "ping", clientTime: nowMs, echoes });
  }

  /** Leaves the room and closes. */
  leave(): void {
    const was = this.#phase;
    if (was === "gone") return;
    this.#phase = "gone";
    if (was === "in") this.#send({ type: "leave", channel: CHANNEL, transfer: null });
    if (was !== "dialling") this.#socket.write(this.#common.writer.close(1000));
    this.#socket.end();
  }

  destroy(): void {
    this.#phase = "gone";
    this.#socket.destroy();
  }

  timedOut(): void {
    this.#over(`no answer while ${this.#phase}`, true);
  }

  #read(length: number): boolean {
    const { inflow } = this.#common;
    this.#common.readMs = performance.now();
    if (this.#answer === undefined) this.#reader.read(inflow, 0, length);
    else this.#upgraded(this.#answer, length);
    return true;
  }

  #upgraded(answer: UpgradeAnswer, length: number): void {
    const { inflow, upgrade } = this.#common;
    const end = answer.take(inflow.bytes, length);
    if (end === undefined) {
      if (answer.tooLong) this.#over("upgrade without an end");
      return;
    }
    this.#answer = undefined;
    const refusal = upgrade.refusal(answer.head);
    if (refusal !== undefined) return this.#over(refusal, true);
    this.#phase = "greeting";
    const { token } = this.plan;
    const versions = { versionMin: 1, versionMax: 1 };
    this.#send({ type: "hello", ...versions, token, agent: "roomcluster-load" });
    this.#reader.read(inflow, end, length);
  }

  message(inflow: Inflow, at: number, length: number): void {
    const { bytes } = inflow;
    if (bytes[at] === FRAME_KIND) return this.#frame(inflow, at, length);
    this.#common.tally.counts.other_payloads++;
    if (!isRun(bytes[at])) return this.#common.tally.found("payload_malformed", "another kind");
    const payload = bytes.subarray(at, at + length);
    if (this.#onlooker) this.#act(this.#onlooker.payload(payload, this.plan.gait.pose));
    else if (concernsMembership(bytes, at)) this.#decode(payload);
  }

  #frame(inflow: Inflow, at: number, length: number): void {
    const { bytes, view } = inflow;
    const common = this.#common;
    if (common.stageOrder && bytes[at + 1] === STAGE_CHANNEL)
      return this.#stageFrame(common.stageOrder, inflow, at, length);
    const { counts, durations } = common.tally;
    const { n } = this.plan;
    counts.frames++;
    counts.frame_bytes += length;
    common.frames[n] = (common.frames[n] as number) + 1;
    const breach = common.order.check(n, CHANNEL, view, at, length);
    if (breach !== undefined) return common.tally.found(breach, this.plan.person);
    durations.frame.record(common.frameClock.ageMs(common.readMs, view.getFloat64(at + 8, true)));
    const before = common.lastFrames[n] as number;
    if (before > 0) durations.frame_gap.record(common.readMs - before);
    common.lastFrames[n] = common.readMs;
    if (this.#onlooker) {
      counts.frames_decoded++;
      const payload = bytes.subarray(at, at + length);
      return this.#act(this.#onlooker.payload(payload, this.plan.gait.pose));
    }
    const rider = at + FRAME_HEADER_BYTES + view.getUint16(at + 2, true) * ROW_BYTES;
    if (rider < at + length && concernsMembership(bytes, rider))
      this.#decode(bytes.subarray(rider, at + length));
  }

  #stageFrame(order: FrameOrder, { view }: Inflow, at: number, length: number): void {
    const { frameClock, readMs, tally } = this.#common;
    tally.counts.stage_frames++;
    const breach = order.check(this.plan.n, STAGE_CHANNEL, view, at, length);
    if (breach !== undefined) return tally.found(breach, `${this.plan.person} of the stage`);
    tally.durations.stage.record(frameClock.ageMs(readMs, view.getFloat64(at + 8, true)));
  }

  #decode(payload: Uint8Array): void {
    const decoded = gatewayToClient.decode(payload, MESSAGES_PER_PAYLOAD_MAX);
    if (decoded.ok) this.#act(decoded.value);
    else this.#common.tally.found("payload_malformed", this.plan.person);
  }

  #act(messages: readonly GatewayMessage[]): void {
    for (const message of messages) {
      switch (message.type) {
        case "welcome":
          this.#phase = "joining";
          this.#pingMs = message.pingMs;
          this.#pingedMs = performance.now();
          this.#join();
          break;
        case "joined":
          if (message.channel === STAGE_CHANNEL) break;
          this.#seq = message.seq;
          this.#resume = { session: message.token, attach: message.attach + 1 };
          if (this.#phase === "joining") this.#entered();
          break;
        case "refused":
        case "left":
          this.#over(`${message.type} ${message.code}`, AGAIN.has(message.code));
          break;
        case "waiting":
          this.#common.waits(this);
          break;
        case "pong":
          this.#common.tally.durations.ping.record(performance.now() - message.clientTime);
          break;
        case "suspended":
          this.#common.tally.counts.suspended++;
          break;
        default:
      }
    }
  }

  #join(): void {
    const { absence, room, person, stage } = this.plan;
    const profile = { name: person, ...LOOK };
    const { attach, session } = absence?.resume ?? { attach: 1, session: null };
    const rest = { cursor: null, profile, transfer: null, beside: null };
    this.#send({ type: "join", channel: CHANNEL, room, attach, session, ...rest });
    if (stage === null) return;
    const watch = { channel: STAGE_CHANNEL, room: stage, attach: 1, session: null };
    this.#send({ type: "join", ...watch, ...rest });
  }

  #entered(): void {
    this.#phase = "in";
    const { counts, durations } = this.#common.tally;
    const { absence } = this.plan;
    const now = performance.now();
    if (absence === undefined) {
      counts.joined++;
      durations.join.record(now - this.#dialledMs);
    } else {
      counts.returned++;
      durations.absence.record(now - absence.sinceMs);
    }
    this.#common.settled(this, true);
  }

  pinged(payload: Uint8Array): void {
    this.#socket.write(this.#common.writer.pong(payload));
  }

  closed(code: number): void {
    this.#over(`closed ${code}`, mayReconnect(code));
  }

  broken(why: string): void {
    this.#common.tally.found("transport_broken", why);
    this.#over(why);
  }

  #send(message: ClientMessage): void {
    this.#socket.write(this.#common.writer.message(clientToGateway.encode(message)));
  }

  /** `again`: what happened lets it come back by its session. */
  #over(why: string, again = false): void {
    const was = this.#phase;
    if (was === "gone") return;
    this.destroy();
    if (again && this.#common.cutOff(this)) return;
    const { tally } = this.#common;
    const seated = was === "in" || this.plan.absence !== undefined;
    const counts = seated ? tally.losses : tally.failures;
    counts.set(why, (counts.get(why) ?? 0) + 1);
    this.#common.settled(this, false);
  }
}
