import type { ClusterView, NodeView } from "../control/port.ts";
import type { Clock, Timer } from "../kernel/clock.ts";

export interface RoomView {
  readonly owner: string | null;
  readonly epoch: number;
  readonly status: string;
}

export interface ClusterLook {
  readonly cluster: ClusterView;
  /** Null while the room is not in the index. */
  readonly room: RoomView | null;
}

/** `locked`: the API asks for the operator's token; `refused` where it knows another one. */
export type ClusterNews =
  | { readonly kind: "look"; readonly look: ClusterLook }
  | { readonly kind: "silent" }
  | { readonly kind: "locked"; readonly refused: boolean };

export type KillOutcome = "killed" | "failed" | "locked";

/** What the browser lends. */
export interface ClusterClientDeps {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Of this tab and gone with it: the token is the operator's, not the machine's. */
  readonly store: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  readonly hidden: () => boolean;
}

const VISIBLE_MS = 500;
const HIDDEN_MS = 1000;
/** Nothing changes while nobody types; the API may have been started anew, without a token. */
const LOCKED_MS = 5000;
const TIMEOUT_MS = 3000;
const TOKEN = "plaza.operator-token";
/** What a header takes, and the API as well. */
const TOKEN_FORM = /^[\x21-\x7e]{1,1024}$/;

class Unauthorized extends Error {}

/** The control API as the page asks it: with the operator's token, where one was entered. */
export class ClusterClient {
  readonly #deps: ClusterClientDeps;
  #token: string | null;
  /** A token was given and not taken. */
  #refused = false;
  #wait: Timer = { cancel() {} };
  /** Counts rounds: one that was overtaken by a new token says nothing. */
  #round = 0;
  #poll: (() => Promise<void>) | undefined;

  constructor(deps: ClusterClientDeps) {
    this.#deps = deps;
    this.#token = deps.store.getItem(TOKEN);
  }

  /** Asks again and again, one round at a time. */
  watch(roomPath: string, show: (news: ClusterNews) => void): void {
    const { clock, hidden } = this.#deps;
    const poll = async (): Promise<void> => {
      this.#wait.cancel();
      this.#round += 1;
      const round = this.#round;
      const news = await this.#look(roomPath);
      if (round !== this.#round) return;
      if (news.kind === "locked") this.#forget();
      show(news.kind === "locked" ? { kind: "locked", refused: this.#refused } : news);
      const openMs = hidden() ? HIDDEN_MS : VISIBLE_MS;
      this.#wait = clock.after(news.kind === "locked" ? LOCKED_MS : openMs, () => void poll());
    };
    this.#poll = poll;
    void poll();
  }

  /** Takes the operator's token and asks with it at once. */
  unlock(token: string): void {
    const given = token.trim();
    // A header can not carry any other, so it is wrong without asking.
    this.#token = TOKEN_FORM.test(given) ? given : null;
    this.#refused = this.#token === null;
    if (this.#token !== null) this.#deps.store.setItem(TOKEN, this.#token);
    void this.#poll?.();
  }

  /** Dev mode only: SIGKILL to the node's process. */
  async killNode(node: NodeView): Promise<KillOutcome> {
    try {
      const answer = await this.#ask(`/v1/nodes/${node.name}/kill`, "POST");
      if (answer.status === 401) return "locked";
      return answer.ok ? "killed" : "failed";
    } catch {
      return "failed";
    }
  }

  #forget(): void {
    if (this.#token === null) return;
    this.#token = null;
    this.#refused = true;
    this.#deps.store.removeItem(TOKEN);
  }

  async #look(roomPath: string): Promise<ClusterNews> {
    try {
      const [cluster, room] = await Promise.all([
        this.#get<ClusterView>("/v1/nodes"),
        this.#get<RoomView>(`/v1/rooms/${roomPath}`),
      ]);
      return cluster ? { kind: "look", look: { cluster, room } } : { kind: "silent" };
    } catch (error) {
      if (error instanceof Unauthorized) return { kind: "locked", refused: false };
      // The replica of the control API may be the very process that was killed; it comes back.
      return { kind: "silent" };
    }
  }

  async #get<T>(path: string): Promise<T | null> {
    const answer = await this.#ask(path, "GET");
    if (answer.status === 401) throw new Unauthorized();
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return (await answer.json()) as T;
  }

  /** Paths of this page's own host only: the token goes nowhere else. */
  #ask(path: string, method: string): Promise<Response> {
    const headers = this.#token === null ? {} : { authorization: `Bearer ${this.#token}` };
    return this.#deps.fetch(path, {
      method,
      headers,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }
}
