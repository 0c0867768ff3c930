import { createConnection, type Socket } from "node:net";
import { NodeTransport } from "nats/lib/src/node_transport.js";

/** What of the library's transport (2.29.3) is changed here. */
interface Transport {
  socket?: Socket | undefined;
  connected: boolean;
  done: boolean;
  dial(to: { readonly hostname: string; readonly port: number }): Promise<Socket>;
  discard(): void;
  _closed(cause?: Error, internal?: boolean): Promise<void>;
}

const dialling = new WeakMap<Transport, Socket>();

const drop = (transport: Transport): void => {
  const socket = transport.socket ?? dialling.get(transport);
  if (socket === undefined) return;
  socket.removeAllListeners();
  // What breaks now concerns nobody.
  socket.on("error", () => undefined);
  socket.destroy();
};

/**
 * The library lets a dial that took too long live on. It succeeds when the server answers again,
 * nobody logs in on it, the server closes it some seconds later, and the library takes that for the
 * end of the connection which it made meanwhile: it dials anew and leaves the healthy one open,
 * subscribed and unread, once for each dial that took too long. Here a dial ends with its attempt,
 * and a connection with its successor.
 */
function endDialsWithTheirAttempts(transport: Transport): void {
  const { _closed: closed } = transport;
  transport.dial = function dial(this: Transport, { hostname, port }) {
    return new Promise((resolve, reject) => {
      let cause: Error | undefined;
      const socket = createConnection(port, hostname, () => {
        socket.removeAllListeners();
        resolve(socket);
      });
      dialling.set(this, socket);
      socket.on("error", (error) => {
        cause = error;
      });
      socket.on("close", () => reject(cause ?? new Error("closed while it was dialled")));
      socket.setNoDelay(true);
    });
  };
  transport.discard = function discard(this: Transport) {
    this.done = true;
    drop(this);
  };
  transport._closed = async function end(this: Transport, cause, internal) {
    if (this.connected) return closed.call(this, cause, internal);
    this.done = true;
    drop(this);
  };
}

endDialsWithTheirAttempts(NodeTransport.prototype as unknown as Transport);
