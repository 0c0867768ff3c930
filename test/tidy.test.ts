import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { blanked, functionSpans, lineOf } from "./support/source-text.ts";

/** The house rules as a test. Each rule prints everything that breaks it, wherever it is. */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const IGNORED = /(^|\/)(node_modules|dist|\.git|\.cache|coverage)(\/|$)|^test\/bench\/peers\//;

const filesUnder = (folder: string): string[] =>
  existsSync(path.join(ROOT, folder))
    ? readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
        .filter((file) => !IGNORED.test(file))
        .sort()
    : [];

const CODE_FOLDERS = ["src", "actors", "gateway"];
const allFiles = [...CODE_FOLDERS, "test", "deploy"].flatMap(filesUnder);
const rootFiles = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => entry.name);

interface Source {
  readonly file: string;
  readonly text: string;
  /** Without the insides of comments and strings. */
  readonly code: string;
}
const sources: Source[] = allFiles
  .filter((file) => /\.m?ts$/.test(file))
  .map((file) => {
    const text = readFileSync(path.join(ROOT, file), "utf8");
    return { file, text, code: blanked(text) };
  });
const product = sources.filter(({ file }) => CODE_FOLDERS.includes(file.split("/")[0] ?? ""));

function tidy(violations: readonly string[]): void {
  if (violations.length === 0) return;
  const error = new Error(`${violations.length} broken:\n  ${violations.join("\n  ")}`);
  // Where this file threw is of no interest.
  error.stack = "";
  throw error;
}

/** Every match of a pattern, as `file:line what`. */
function found(among: readonly Source[], pattern: RegExp, where: "code" | "text"): string[] {
  return among.flatMap((source) =>
    [...source[where].matchAll(pattern)].map(
      (match) => `${source.file}:${lineOf(source[where], match.index)} ${match[0].trim()}`,
    ),
  );
}

