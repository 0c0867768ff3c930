/** What a socket tells whoever opened it. `close` comes exactly once and last. */
export interface TransportHandlers {
  readonly open: () => void;
  readonly message: (data: Uint8Array) => void;
  /** 1006 where the socket broke without a close frame, or never opened. */
  readonly close: (code: number, reason: string) => void;
}

/** One socket. After `close` everything sent is dropped. */
export interface TransportSocket {
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** Bytes handed over that have not left this machine's buffers. */
  readonly bufferedBytes: number;
}

/** Opens sockets that carry binary messages in order. Never throws: failures arrive as `close`. */
export interface Transport {
  open(url: string, subprotocol: string, handlers: TransportHandlers): TransportSocket;
}

/** The code a socket closes with that broke without a close frame (RFC 6455). */
export const CLOSED_ABNORMALLY = 1006;
export const CLOSED_NORMALLY = 1000;
