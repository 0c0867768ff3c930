const SLAB_BYTES = 64 * 1024;
const SHARED_BYTES_MAX = 4 * 1024;
/** So that words of any size can be read out of it. */
const ALIGNMENT = 8;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/**
 * Bytes of one's own with the same contents. Small ones lie side by side in one buffer, which lives
 * as long as any of them: a buffer for each would take longer to make than its message to deliver.
 */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > SHARED_BYTES_MAX) return new Uint8Array(bytes);
  if (used + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const copy = new Uint8Array(slab, used, length);
  copy.set(bytes);
  used += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  return copy;
}
