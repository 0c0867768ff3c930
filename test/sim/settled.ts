import type { ClientChecker } from "./client-checker.ts";
import { type Fleet, roomOf } from "./fleet.ts";
import type { JournalChecker } from "./journal-checker.ts";
import type { Accuse } from "./violation.ts";

/**
 * Who sends nothing for 3 s is sent few frames until the next ping or pose, 5 s after the last
 * (GW62); before and after it a frame may be a second late.
 */
const FRAME_AGE_MS_MAX = 4_200;

/** I6: some time after the last fault every room serves again, and everybody knows all there is. */
export function checkSettled(
  fleet: Fleet,
  journal: JournalChecker,
  clients: ClientChecker,
  eventRooms: readonly string[],
  accuse: Accuse,
): void {
  const { now } = fleet.time;
  const rooms = [...fleet.rooms, ...eventRooms];
  for (const name of rooms) {
    const { owner } = journal.truth(roomOf(name));
    const serving = fleet.nodes.find(({ process }) => process.self === owner);
    if (!serving?.process.up) accuse("I6", `${name} belongs to ${owner}, which is not there`);
  }
  let hosted = 0;
  for (const { node, process } of fleet.nodes) if (process.up) hosted += node.stats().rooms;
  if (hosted !== rooms.length)
    accuse("I6", `nodes believe to host ${hosted} rooms, of ${rooms.length}`);
  for (const client of fleet.clients) {
    if (!client.client) continue;
    const { room, roomName } = client;
    const bad = (what: string): void => accuse("I6", `${client.name} in ${roomName}: ${what}`);
    if (!room || room.ended) {
      bad("is not in");
      continue;
    }
    const truth = journal.truth(roomOf(roomName));
    if (client.open > 0) bad(`${client.open} commands without an answer`);
    if (room.epoch !== truth.epoch) bad(`epoch ${room.epoch}, the journal says ${truth.epoch}`);
    if (room.index !== truth.index) bad(`index ${room.index}, the journal says ${truth.index}`);
    const age = now - (clients.lastFrameMs.get(client) ?? 0);
    if (age > FRAME_AGE_MS_MAX) bad(`no frame for ${Math.round(age)} ms`);
    const here = [...truth.sessions.values()].filter((session) => session.here).length;
    if (room.members.size !== here) bad(`${room.members.size} members, the journal says ${here}`);
  }
}
