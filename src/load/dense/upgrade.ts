import { createHash } from "node:crypto";
import { type Random, randomHex } from "../../kernel/random.ts";
import { SUBPROTOCOL } from "../../protocol/client-messages.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_BYTES_MAX = 8 * 1024;

/** The handshake of RFC 6455, 4.1. One key serves a process: it is no secret. */
export interface Upgrade {
  /** To be sent to the server at `host`. */
  request(host: string): string;
  /** What is wrong with an answer; undefined where nothing is. */
  refusal(head: string): string | undefined;
}

export function upgradeWith(random: Random): Upgrade {
  const key = Buffer.from(randomHex(random, 8), "latin1").toString("base64");
  const accept = createHash("sha1").update(`${key}${GUID}`).digest("base64");
  return {
    request: (host) =>
      [
        "GET / HTTP/1.1",
        `Host: ${host}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${key}`,
        `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
        "\r\n",
      ].join("\r\n"),
    refusal: (head) => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
      if (status === undefined) return "no answer of HTTP";
      if (status !== "101") return `upgrade answered ${status}`;
      if (headerOf(head, "sec-websocket-accept") !== accept) return "upgrade with another key";
      const agreed = headerOf(head, "sec-websocket-protocol");
      return agreed === SUBPROTOCOL ? undefined : "upgrade without the subprotocol";
    },
  };
}

function headerOf(head: string, name: string): string | undefined {
  const found = head.split("\r\n").find((line) => line.toLowerCase().startsWith(`${name}:`));
  return found?.slice(name.length + 1).trim();
}

/** Gathers the answer's head, however it is cut. */
export class UpgradeAnswer {
  #text = "";

  /** Takes what a read brought; answers where the head ends in it, once it has. */
  take(bytes: Uint8Array, end: number): number | undefined {
    const before = this.#text.length;
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
    const found = this.#text.indexOf("\r\n\r\n");
    if (found < 0) return undefined;
    this.#text = this.#text.slice(0, found);
    return found + 4 - before;
  }

  get head(): string {
    return this.#text;
  }

  get tooLong(): boolean {
    return this.#text.length > HEAD_BYTES_MAX;
  }
}
