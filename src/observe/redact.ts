const SECRET_KEY = /token|secret|password|passphrase|authorization|cookie|credential|privatekey/i;
/** `tokenUrl`, `tokenMsMax` and the like speak about secrets without being one. */
const HARMLESS_KEY = /(url|ms|bytes|max|min|count)$/i;
const JWT = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g;
const URL_LOGIN = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;

const HIDDEN = "[redacted]";
const DEPTH_MAX = 6;
const ITEMS_MAX = 64;
const TEXT_MAX = 4096;

/**
 * A copy that may be written down: values under secret keys, JWTs inside of texts and logins inside
 * of URLs are hidden; depth, items and text lengths are bounded, so that no log line can be huge.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  if (depth >= DEPTH_MAX) return "<deeper>";
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Map) return redact(Object.fromEntries(value), depth);
  if (value instanceof Set) return redact([...value], depth);
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item) => redact(item, depth + 1));
    if (value.length > ITEMS_MAX) items.push(`<${value.length - ITEMS_MAX} more>`);
    return items;
  }
  return redactFields(value, depth);
}

/** The same for the fields of a log line. */
export function redactFields(fields: object, depth = 0): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  const entries = Object.entries(fields);
  for (const [key, value] of entries.slice(0, ITEMS_MAX)) {
    copy[key] = isSecret(key, value) ? HIDDEN : redact(value, depth + 1);
  }
  if (entries.length > ITEMS_MAX) copy["…"] = `<${entries.length - ITEMS_MAX} more>`;
  return copy;
}

// An object under a secret key (`passwords`) is hidden as a whole: its keys are no warning signs.
const isSecret = (key: string, value: unknown): boolean =>
  SECRET_KEY.test(key) &&
  !HARMLESS_KEY.test(key) &&
  value !== undefined &&
  value !== null &&
  value !== "" &&
  typeof value !== "boolean" &&
  typeof value !== "number";

function redactText(text: string): string {
  const clean = text.replace(JWT, HIDDEN).replace(URL_LOGIN, `$1${HIDDEN}@`);
  return clean.length > TEXT_MAX ? `${clean.slice(0, TEXT_MAX)}…` : clean;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    message: redactText(message),
    ...(code === undefined ? {} : { code: redact(code, depth + 1) }),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redact(cause, depth + 1) }),
  };
}
