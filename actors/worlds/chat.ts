import { z } from "zod";
import { type Room, refuse, type Who } from "../room/define-room.ts";

export interface ChatLine {
  n: number;
  person: string;
  slot: number;
  text: string;
  at: number;
}

/** What a room in which people talk has in its state. */
export interface ChatState {
  /** The last 100 lines, by their number. */
  chat: Record<string, ChatLine>;
  said: number;
}

const LINES_MAX = 100;
/** Whoever says something is looked at for so long. */
const SPEAKER_MS = 5_000;

export const newChat = (): ChatState => ({ chat: {}, said: 0 });

/** The command of whoever says something. */
export const say = {
  body: z.object({ text: z.string().trim().min(1).max(300) }),
  run(room: Room<ChatState>, { text }: { readonly text: string }, who: Who | undefined) {
    if (!who) return refuse("nobody");
    const n = ++room.state.said;
    const { person, slot } = who;
    room.state.chat[n] = { n, person, slot, text, at: room.now };
    delete room.state.chat[n - LINES_MAX];
    room.spotlight(slot, SPEAKER_MS);
    return { n };
  },
};
