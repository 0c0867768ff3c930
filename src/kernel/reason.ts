/** What a thrown error is about: a `fetch` that failed says it by its cause, mostly by a code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause as { readonly code?: unknown; readonly message?: unknown } | undefined;
  const said = [cause?.code, cause?.message].find((text) => typeof text === "string" && text);
  return typeof said === "string" ? said : error.message;
}
