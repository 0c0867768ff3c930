import type { Socket } from "node:net";
import type { ClientSocket } from "./connection.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import type { SocketInternals, TcpHandle } from "./socket-internals.ts";

interface Receiver {
  receive(payload: Uint8Array): void;
}

/** The socket as the library holds it. */
export interface LibrarySocket {
  readonly readyState: number;
  readonly OPEN: number;
  close(code: number, reason: string): void;
  terminate(): void;
}

/**
 * Frames go straight to the TCP socket, whole and preframed, between those that the library writes
 * (it writes pongs and closes in one turn each, so they never mix).
 */
export class PlainClientSocket implements ClientSocket {
  protected readonly webSocket: LibrarySocket;
  protected readonly socket: Socket;

  constructor(webSocket: LibrarySocket, socket: Socket) {
    this.webSocket = webSocket;
    this.socket = socket;
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  get open(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN && this.socket.writable;
  }

  write(frame: Buffer): void {
    this.socket.write(frame);
  }

  /** Reads small messages past the library, where that is possible. */
  readFast(_payloadBytesMax: number, _receiver: Receiver): void {}

  close(code: number, reason: string): void {
    this.webSocket.close(code, reason);
  }

  terminate(): void {
    this.webSocket.terminate();
  }
}

/** Of all sockets: a read is done with before the next begins. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Writes and reads by the handle, where that is possible; the same bytes on the wire. */
export class FastClientSocket extends PlainClientSocket implements FrameSink {
  readonly #internals: SocketInternals;
  readonly #handle: TcpHandle;
  /** The write that the kernel did not take at once. */
  #waiting = false;
  #receiver: Receiver | undefined;

  constructor(
    webSocket: LibrarySocket,
    socket: Socket,
    internals: SocketInternals,
    handle: TcpHandle,
  ) {
    super(webSocket, socket);
    this.#internals = internals;
    this.#handle = handle;
  }

  /** The library hears of a socket's end before anybody else. */
  override get open(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN;
  }

  override get pendingBytes(): number {
    // The library writes too: pongs, which a client can ask for and leave unread.
    return this.socket.writableLength + (this.#waiting ? this.#handle.writeQueueSize : 0);
  }

  override write(frame: Buffer): void {
    // What the handle holds, or the stream, goes first. A destroyed socket has no handle.
    const isFree = !this.#waiting && this.socket.writableLength === 0;
    if (!isFree || this.#internals.handleOf(this.socket) === undefined) return super.write(frame);
    const request = spare ?? this.#internals.request();
    spare = undefined;
    const failed = this.#handle.writeBuffer(request, frame);
    if (failed !== 0) return void this.socket.destroy(new Error(`write failed (${failed})`));
    if (!this.#internals.lastWriteWaits()) {
      spare = request;
      return;
    }
    this.#waiting = true;
    request.buffer = frame;
    request.oncomplete = (status) => {
      this.#waiting = false;
      if (status < 0 && !this.socket.destroyed)
        this.socket.destroy(new Error(`write failed (${status})`));
    };
  }

  override readFast(payloadBytesMax: number, receiver: Receiver): void {
    this.#receiver = receiver;
    const reader = new FrameReader(payloadBytesMax);
    this.#internals.readInto(this.socket, READ_BUFFER, (length, buffer) => {
      reader.take(buffer, length, this);
      return true;
    });
  }

  message(payload: Uint8Array): void {
    this.#receiver?.receive(payload);
  }

  /** Everything but small messages goes to the library as if it had read it. */
  other(bytes: Buffer): void {
    this.socket.emit("data", bytes);
  }
}

/** A request that no write is using. */
let spare: ReturnType<SocketInternals["request"]> | undefined;
