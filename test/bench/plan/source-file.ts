import type { Coefficients } from "../../../src/plan/cost-model.ts";

const NAME = /^[A-Za-z_$][\w$]*$/;

/** The file in which the product has them, as the formatter would write it. */
export function sourceText(coefficients: Coefficients): string {
  return `${[
    'import type { Coefficients } from "./cost-model.ts";',
    "",
    "/** Written by `npm run bench:plan -- --write`; nothing in here is set by hand. */",
    `export const COEFFICIENTS: Coefficients = ${literal(coefficients, "")};`,
  ].join("\n")}\n`;
}

function literal(value: unknown, indent: string): string {
  if (typeof value === "number") return numeral(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((one) => literal(one, deeper))
    : Object.entries(value).map(
        ([name, one]) =>
          `${NAME.test(name) ? name : JSON.stringify(name)}: ${literal(one, deeper)}`,
      );
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return `${open}\n${lines.map((line) => `${deeper}${line},\n`).join("")}${indent}${close}`;
}

/** 12_345, as people write it. */
function numeral(value: number): string {
  const [whole = "", ...rest] = String(value).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, "_");
  return [grouped, ...rest].join(".");
}
