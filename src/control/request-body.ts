import type { z } from "zod";
import { err, type Result } from "../kernel/result.ts";
import { failure, type HttpAnswer, type HttpRequest } from "../observe/http-answers.ts";
import { parseWith } from "./schema.ts";

/** Also with its one charset; not what only begins so, as application/json-seq. */
const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

/** What was sent, or the answer that says what is wrong with it. */
export function bodyOf<T>(request: HttpRequest, schema: z.ZodType<T>): Result<T, HttpAnswer> {
  const { "content-type": type = "", "content-encoding": encoding = "identity" } = request.headers;
  if (!JSON_TYPE.test(type) || encoding !== "identity") {
    return err(failure(415, "unsupported_media_type", "Send application/json in UTF-8, as it is."));
  }
  const value = parseJson(request.body);
  if (value === undefined) return err(failure(400, "invalid_body", "The body is no JSON."));
  const body = parseWith(schema, value);
  return body.ok ? body : err(failure(400, "invalid_body", body.error));
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
