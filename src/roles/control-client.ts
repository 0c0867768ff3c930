import { err, ok, type Result } from "../kernel/result.ts";

/** What a rolling restart can take. */
export type RestartRole = "node" | "gateway";

/** A node or gateway as the operator API lists it. */
export interface ListedProcess {
  readonly role: RestartRole;
  readonly id: string;
  readonly name: string;
  /** A node's, in the eyes of the placement that was asked; a gateway that is listed is `alive`. */
  readonly state: string;
  readonly draining: boolean;
  /** That a node owns; 0 of a gateway. */
  readonly rooms: number;
}

/** `silent`: perhaps it answers later. The others will not get better, and are sentences. */
export type ControlError = { readonly code: "silent" | "refused"; readonly sentence: string };

/** The operator API, as far as a rolling restart needs it. */
export interface ControlClient {
  list(): Promise<Result<readonly ListedProcess[], ControlError>>;
  /** `unknown`: no process of that name is there. */
  drain(role: RestartRole, name: string): Promise<Result<"asked" | "unknown", ControlError>>;
}

const ASK_MS_MAX = 5_000;

/** `control`: base URL. */
export function controlClient(control: string, token: string | undefined): ControlClient {
  const base = control.replace(/\/+$/, "");
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask = async (method: string, path: string): Promise<Result<Answer, ControlError>> => {
    const signal = AbortSignal.timeout(ASK_MS_MAX);
    try {
      const answer = await fetch(base + path, { method, headers, signal, redirect: "error" });
      return judged(base, answer.status, await answer.text());
    } catch (error) {
      return silent(`${base} does not answer (${reasonOf(error)}).`);
    }
  };
  return {
    list: async () => {
      const answer = await ask("GET", "/v1/nodes");
      if (!answer.ok) return answer;
      const listed = listing(answer.value.body);
      if (answer.value.status === 200 && listed !== undefined) return ok(listed);
      return refused(`${base} answers, but is no operator API of a roomcluster.`);
    },
    drain: async (role, name) => {
      const answer = await ask("POST", `/v1/${role}s/${name}/drain`);
      if (!answer.ok) return answer;
      if (answer.value.status === 202) return ok("asked");
      if (codeOf(answer.value.body) === `${role}_unknown`) return ok("unknown");
      return refused(`${base} can not drain a ${role}: ${answer.value.status}. Is it older?`);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const silent = (sentence: string) => err({ code: "silent", sentence } as const);
const refused = (sentence: string) => err({ code: "refused", sentence } as const);

function judged(base: string, status: number, text: string): Result<Answer, ControlError> {
  if (status === 401 || status === 403)
    return refused(
      `${base} wants another token: --token, or ROOMCLUSTER_CONTROL_TOKEN (answer ${status}).`,
    );
  if (status >= 500) return silent(`${base} answers ${status}.`);
  try {
    return ok({ status, body: JSON.parse(text) });
  } catch {
    return ok({ status, body: undefined });
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: { readonly code?: string } };
  return cause?.code ?? message;
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const codeOf = (body: unknown): unknown => fieldsOf(fieldsOf(body).error).code;

/** Undefined where it is none. */
function listing(body: unknown): ListedProcess[] | undefined {
  const { nodes, gateways } = fieldsOf(body);
  if (!Array.isArray(nodes) || !Array.isArray(gateways)) return undefined;
  const all = [
    ...nodes.map((one) => listed("node", fieldsOf(one))),
    ...gateways.map((one) => listed("gateway", { ...fieldsOf(one), state: "alive", rooms: 0 })),
  ];
  return all.includes(undefined) ? undefined : (all as ListedProcess[]);
}

function listed(role: RestartRole, fields: Fields): ListedProcess | undefined {
  const { id, name, state, draining, rooms } = fields;
  if (typeof id !== "string" || typeof name !== "string") return undefined;
  if (typeof state !== "string" || typeof draining !== "boolean") return undefined;
  if (typeof rooms !== "number") return undefined;
  return { role, id, name, state, draining, rooms };
}
