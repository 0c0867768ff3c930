import { copyOf } from "../../src/bus/memory-copy.ts";

/** The payloads of whole, unmasked, binary WebSocket frames; anything else is an error. */
export function unframe(buffer: Buffer): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < buffer.length; ) {
    if (buffer[at] !== 0x82) throw new Error(`not a whole binary frame at ${at}`);
    const short = buffer[at + 1] as number;
    if (short > 127) throw new Error("servers do not mask");
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length =
      short < 126
        ? short
        : short === 126
          ? buffer.readUInt16BE(at + 2)
          : buffer.readUInt32BE(at + 6);
    payloads.push(copyOf(buffer.subarray(at + head, at + head + length)));
    at += head + length;
  }
  return payloads;
}
