/**
 * Why a socket closes. The band says what to do: 4000 to 4499 reconnect (after the delay, where one
 * was sent), 4500 to 4999 do not. Every code is in the table of SPEC.md.
 */
export const CLOSE = {
  goingAway: { code: 4000, reason: "gateway is draining, resume elsewhere" },
  overloaded: { code: 4001, reason: "gateway is full, retry later" },
  slowConsumer: { code: 4002, reason: "too slow for reliable messages, resume" },
  idle: { code: 4003, reason: "nothing received for too long" },
  internal: { code: 4004, reason: "internal error, resume" },
  malformed: { code: 4500, reason: "malformed message" },
  tooLarge: { code: 4501, reason: "message too large" },
  unsupportedVersion: { code: 4502, reason: "no common protocol version" },
  unauthorized: { code: 4503, reason: "token missing, invalid or expired" },
  handshakeTimeout: { code: 4504, reason: "no hello in time" },
  outOfOrder: { code: 4505, reason: "message not allowed in this state" },
  flooding: { code: 4506, reason: "rate limit exceeded" },
  superseded: { code: 4507, reason: "the session is attached elsewhere" },
  kicked: { code: 4508, reason: "removed by an operator" },
} as const;

export type CloseName = keyof typeof CLOSE;

export const mayReconnect = (code: number): boolean => code < 4500 || code > 4999;

/** Why a join was refused or a membership ended; the socket stays open. */
export const MEMBERSHIP_CODES = [
  "room_unknown",
  "room_closed",
  "room_full",
  "room_quarantined",
  "room_unavailable",
  "no_capacity",
  "wrong_room",
  "session_expired",
  "superseded",
  "kicked",
  "left",
  "channel_taken",
  "rate_limited",
] as const;
export type MembershipCode = (typeof MEMBERSHIP_CODES)[number];

/**
 * The status of a reply that the platform gives; a world adds its own, in lower-case words with
 * underscores. `ok` is the only success.
 */
export const REPLY_STATUS = [
  "ok",
  "unknown_command",
  "invalid_body",
  "body_mismatch",
  "dead_letter",
  "state_full",
  "reply_too_large",
  "later_full",
  "forbidden",
  "muted",
  "slow_mode",
] as const;
