/** Longer texts are seldom the same again. */
const KEPT_BYTES_MAX = 48;
const KEPT = 4_096;

/**
 * Texts that were read lately, by a hash of their bytes. Most are ids and names, which come again
 * with every message: found here they are neither made again nor hashed again by every map.
 */
const kept: string[] = new Array(KEPT).fill("");
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes as text. What is no UTF-8, halves of surrogate pairs included, becomes U+FFFD. */
export function readText(data: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return "";
  if (length > KEPT_BYTES_MAX) return decoded(data.subarray(start, end));
  let hash = length;
  let bits = 0;
  for (let at = start; at < end; at++) {
    const byte = data[at] as number;
    hash = Math.imul(hash ^ byte, 0x01000193);
    bits |= byte;
  }
  if (bits > 0x7f) return decoded(data.subarray(start, end));
  const slot = (hash ^ (hash >>> 15)) & (KEPT - 1);
  const known = kept[slot] as string;
  if (known.length === length && isAt(known, data, start)) return known;
  const text = String.fromCharCode(...data.subarray(start, end));
  kept[slot] = text;
  return text;
}

/**
 * Senders that write half of a surrogate pair write three bytes that UTF-8 never has, ED A0 to ED
 * BF and one more. They are one character that is no text, as they were to their sender.
 */
function decoded(bytes: Uint8Array): string {
  let mended: Uint8Array | undefined;
  for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) {
    if (((bytes[at + 1] ?? 0) & 0xe0) !== 0xa0 || ((bytes[at + 2] ?? 0) & 0xc0) !== 0x80) continue;
    mended ??= new Uint8Array(bytes);
    mended.set(REPLACEMENT, at);
  }
  return decoder.decode(mended ?? bytes);
}

/** U+FFFD. */
const REPLACEMENT = [0xef, 0xbf, 0xbd];

function isAt(text: string, data: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== data[start + i]) return false;
  return true;
}
