export type WorkName = "rooms50" | "room500" | "crowd";

/** What people do, the same for every contestant. */
export interface Work {
  readonly name: WorkName;
  readonly rooms: number;
  readonly roomSize: number;
  /** Of ten people in a room, so many move and send at full rate; the others stand still. */
  readonly moversOfTen: number;
}

export const UPDATES_HZ = 10;
/** Who stands still says so this often. */
export const STANDING_HZ = 0.5;

export const usersOf = ({ rooms, roomSize }: Work): number => rooms * roomSize;

export const isMover = (work: Work, person: number): boolean => person % 10 < work.moversOfTen;

/** Others who move, as one person of a room sees it. */
export function moversSeen(work: Work, person: number): number {
  let movers = 0;
  for (let other = 0; other < work.roomSize; other++)
    if (other !== person && isMover(work, other)) movers++;
  return movers;
}
