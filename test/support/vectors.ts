import { readdirSync, readFileSync } from "node:fs";

const DIR = new URL("../vectors/", import.meta.url);

export interface Vector {
  /** The line after `# `. */
  readonly comment: string;
  readonly bytes: Uint8Array;
  /** File and line, for messages about failures. */
  readonly where: string;
}

export const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
export const unhex = (text: string): Uint8Array => {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`not hex: ${text}`);
  return new Uint8Array(Buffer.from(digits, "hex"));
};

export const vectorFiles = (): string[] => readdirSync(DIR).filter((name) => name.endsWith(".hex"));

/** `## remark`, blank lines, and vectors: `# comment`, then any number of lines of hex. */
export function readVectors(file: string): Vector[] {
  const vectors: { comment: string; digits: string; where: string }[] = [];
  const lines = readFileSync(new URL(file, DIR), "utf8").split("\n");
  for (const [at, line] of lines.entries()) {
    const where = `${file}:${at + 1}`;
    if (line === "" || line.startsWith("##")) continue;
    if (line.startsWith("# ")) vectors.push({ comment: line.slice(2), digits: "", where });
    else {
      const open = vectors.at(-1);
      if (!open) throw new Error(`${where}: hex without a comment`);
      open.digits += line;
    }
  }
  return vectors.map(({ comment, digits, where }) => ({ comment, where, bytes: unhex(digits) }));
}

/** JSON in which `{"$hex": "00ff"}` stands for bytes. */
export const parseVectorJson = (text: string): unknown =>
  JSON.parse(text, (_, value) => {
    const keys = value !== null && typeof value === "object" ? Object.keys(value) : [];
    return keys.length === 1 && keys[0] === "$hex" ? unhex(value.$hex) : value;
  });
