import { COMMAND_BODY_BYTES_MAX } from "../protocol/client-messages.ts";
import type { FileConfig } from "./schema.ts";

/** A command's body, its name and the rest of its message. */
const COMMAND_BYTES_MAX = COMMAND_BODY_BYTES_MAX + 512;

/** What must hold between knobs, each as a sentence with both of them. */
export function checkRelations(config: FileConfig): string[] {
  const { gateway, node, placement, stopMsMax, graceMs } = config;
  const { windowMs, roomRestMs } = placement.rebalance;
  const must = (holds: boolean, sentence: string): string[] => (holds ? [] : [sentence]);
  return [
    ...must(
      gateway.payloadBytesMax >= COMMAND_BYTES_MAX,
      `gateway.payloadBytesMax (${gateway.payloadBytesMax}) must be at least ${COMMAND_BYTES_MAX}: a legal command has to fit.`,
    ),
    ...must(
      gateway.bytesPerSecond * 2 >= gateway.payloadBytesMax,
      `gateway.bytesPerSecond (${gateway.bytesPerSecond}) must be at least half of gateway.payloadBytesMax (${gateway.payloadBytesMax}): otherwise a full message never passes.`,
    ),
    ...must(
      gateway.messagesPerSecond >= gateway.posesPerSecond + gateway.commandsPerSecond,
      `gateway.messagesPerSecond (${gateway.messagesPerSecond}) must be at least gateway.posesPerSecond + gateway.commandsPerSecond (${gateway.posesPerSecond} + ${gateway.commandsPerSecond}): otherwise moving uses up what acting needs.`,
    ),
    ...must(
      node.sessionKeepMs >= node.seatHoldMs,
      `node.sessionKeepMs (${node.sessionKeepMs}) must be at least node.seatHoldMs (${node.seatHoldMs}): a held seat needs a session that can resume.`,
    ),
    ...must(
      gateway.drainMs < stopMsMax,
      `gateway.drainMs (${gateway.drainMs}) must be below stopMsMax (${stopMsMax}): otherwise a stopping gateway exits before its clients have moved.`,
    ),
    ...must(
      node.drainMs < stopMsMax,
      `node.drainMs (${node.drainMs}) must be below stopMsMax (${stopMsMax}): otherwise a stopping node exits before its rooms have moved.`,
    ),
    ...must(
      windowMs <= roomRestMs,
      `placement.rebalance.windowMs (${windowMs}) must be at most placement.rebalance.roomRestMs (${roomRestMs}): otherwise a room may move every time.`,
    ),
    ...must(
      stopMsMax < graceMs,
      `stopMsMax (${stopMsMax}) must be below graceMs (${graceMs}): the orchestrator kills after that long.`,
    ),
  ];
}
