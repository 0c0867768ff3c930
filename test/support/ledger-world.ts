import { z } from "zod";
import { defineRoom, refuse } from "../../actors/room/define-room.ts";

export interface LedgerState {
  /**
   * How often each token was put: a token acknowledged and missing is lost, above 1 is doubled. On
   * many pages, because a command copies every object that it changes.
   */
  tokens: Record<string, number>[];
  chat: Record<string, string>;
  said: number;
}

const PAGES = 32;

function pageOf(token: string): number {
  let hash = 0;
  for (let at = 0; at < token.length; at++) hash = (hash * 31 + token.charCodeAt(at)) >>> 0;
  return hash % PAGES;
}

/**
 * A world whose state shows by itself what was lost or done twice, and that can be made to fail.
 */
export const ledger = defineRoom({
  name: "ledger",
  version: 1,
  tickHz: 10,
  capacity: 1_200,
  state: (): LedgerState => ({
    tokens: Array.from({ length: PAGES }, () => ({})),
    chat: {},
    said: 0,
  }),
  commands: {
    put: {
      body: z.object({ token: z.string().max(64) }),
      run(room, { token }) {
        const page = room.state.tokens[pageOf(token)] as Record<string, number>;
        page[token] = (page[token] ?? 0) + 1;
        return page[token];
      },
    },
    say: {
      body: z.object({ text: z.string().max(200) }),
      run(room, { text }) {
        room.state.chat[++room.state.said] = text;
        delete room.state.chat[room.state.said - 200];
        return room.state.said;
      },
    },
    no: { body: z.null(), run: () => refuse("no") },
    explode: {
      body: z.null(),
      run: () => {
        throw new Error("this command always throws");
      },
    },
    /** Holds its node's event loop up for so long, like a handler that computes too much. */
    stall: {
      body: z.object({ ms: z.number().max(30_000) }),
      run(_room, { ms }) {
        const until = performance.now() + ms;
        while (performance.now() < until);
        return null;
      },
    },
    loop: {
      body: z.null(),
      run: () => {
        for (;;);
      },
    },
  },
  signals: { emote: z.object({ kind: z.string().max(16) }) },
  spawn: (_room, who) => ({
    x: (who.slot % 32) - 16,
    y: 0,
    z: Math.floor(who.slot / 32),
    yaw: 0,
    pitch: 0,
    reach: [0, 0, 0],
    animation: 0,
  }),
});

export default [ledger];
