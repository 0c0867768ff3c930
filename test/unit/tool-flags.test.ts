import { describe, expect, it } from "vitest";
import { readFlags, usageOf } from "../support/tool-flags.ts";

const FLAGS = {
  seeds: { type: "string", default: "200", least: 1, whole: true },
  share: { type: "string", default: "0.5", least: 0 },
  json: { type: "string" },
  trace: { type: "boolean", default: false },
} as const;

describe("a tool's flags", () => {
  it("are read as they were given", () => {
    const read = readFlags(FLAGS, ["--seeds", "7", "--share=0.25", "--trace", "--json", "f"]);
    expect(read).toMatchObject({ value: { seeds: "7", share: "0.25", trace: true, json: "f" } });
    expect(readFlags(FLAGS, [])).toMatchObject({ value: { seeds: "200", trace: false } });
  });

  it.each([
    [["--bogus"], "Unknown option '--bogus'."],
    [["nope"], "Unexpected argument 'nope'."],
    [["--seeds"], "Option '--seeds <value>' argument missing."],
    [["--seeds", "abc"], '--seeds is a whole number of at least 1, not "abc".'],
    [["--seeds", "0"], '--seeds is a whole number of at least 1, not "0".'],
    [["--seeds", "1.5"], '--seeds is a whole number of at least 1, not "1.5".'],
    [["--seeds", "1e3"], '--seeds is a whole number of at least 1, not "1e3".'],
    [["--seeds", ""], '--seeds is a whole number of at least 1, not "".'],
    [["--share=-1"], '--share is a number of at least 0, not "-1".'],
    [["--share", "Infinity"], '--share is a number of at least 0, not "Infinity".'],
  ])("%j are none: %s", (args, sentence) => {
    const read = readFlags(FLAGS, args);
    expect(read.ok ? "" : read.error).toContain(sentence.slice(0, -1));
    expect(read.ok ? "" : read.error.split("\n")).toHaveLength(1);
  });

  it("are listed with what they usually are", () => {
    expect(usageOf(FLAGS)).toBe("Flags: [--seeds 200] [--share 0.5] [--json …] [--trace]");
  });
});
