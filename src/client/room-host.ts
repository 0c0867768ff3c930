import type { MembershipHost } from "./membership.ts";
import type { Pace } from "./pace.ts";
import type { Room } from "./room.ts";
import type { JoinOptions } from "./room-options.ts";

/** What a room needs of its client. */
export interface RoomHost extends MembershipHost {
  /** Shared by all rooms, because the gateway counts by socket. */
  readonly commandPace: Pace;
  readonly signalPace: Pace;
  readonly rtt: () => { readonly rttMs: number; readonly wayMs: number };
  readonly travel: <Next>(
    from: { leave(transfer: string): Promise<void> },
    room: string,
    options: JoinOptions,
    transfer: string,
  ) => Promise<Room<Next>>;
}
