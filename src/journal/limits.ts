/**
 * What one journal record may hold. Far enough below NATS's max_payload for the headers of an
 * append; a larger record is a programmer's error, because a room splits its batches below it.
 */
export const RECORD_BYTES_MAX = 960 * 1024;

/** A snapshot is stored in messages of this size: large ones hold up a connection's small ones. */
export const SNAPSHOT_CHUNK_BYTES = 192 * 1024;

/**
 * What one snapshot may hold: state of 1 MiB, its secret half, members and replies, with room to
 * spare.
 */
export const SNAPSHOT_BYTES_MAX = 16 * 1024 * 1024;

/** How often `change` tries against faster writers until it answers `contended`. */
export const INDEX_TRIES_MAX = 16;
