import { schema, t } from "@colyseus/schema";

/**
 * The smallest types that hold a pose, and no more than eight fields, as the documentation of
 * Colyseus advises: one more, and every player has an array of its own for what changed.
 */
export const Player = schema(
  {
    x: t.int32(),
    y: t.uint16(),
    z: t.int32(),
    yaw: t.uint8(),
    pitch: t.int8(),
    reach: t.uint16(),
    animation: t.uint8(),
  },
  "Player",
);

export const PoseState = schema({ players: t.map(Player) }, "PoseState");

/** A pose as bytes of a message, little-endian. */
export const POSE_BYTES = 15;
export const POSE_MESSAGE = 1;
