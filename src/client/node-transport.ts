import { CLOSED_ABNORMALLY, type Transport, type TransportSocket } from "./transport.ts";

/**
 * Sockets of the `ws` package, for Node versions without a global `WebSocket`. It is loaded when
 * first wanted, so that a bundle for browsers holds this file but never `ws`.
 */
export async function loadNodeTransport(): Promise<Transport> {
  const { WebSocket } = await import("ws");
  return {
    open(url, subprotocol, handlers): TransportSocket {
      let socket: InstanceType<typeof WebSocket>;
      try {
        socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
      } catch (error) {
        queueMicrotask(() => handlers.close(CLOSED_ABNORMALLY, String(error)));
        return { send() {}, close() {}, bufferedBytes: 0 };
      }
      let failure = "";
      socket.on("open", () => handlers.open());
      socket.on("message", (data, isBinary) => {
        handlers.message(isBinary ? (data as Buffer) : new Uint8Array());
      });
      // `ws` always emits close after error; the close tells it, the error only says why.
      socket.on("error", (error) => {
        failure = error.message;
      });
      socket.on("close", (code, reason) => handlers.close(code, reason.toString() || failure));
      return {
        send: (data) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(data);
        },
        close: (code, reason) => {
          // A close handshake waits up to 30 s for its answer; a socket not yet open has none.
          if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
          else socket.close(code, reason);
        },
        get bufferedBytes() {
          return socket.bufferedAmount;
        },
      };
    },
  };
}
