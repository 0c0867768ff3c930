/**
 * What one message may hold: `max_payload` of deploy/nats. More is a programmer's error, because
 * everything that is sent has a limit of its own below this one.
 */
export const PAYLOAD_BYTES_MAX = 1024 * 1024;
