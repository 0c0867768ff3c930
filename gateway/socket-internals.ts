import { Socket } from "node:net";

interface WriteRequest {
  handle?: TcpHandle;
  oncomplete?: (this: WriteRequest, status: number) => void;
  buffer?: Buffer;
}

/** What Node's own net module uses of a TCP handle. */
export interface TcpHandle {
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: WriteRequest, buffer: Uint8Array): number;
  /** Bytes that were written and that the kernel has not taken yet. */
  readonly writeQueueSize: number;
}

export interface SocketInternals {
  /** Makes a request for one write; a write that the kernel took at once leaves it unused. */
  readonly request: () => WriteRequest;
  /** True where the last write is not through yet: its request and its bytes are in use. */
  readonly lastWriteWaits: () => boolean;
  readonly handleOf: (socket: Socket) => TcpHandle | undefined;
  /** From now on `receive` is called for what comes. */
  readonly readInto: (
    socket: Socket,
    buffer: Buffer,
    receive: (length: number, buffer: Buffer) => boolean,
  ) => boolean;
}

type Slots = Record<symbol, unknown>;
interface StreamBinding {
  readonly WriteWrap?: new () => WriteRequest;
  readonly streamBaseState?: ArrayLike<number>;
  readonly kLastWriteWasAsync?: number;
}

/**
 * Node's own ways into a socket, past the streams: a read into one buffer that all sockets share,
 * and a write without an object for each. `net` offers the first to sockets that dial and not to
 * those that are accepted. Undefined where this version of Node lacks any of them; then sockets are
 * read and written in the public way.
 */
export function socketInternals(): SocketInternals | undefined {
  const binding = streamBinding();
  const { WriteWrap, streamBaseState, kLastWriteWasAsync } = binding ?? {};
  const slots = new Map(
    Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]),
  );
  const [buffer, receive] = [slots.get("kBuffer"), slots.get("kBufferCb")];
  if (!WriteWrap || !streamBaseState || kLastWriteWasAsync === undefined) return undefined;
  if (!buffer || !receive) return undefined;
  const handleOf = (socket: Socket): TcpHandle | undefined => {
    const { _handle: handle } = socket as unknown as { _handle?: Partial<TcpHandle> | null };
    const known = handle && "useUserBuffer" in handle && "writeBuffer" in handle;
    return known ? (handle as TcpHandle) : undefined;
  };
  return {
    request: () => new WriteWrap(),
    lastWriteWaits: () => streamBaseState[kLastWriteWasAsync] !== 0,
    handleOf,
    readInto(socket, into, received) {
      const handle = handleOf(socket);
      if (!handle) return false;
      const parts = socket as unknown as Slots;
      parts[buffer] = into;
      parts[receive] = received;
      handle.useUserBuffer(into);
      return true;
    },
  };
}

function streamBinding(): StreamBinding | undefined {
  try {
    const { binding } = process as unknown as { binding?: (name: string) => StreamBinding };
    return binding?.call(process, "stream_wrap");
  } catch {
    return undefined;
  }
}
