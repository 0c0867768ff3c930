import type { MembershipCode } from "../protocol/close-codes.ts";

/** Why a room ended: the room's own reason, or what this side did. */
export type EndCode = MembershipCode | "closed" | "disconnected";

/** The room decided against the command, or it never left this client. It has no effect. */
export class CommandRefused extends Error {
  override readonly name = "CommandRefused";
  /** The room's status, or `queue_full` and `too_large` from this client. */
  readonly status: string;
  readonly data: unknown;

  constructor(status: string, data: unknown) {
    super(`command refused: ${status}`);
    this.status = status;
    this.data = data;
  }
}

/** The membership ended before a reply came. */
export class CommandLost extends Error {
  override readonly name = "CommandLost";
  readonly reason: EndCode;
  /** False where it never left this client; otherwise it may or may not have taken effect. */
  readonly sent: boolean;

  constructor(reason: EndCode, sent: boolean) {
    super(`command without a reply: the membership ended (${reason})`);
    this.reason = reason;
    this.sent = sent;
  }
}

/** The room did not let this person in. */
export class JoinRefused extends Error {
  override readonly name = "JoinRefused";
  readonly code: EndCode | "timeout" | "too_many_rooms";
  /** When the room advises to ask again, in ms; null where it gave no advice. */
  readonly retryAfterMs: number | null;

  constructor(code: JoinRefused["code"], message: string, retryAfterMs: number | null) {
    super(`join refused: ${code}${message === "" ? "" : ` (${message})`}`);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Why this client itself lets nobody in anywhere. */
export interface Unjoinable {
  readonly code: EndCode | "too_many_rooms";
  readonly message: string;
}

/** No gateway took this client in time, or one said not to come back. */
export class ConnectFailed extends Error {
  override readonly name = "ConnectFailed";
  /** The close code of the last attempt; 1006 where none opened. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(`no connection: ${code}${reason === "" ? "" : ` ${reason}`}`);
    this.code = code;
  }
}
