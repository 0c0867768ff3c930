import { type Effect, sayKey, type WorldScript } from "./world-script.ts";

/**
 * A world that a rehearsal needs: `put {token}` counts on some page of `state.tokens` how often it
 * took effect. Everything that was lost or done twice shows in the state for as long as the room
 * lives.
 */
export interface LedgerLike {
  readonly tokens: readonly Readonly<Record<string, number>>[];
}

/** What a person's text is called in the ledger: at most 64 characters, unique in a run. */
export const ledgerToken = (person: string, text: string): string => `${person}:${text}`;

/** Bots that speak by putting tokens; there is nothing to carry. */
export const ledgerScript = (room: string): WorldScript => ({
  room,
  area: { x: 0, z: 0, radiusM: 18, gather: { x: 0, z: -12, radiusM: 5 } },
  line: (_number, count) => String(count),
  say: (text, person) => ({ name: "put", body: { token: ledgerToken(person, text) } }),
  emote: () => ({ name: "emote", body: { kind: "wave" } }),
  grab: (item) => ({ name: "grab", body: { item } }),
  place: (item, x, z, yaw) => ({ name: "place", body: { item, x, y: 0, z, yaw } }),
  items: () => [],
  effects(patches) {
    const effects: Effect[] = [];
    for (const [op, [area, _page, token]] of patches) {
      if (op === 2 || area !== "tokens" || typeof token !== "string") continue;
      const at = token.lastIndexOf(":");
      effects.push({ key: sayKey(token.slice(0, at), token.slice(at + 1)), unique: true });
    }
    return effects;
  },
});

/** How often each token took effect. */
export function tokensIn(ledger: LedgerLike): Map<string, number> {
  const tokens = new Map<string, number>();
  for (const page of ledger.tokens)
    for (const [token, times] of Object.entries(page))
      tokens.set(token, (tokens.get(token) ?? 0) + times);
  return tokens;
}

export interface LedgerAudit {
  readonly acked: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
}

/** `acked` are tokens whose command was acknowledged; `ledger` is the room as a newcomer has it. */
export function auditLedger(acked: ReadonlySet<string>, ledger: LedgerLike): LedgerAudit {
  const tokens = tokensIn(ledger);
  const lost = [...acked].filter((token) => !tokens.has(token));
  const doubled = [...tokens].flatMap(([token, times]) => (times > 1 ? [token] : []));
  return { acked: acked.size, lost, doubled };
}
