import { reasonOf } from "../kernel/reason.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { ControlUrls } from "./control-urls.ts";

/** What a rolling restart can take. */
export type RestartRole = "node" | "gateway" | "placement";

/** A process as the operator API lists it. */
export interface ListedProcess {
  readonly role: RestartRole;
  readonly id: string;
  readonly name: string;
  /** A node's, in the eyes of the placement that was asked; any other that is listed is `alive`. */
  readonly state: string;
  readonly draining: boolean;
  /** That a node owns; 0 of any other. */
  readonly rooms: number;
}

export interface Listing {
  readonly processes: readonly ListedProcess[];
  /** Rooms that nodes had left which are gone, by incarnation. */
  readonly ended: ReadonlyMap<string, number>;
}

/** What becomes of a process that was asked to drain. */
export interface Draining {
  readonly deadlineMs: number;
  /** Rooms that are not moved for load, and will move now. */
  readonly immovable: readonly string[];
}

/** `silent`: perhaps it answers later. The others will not get better, and are sentences. */
export type ControlError = { readonly code: "silent" | "refused"; readonly sentence: string };

/** The operator API, as far as a rolling restart needs it. */
export interface ControlClient {
  list(): Promise<Result<Listing, ControlError>>;
  /**
   * Exactly this incarnation; `unknown`: it is not there. Left out, the deadline is the API's. May
   * be repeated: the first word counts.
   */
  drain(
    process: Pick<ListedProcess, "role" | "id">,
    deadlineMs: number | undefined,
  ): Promise<Result<Draining | "unknown", ControlError>>;
}

const ASK_MS_MAX = 5_000;

/** `controls`: base URLs of replicas. Where one is silent another is asked, also one they name. */
export function controlClient(
  controls: readonly string[],
  token: string | undefined,
): ControlClient {
  const urls = new ControlUrls(controls);
  /** `read` answers undefined where this is not what was asked for; `otherwise` says so. */
  const ask = async <T>(
    question: Question,
    read: (answer: Answer) => T | undefined,
    otherwise: (answer: Answer) => string,
  ): Promise<Result<T, ControlError>> => {
    const silences: string[] = [];
    for (const { url, named } of urls.inOrder()) {
      const answer = await askOne(url, token, question);
      const value = answer.ok ? read(answer.value) : undefined;
      if (value !== undefined) {
        urls.answers(url);
        return ok(value);
      }
      // Where a replica was once, somebody else may answer by now.
      if (!named) continue;
      const failed = answer.ok ? refused(otherwise(answer.value)) : answer;
      if (failed.error.code === "refused") return failed;
      silences.push(failed.error.sentence);
    }
    return silent(silences.join(" "));
  };
  return {
    list: async () => {
      const listed = await ask(
        { method: "GET", path: "/v1/nodes" },
        ({ status, body }) => (status === 200 ? listing(body) : undefined),
        ({ base }) => `${base} answers, but is no operator API of this release of roomcluster.`,
      );
      if (listed.ok) urls.learn(listed.value.urls);
      return listed;
    },
    drain: ({ role, id }, deadlineMs) =>
      ask<Draining | "unknown">(
        { method: "POST", path: `/v1/${role}s/${id}/drain`, body: { deadlineMs } },
        ({ status, body }) => {
          if (status === 202) return drainingOf(body);
          return codeOf(body) === `${role}_unknown` ? "unknown" : undefined;
        },
        ({ base, status }) => `${base} can not drain a ${role}: ${status}. Is it older?`,
      ),
  };
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}
interface Answer {
  readonly base: string;
  readonly status: number;
  readonly body: unknown;
}

const silent = (sentence: string) => err({ code: "silent", sentence } as const);
const refused = (sentence: string) => err({ code: "refused", sentence } as const);

async function askOne(
  base: string,
  token: string | undefined,
  { method, path, body }: Question,
): Promise<Result<Answer, ControlError>> {
  const signal = AbortSignal.timeout(ASK_MS_MAX);
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const sent = body === undefined ? null : JSON.stringify(body);
  try {
    const options = { method, headers, body: sent, signal, redirect: "error" } as const;
    const answer = await fetch(base + path, options);
    return judged(base, answer.status, await answer.text());
  } catch (error) {
    return silent(`${base} does not answer (${reasonOf(error)}).`);
  }
}

function judged(base: string, status: number, text: string): Result<Answer, ControlError> {
  if (status === 401 || status === 403)
    return refused(
      `${base} wants another token: --token, or ROOMCLUSTER_CONTROL_TOKEN (answer ${status}).`,
    );
  if (status >= 500) return silent(`${base} answers ${status}.`);
  try {
    return ok({ base, status, body: JSON.parse(text) });
  } catch {
    return ok({ base, status, body: undefined });
  }
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const codeOf = (body: unknown): unknown => fieldsOf(fieldsOf(body).error).code;

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

function drainingOf(body: unknown): Draining | undefined {
  const { deadlineMs, immovable } = fieldsOf(body);
  if (typeof deadlineMs !== "number" || !areTexts(immovable)) return undefined;
  return { deadlineMs, immovable };
}

/** Undefined where it is none. `urls`: of the replicas. */
function listing(body: unknown): (Listing & { readonly urls: readonly string[] }) | undefined {
  const { nodes, gateways, placements, ended } = fieldsOf(body);
  if (!Array.isArray(nodes) || !Array.isArray(gateways)) return undefined;
  if (!Array.isArray(placements) || !Array.isArray(ended)) return undefined;
  const serving = { state: "alive", rooms: 0, draining: false };
  const all = [
    ...nodes.map((one) => listed("node", fieldsOf(one))),
    ...gateways.map((one) => listed("gateway", { ...serving, ...fieldsOf(one) })),
    ...placements.map((one) => listed("placement", { ...serving, ...fieldsOf(one) })),
  ];
  const left = ended.map((one) => [fieldsOf(one).id, fieldsOf(one).rooms] as [string, number]);
  const urls = placements.map((one) => fieldsOf(one).url);
  if (all.includes(undefined) || !areTexts(urls)) return undefined;
  return { processes: all as ListedProcess[], ended: new Map(left), urls };
}

function listed(role: RestartRole, fields: Fields): ListedProcess | undefined {
  const { id, name, state, draining, rooms } = fields;
  if (typeof id !== "string" || typeof name !== "string") return undefined;
  if (typeof state !== "string" || typeof draining !== "boolean") return undefined;
  if (typeof rooms !== "number") return undefined;
  return { role, id, name, state, draining, rooms };
}
