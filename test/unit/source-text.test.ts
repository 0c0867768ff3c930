import { expect, it } from "vitest";
import { blanked, functionSpans } from "../support/source-text.ts";

/** Templates of templates are easier to read with other signs. */
const asTemplates = (text: string): string => text.replaceAll("~", "`").replaceAll("#{", "${");

it("blanks comments, strings, templates and patterns, and nothing else", () => {
  const cases: [source: string, code: string][] = [
    ["a // b", "a     "],
    ["a /* b\nc */ d", "a     \n     d"],
    ['f("x{")', 'f("  ")'],
    ["f('it\\'s') + g", "f('     ') + g"],
    ["~a#{b + ~c#{d}~}e~ + f", "~ #{b + ~ #{d}~} ~ + f"],
    ["~#{ {a: 1}.a }x~", "~#{ {a: 1}.a } ~"],
    ["x = /[\"/]'/g; y", "x = /     /g; y"],
    ["a / b / c", "a / b / c"],
    ["(a) / 2 // c", "(a) / 2     "],
  ];
  for (const [written, code] of cases.map((pair) => pair.map(asTemplates))) {
    const source = written ?? "";
    expect(blanked(source)).toBe(code);
    expect(blanked(source)).toHaveLength(source.length);
  }
});

it("finds functions, and no other braces", () => {
  const code = [
    "function f(a: number): Map<string, number> {",
    "  if (a) {",
    "    for (const b of c) {",
    "    }",
    "  }",
    "}",
    "const g = () => {",
    "};",
    "class C {",
    "  m(x: () => void): void {",
    "  }",
    "}",
    "const o = { p: 1 };",
  ].join("\n");
  expect(functionSpans(code)).toEqual([
    { line: 1, lines: 6 },
    { line: 7, lines: 2 },
    { line: 10, lines: 2 },
  ]);
});
