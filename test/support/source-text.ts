/**
 * TypeScript with the insides of comments, strings and regular expressions blanked, character for
 * character, so that positions stay. Code within `${}` stays. Good enough to look for words in.
 */
export function blanked(source: string): string {
  const out = [...source];
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  /** For each open template, how many braces are open inside its current `${`. */
  const templates: number[] = [];
  for (let at = 0; at < out.length; ) {
    const end = tokenEnd(source, at, templates);
    if (end.blank) blank(end.blank[0], end.blank[1]);
    at = end.next;
  }
  return out.join("");
}

interface Token {
  readonly next: number;
  readonly blank?: readonly [from: number, to: number];
}

function tokenEnd(source: string, at: number, templates: number[]): Token {
  const character = source[at] as string;
  const open = templates.length - 1;
  if (character === "/") return slash(source, at);
  if (character === '"' || character === "'") {
    const close = closing(source, at + 1, character);
    return { next: close + 1, blank: [at + 1, close] };
  }
  if (character === "`") return template(source, at + 1, templates);
  if (open >= 0 && character === "{") (templates[open] as number)++;
  if (open >= 0 && character === "}") {
    if (templates[open] === 0) {
      templates.pop();
      return template(source, at + 1, templates);
    }
    (templates[open] as number)--;
  }
  return { next: at + 1 };
}

/** A template's text from `at` on, up to its end or to the code inside it. */
function template(source: string, at: number, templates: number[]): Token {
  for (let i = at; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "`") return { next: i + 1, blank: [at, i] };
    else if (source[i] === "$" && source[i + 1] === "{") {
      templates.push(0);
      return { next: i + 2, blank: [at, i] };
    }
  }
  return { next: source.length, blank: [at, source.length] };
}

function slash(source: string, at: number): Token {
  if (source[at + 1] === "/") {
    const end = source.indexOf("\n", at);
    const next = end < 0 ? source.length : end;
    return { next, blank: [at, next] };
  }
  if (source[at + 1] === "*") {
    const end = source.indexOf("*/", at + 2);
    const next = end < 0 ? source.length : end + 2;
    return { next, blank: [at, next] };
  }
  const before = source.slice(0, at).trimEnd();
  const isRegex = before === "" || /([(,=:[!&|?{};+]|\breturn|=>)$/.test(before);
  if (!isRegex) return { next: at + 1 };
  let inClass = false;
  for (let i = at + 1; i < source.length && source[i] !== "\n"; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") inClass = true;
    else if (source[i] === "]") inClass = false;
    else if (source[i] === "/" && !inClass) return { next: i + 1, blank: [at + 1, i] };
  }
  return { next: at + 1 };
}

function closing(source: string, at: number, quote: string): number {
  let i = at;
  while (i < source.length && source[i] !== quote && source[i] !== "\n") {
    i += source[i] === "\\" ? 2 : 1;
  }
  return i;
}

export const lineOf = (source: string, at: number): number =>
  source.slice(0, at).split("\n").length;

export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
}

/** Bodies in braces that follow a parameter list or an arrow; `code` is blanked. */
export function functionSpans(code: string): FunctionSpan[] {
  const open: { at: number; isFunction: boolean }[] = [];
  const spans: FunctionSpan[] = [];
  for (let at = 0; at < code.length; at++) {
    if (code[at] === "{") open.push({ at, isFunction: opensFunction(code, at) });
    if (code[at] !== "}") continue;
    const start = open.pop();
    if (!start?.isFunction) continue;
    const lines = code.slice(start.at, at).split("\n").length;
    spans.push({ line: lineOf(code, start.at), lines });
  }
  return spans;
}

function opensFunction(code: string, brace: number): boolean {
  const before = code.slice(Math.max(0, brace - 400), brace).trimEnd();
  if (before.endsWith("=>")) return true;
  // `): Result<A, B> {` or `) {`; the word before the parentheses tells them from `if (…) {`.
  const parameters = /\)(\s*:\s*[\w\s.,<>[\]|&"#]+)?$/.exec(before);
  if (!parameters) return false;
  let depth = 0;
  for (let i = parameters.index; i >= 0; i--) {
    if (before[i] === ")") depth++;
    else if (before[i] === "(" && --depth === 0)
      return !/\b(if|for|while|switch|catch|await)\s*$/.test(before.slice(0, i));
  }
  return false;
}
