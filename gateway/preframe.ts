import { MESSAGES_PER_PAYLOAD_MAX } from "../src/protocol/client-messages.ts";

const RUN_BYTES_MAX = 256 * 1024;

/**
 * A whole WebSocket message around a payload: one final, binary, unmasked frame (RFC 6455, 5.2).
 * Servers do not mask, so every client can be written these very bytes. Several payloads make
 * several messages in one buffer, which arrive in that order.
 */
export function preframe(...payloads: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const payload of payloads) length += headBytes(payload.length) + payload.length;
  const frame = Buffer.allocUnsafe(length);
  let at = 0;
  for (const payload of payloads) {
    at = writeHead(frame, at, payload.length);
    frame.set(payload, at);
    at += payload.length;
  }
  return frame;
}

const headBytes = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);

function writeHead(frame: Buffer, at: number, length: number): number {
  frame[at] = 0x82;
  if (length < 126) {
    frame[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    frame[at + 1] = 126;
    return frame.writeUInt16BE(length, at + 2);
  }
  frame[at + 1] = 127;
  frame.writeUInt32BE(0, at + 2);
  return frame.writeUInt32BE(length, at + 6);
}

/** The payloads one after the other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The messages in payloads, as many in each as a client takes. */
export function runsOf(messages: readonly Uint8Array[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let bytes = 0;
  for (const message of messages) {
    const full = run.length === MESSAGES_PER_PAYLOAD_MAX || bytes + message.length > RUN_BYTES_MAX;
    if (full && run.length > 0) {
      runs.push(joinBytes(run));
      run = [];
      bytes = 0;
    }
    run.push(message);
    bytes += message.length;
  }
  if (run.length > 0) runs.push(joinBytes(run));
  return runs;
}
