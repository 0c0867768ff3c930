import { CLOSED_ABNORMALLY, type Transport, type TransportSocket } from "./transport.ts";

/** Sockets of the platform's own `WebSocket`: browsers, workers, Node from 22 on. */
export const browserTransport: Transport = {
  open(url, subprotocol, handlers): TransportSocket {
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, subprotocol);
    } catch (error) {
      // A malformed url, or ws: from a page served over https:.
      queueMicrotask(() => handlers.close(CLOSED_ABNORMALLY, String(error)));
      return { send() {}, close() {}, bufferedBytes: 0 };
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => handlers.open();
    socket.onmessage = (event: MessageEvent) => {
      // The protocol is binary; an empty payload is malformed to whoever reads it.
      const binary = event.data instanceof ArrayBuffer;
      handlers.message(binary ? new Uint8Array(event.data as ArrayBuffer) : new Uint8Array());
    };
    // The close that follows tells it; `ws` in the place of a WebSocket throws if nobody listens.
    socket.onerror = () => {};
    socket.onclose = (event) => handlers.close(event.code, event.reason);
    return {
      send: (data) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(data as Uint8Array<ArrayBuffer>);
      },
      close: (code, reason) => socket.close(code, reason),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
    };
  },
};
