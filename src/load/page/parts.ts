import { STYLE } from "./style.ts";

/** What pages of reports are made of: they need nothing but themselves. */

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};
export const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => escapes[c] ?? c);

export interface Page {
  readonly title: string;
  readonly heading: string;
  /** These and the sections are HTML. */
  readonly lead: string;
  readonly meta: string;
  readonly sections: readonly string[];
}

export const pageOf = ({ heading, lead, meta, sections, title }: Page): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<main>
<header>
<h1>${escaped(heading)}</h1>
<p class="lead">${lead}</p>
<p class="meta">${meta}</p>
</header>
${sections.join("\n")}
</main>
</html>
`;

export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly good: boolean;
}

export const tilesOf = (tiles: readonly Tile[]): string =>
  `<section class="tiles">${tiles
    .map(
      ({ good, name, value }) =>
        `<div class="tile${good ? "" : " bad"}"><b>${escaped(value)}</b><span>${escaped(name)}</span></div>`,
    )
    .join("")}</section>`;

/** Heads and rows are HTML. */
export function tableOf(heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map(
    (name, i) => `<th${i > 0 && name !== "" ? "" : ' class="first"'}>${name}</th>`,
  );
  return `<div class="scroll"><table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

/** Whether an aim was met or a check passed. */
export const mark = (kept: boolean, words: readonly [kept: string, missed: string]): string =>
  `<span class="mark ${kept ? "kept" : "missed"}">${kept ? words[0] : words[1]}</span>`;