interface Import {
  readonly from: string;
  readonly line: number;
  readonly specifier: string;
  /** The imported file; undefined for a package. */
  readonly file: string | undefined;
  readonly typeOnly: boolean;
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[\w*{][^;"]*?\sfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;

function importsOf({ file, text, code }: Source): Import[] {
  return [...text.matchAll(IMPORT)].flatMap((match) => {
    // A comment may quote an import; blanked code has no such word there.
    const word = text.slice(match.index).search(/import|export/) + match.index;
    if (!/^(import|export)/.test(code.slice(word, word + 6))) return [];
    const specifier = match[2] ?? match[3] ?? "";
    const relative = specifier.startsWith(".");
    const target = path.normalize(path.join(path.dirname(file), specifier));
    return {
      from: file,
      line: lineOf(text, word),
      specifier,
      file: relative ? target : undefined,
      typeOnly: match[1] !== undefined,
    };
  });
}
const imports = product.flatMap(importsOf);

/** `src/bus/link.ts` is of `bus`, `actors/room/fold.ts` of `actors`. */
function partOf(file: string): string {
  const [top = "", next = ""] = file.split("/");
  if (top !== "src") return top;
  return next.endsWith(".ts") ? "main" : next;
}

const MIDDLE = ["config", "bus", "journal", "membership", "placement", "observe"];
const BELOW = ["kernel", "protocol"];
/** Who may import whom (DESIGN 5); everyone may import their own part. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  kernel: [],
  protocol: ["kernel"],
  ...Object.fromEntries(MIDDLE.map((part) => [part, [...BELOW, ...MIDDLE]])),
  client: BELOW,
  control: [...BELOW, ...MIDDLE],
  web: [...BELOW, "client"],
  load: [...BELOW, "config", "observe", "client", "deploy"],
  plan: ["kernel"],
  actors: [...BELOW, ...MIDDLE],
  gateway: [...BELOW, ...MIDDLE],
  roles: [...BELOW, ...MIDDLE, "client", "control", "actors", "gateway", "web", "load", "deploy"],
  main: [...BELOW, "config", "roles", "load", "plan", "deploy"],
};
/** The dashboard shows what the operator's API answers. */
const MAY_IMPORT_TYPES: Record<string, readonly string[]> = { web: ["control"] };

/** Which files may import which package; a package that is not here has no place in the product. */
const PACKAGES: Record<string, RegExp> = {
  nats: /^src\/(bus|journal)\/nats-/,
  ws: /^(gateway\/server|src\/client\/node-transport)\.ts$/,
  xstate: /(^|[/-])lifecycle\.ts$/,
  pino: /^src\/observe\/log\.ts$/,
  "prom-client": /^src\/observe\//,
  zod: /^(src\/config|src\/control|actors\/(event|worlds))\//,
  jose: /^(gateway\/(auth|dev-token)|src\/load\/dense\/tokens)\.ts$/,
  immer: /^actors\/room\//,
  "@msgpack/msgpack": /^src\/protocol\/msgpack\.ts$/,
  three: /^src\/web\//,
  esbuild: /^src\/web\/build\.ts$/,
};
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** Calls that have one home; everyone else goes through its port. */
const HOMES: readonly (readonly [call: RegExp, home: RegExp, instead: string])[] = [
  [/\bprocess\.env\b/g, /^src\/config\/load\.ts$/, "config/load.ts"],
  [
    /(?<![.\w])(setTimeout|setInterval|setImmediate)\s*\(/g,
    /^src\/(kernel|load|web)\//,
    "kernel/clock.ts",
  ],
  [
    /\b(Date\.now|performance\.now|process\.hrtime)\b|\bnew Date\(\)/g,
    /^src\/(kernel|load|web)\//,
    "kernel/clock.ts",
  ],
  [
    /\bMath\.random\b|\b(getRandomValues|randomBytes|randomUUID|randomInt)\s*\(/g,
    /^src\/(kernel|web)\//,
    "kernel/random.ts",
  ],
];

describe("who may import whom", () => {
  it("parts import only what stands below them", () => {
    expect(imports.length).toBeGreaterThan(100);
    tidy(
      imports.flatMap(({ from, line, file, typeOnly }) => {
        if (file === undefined) return [];
        const [part, other] = [partOf(from), partOf(file)];
        const allowed = MAY_IMPORT[part];
        if (!allowed) return [`${from} is of no known part`];
        if (part === other || allowed.includes(other)) return [];
        if (typeOnly && MAY_IMPORT_TYPES[part]?.includes(other)) return [];
        return [`${from}:${line} ${part} imports ${other} (${file})`];
      }),
    );
  });

  it("each package is imported only where it belongs", () => {
    tidy(
      imports.flatMap(({ from, line, file, specifier }) => {
        if (file !== undefined || specifier.startsWith("node:")) return [];
        const home = PACKAGES[packageOf(specifier)];
        return home?.test(from) ? [] : [`${from}:${line} imports ${specifier}`];
      }),
    );
  });

  it("an imported file is there, under the name it has", () => {
    tidy(
      imports.flatMap(({ from, line, file, specifier }) =>
        file === undefined || existsSync(path.join(ROOT, file))
          ? []
          : [`${from}:${line} ${specifier} is not there`],
      ),
    );
  });

  it("no file imports itself by way of others", () => {
    const graph = new Map<string, string[]>();
    for (const { from, file, typeOnly } of imports)
      if (file !== undefined && !typeOnly) graph.set(from, [...(graph.get(from) ?? []), file]);
    tidy(cyclesOf(graph));
  });

  it("time, timers, randomness and the environment have one home each", () => {
    tidy(
      HOMES.flatMap(([call, home, instead]) =>
        found(
          product.filter(({ file }) => !home.test(file)),
          call,
          "code",
        ).map((line) => `${line}: use ${instead}`),
      ),
    );
  });
});

/** One line for each import that closes a cycle. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    state.set(file, "open");
    trail.push(file);
    for (const next of graph.get(file) ?? []) {
      if (state.get(next) === "open")
        cycles.push([...trail.slice(trail.indexOf(next)), next].join(" -> "));
      else if (!state.has(next)) visit(next);
    }
    trail.pop();
    state.set(file, "done");
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file);
  return cycles;
}

describe("shape", () => {
  it("files have at most 400 lines, tests 600", () => {
    tidy(
      sources.flatMap(({ file, text }) => {
        const lines = text.trimEnd().split("\n").length;
        return lines > (file.startsWith("test/") ? 600 : 400) ? [`${file} has ${lines}`] : [];
      }),
    );
  });

  it("functions have at most 70 lines", () => {
    const spans = product.map(({ file, code }) => ({ file, spans: functionSpans(code) }));
    expect(spans.flatMap((each) => each.spans).length, "the scanner finds some").toBeGreaterThan(
      300,
    );
    tidy(
      spans.flatMap(({ file, spans }) =>
        spans
          .filter(({ lines }) => lines > 70)
          .map(({ line, lines }) => `${file}:${line} has ${lines}`),
      ),
    );
  });

  it("lines have at most 100 columns", () => {
    tidy(
      sources.flatMap(({ file, text }) =>
        text.split("\n").flatMap((line, i) => {
          const columns = [...line].length;
          // A string or an address stays in one piece: the formatter leaves such a line alone.
          const atom = /https?:\/\/\S{40}/.test(line) || isLongString(line);
          return columns > 100 && !atom ? [`${file}:${i + 1} has ${columns}`] : [];
        }),
      ),
    );
  });

  it("files are named in kebab-case, and none is a barrel", () => {
    tidy(
      allFiles.filter((file) => {
        const name = path.basename(file);
        if (!/\.m?ts$/.test(name)) return false;
        return !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|suite|chaos|config|d))*\.m?ts$/.test(name)
          ? true
          : name === "index.ts";
      }),
    );
  });
});

const isLongString = (line: string): boolean =>
  !/^\s*(\/\/|\*|\/\*)/.test(line) && /(["'`]).{30,}/.test(line);

describe("what is not written", () => {
  const word = (...parts: string[]): string => parts.join("");

  it("no type that gives up", () => {
    tidy(found(sources, /(:\s*|\bas\s+|<|\|\s*|,\s)any\b(?!\s*[:(])/g, "code"));
  });

  it("no unfinished work, no silenced compiler, no test that hides the others", () => {
    const unfinished = new RegExp(`\\b(${word("TO", "DO")}|${word("FIX", "ME")}|XXX|HACK)\\b`, "g");
    const silenced = new RegExp(
      `@ts-(${word("ig", "nore")}|expect-error|nocheck)|biome-ignore`,
      "g",
    );
    const only = /\b(describe|it|test)\.(only|todo)\b/g;
    const self = "test/tidy.test.ts";
    const others = sources.filter(({ file }) => file !== self);
    tidy([
      ...found(others, unfinished, "text"),
      ...found(others, silenced, "text"),
      ...found(others, only, "code"),
    ]);
  });

  it("no cast to an id or an epoch but where they are made", () => {
    const makers = ["src/kernel/ids.ts", "src/kernel/epoch.ts"];
    const brands = /\bas (unknown as )?(RoomId|WorldName|ProcessId|SessionId|PersonId|Epoch)\b/g;
    tidy(
      found(
        sources.filter(({ file }) => !makers.includes(file)),
        brands,
        "code",
      ),
    );
  });

  it("no enum, no console but where a program speaks to its user", () => {
    tidy(found(sources, /(?:^|\n)\s*(export\s+)?(const\s+)?enum\s+\w/g, "code"));
    const speakers = /^src\/(main\.ts$|roles\/|load\/|web\/|config\/)/;
    const silent = product.filter(({ file }) => !speakers.test(file));
    tidy(found(silent, /\bconsole\.\w+/g, "code"));
  });
});

describe("documents", () => {
  const documents = [...allFiles, ...rootFiles].filter((file) => file.endsWith(".md"));
  const specs = documents.filter((file) => /(^|[/-])SPEC\.md$/.test(file));
  const textOf = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");
  const rules = specs.flatMap((file) =>
    [...textOf(file).matchAll(/^- (?:\*\*)?([A-Z]{2,3}\d+)(?:\*\*)?\.? /gm)].map(([, id = ""]) => ({
      id,
      file,
    })),
  );
  const citations = sources
    .filter(({ file }) => file.startsWith("test/"))
    .flatMap(({ file, text, code }) =>
      [...text.matchAll(/\[([A-Z]{2,3}\d+)\]/g)]
        // In a title: inside a string, of which the blanked code shows nothing.
        .filter(({ index }) => code[index] === " " && !isComment(text, index))
        .map((match) => ({ id: match[1] ?? "", at: `${file}:${lineOf(text, match.index)}` })),
    );

  it("every rule has one place and at least one test", () => {
    expect(rules.length).toBeGreaterThan(40);
    const cited = new Set(citations.map(({ id }) => id));
    const seen = new Set<string>();
    const twice = rules.filter(({ id }) => seen.size === seen.add(id).size);
    const uncited = rules.filter(({ id }) => !cited.has(id));
    tidy([
      ...twice.map(({ id, file }) => `${id} is there twice, again in ${file}`),
      ...grouped(uncited).map((line) => `without a test: ${line}`),
    ]);
  });

  it("every rule that a test names exists", () => {
    const known = new Set(rules.map(({ id }) => id));
    tidy(citations.filter(({ id }) => !known.has(id)).map(({ id, at }) => `${at} names ${id}`));
  });

  it("every relative link leads somewhere", () => {
    tidy(
      documents.flatMap((file) =>
        [...textOf(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
          const target = decodeURIComponent(link.split("#")[0] ?? "");
          if (/^[a-z]+:/.test(link) || target === "") return [];
          const resolved = path.join(ROOT, path.dirname(file), target);
          return existsSync(resolved) ? [] : [`${file}: ${link}`];
        }),
      ),
    );
  });

  it("a lock file names versions and digests, not where to download from", () => {
    for (const file of ["package-lock.json", "test/bench/peers/package-lock.json"]) {
      const lock = readFileSync(path.join(ROOT, file), "utf8");
      expect(JSON.parse(lock).lockfileVersion).toBeGreaterThanOrEqual(3);
      tidy([...lock.matchAll(/"resolved": ".*"/g)].map(([line]) => `${file} ${line}`).slice(0, 20));
    }
  });
});

/** One line a file: `gateway/SPEC.md GW1 GW7`. */
function grouped(entries: readonly { readonly id: string; readonly file: string }[]): string[] {
  const files = new Map<string, string[]>();
  for (const { id, file } of entries) files.set(file, [...(files.get(file) ?? []), id]);
  return [...files].map(([file, ids]) => `${file} ${ids.join(" ")}`);
}

function isComment(text: string, index: number): boolean {
  const start = text.lastIndexOf("\n", index) + 1;
  return /^\s*(\/\/|\*|\/\*)/.test(text.slice(start, index));
}
