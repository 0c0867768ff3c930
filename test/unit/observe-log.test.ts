import { describe, expect, test } from "vitest";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { createLog, prettyLine } from "../../src/observe/log.ts";
import type { Log } from "../../src/observe/observer.ts";

function logTo(lines: string[], options: { level?: "debug" | "info"; pretty?: boolean } = {}): Log {
  return createLog({
    level: options.level ?? "info",
    who: { role: "node", process: "node-1.0123456789abcdef" },
    clock: new ManualClock(1_700_000_000_000),
    pretty: options.pretty ?? false,
    write: (line) => lines.push(line),
  });
}

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwZXJzb24ifQ.c2lnbmF0dXJl";

describe("log lines", () => {
  test("are one JSON object each, with who, when, level and the sentence", () => {
    const lines: string[] = [];
    logTo(lines).warn({ room: "t/plaza" }, "The room 100% %s moved.");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("\n")).toBe(true);
    expect(JSON.parse(lines[0] as string)).toEqual({
      level: "warn",
      time: "2023-11-14T22:13:20.000Z",
      role: "node",
      process: "node-1.0123456789abcdef",
      room: "t/plaza",
      msg: "The room 100% %s moved.",
    });
  });

  test("below the level are not written", () => {
    const lines: string[] = [];
    logTo(lines).debug({}, "Nobody asked.");
    expect(lines).toEqual([]);
    logTo(lines, { level: "debug" }).debug({}, "Somebody asked.");
    expect(lines).toHaveLength(1);
  });

  test.each([
    ["a password", { password: "hunter2hunter2" }],
    ["a nested one", { nats: { users: [{ natsPassword: "hunter2hunter2" }] } }],
    ["a header", { headers: { Authorization: "Bearer hunter2hunter2" } }],
    ["an object of secrets", { sessionSecrets: { current: "hunter2hunter2" } }],
    ["secret bytes", { signingSecret: Buffer.from("hunter2hunter2") }],
    ["a map", { login: new Map([["token", "hunter2hunter2"]]) }],
    ["a URL's login", { url: "nats://user:hunter2hunter2@127.0.0.1:4222" }],
    ["an error's message", { error: new Error("refused nats://u:hunter2hunter2@h") }],
    ["an error's cause", { error: new Error("x", { cause: { apiToken: "hunter2hunter2" } }) }],
    ["a token in a text", { text: `join failed with ${JWT.replace("c2ln", "hunter2hunter2")}` }],
  ])("hide %s", (_, fields) => {
    for (const pretty of [false, true]) {
      const lines: string[] = [];
      logTo(lines, { pretty }).info(fields, "Something happened.");
      expect(lines[0]).toContain("[redacted]");
      expect(lines[0]).not.toContain("hunter2");
    }
  });

  test("keep what only sounds secret", () => {
    const lines: string[] = [];
    logTo(lines).info(
      { tokenUrl: "http://h/token", tokenMsMax: 5, tokens: 3, secretSet: true },
      ".",
    );
    expect(lines[0]).not.toContain("[redacted]");
  });

  test("stay bounded and never fail, whatever they are given", () => {
    const lines: string[] = [];
    const circle: Record<string, unknown> = {
      text: "x".repeat(100_000),
      list: Array(10_000).fill(1),
    };
    circle.self = circle;
    circle.big = 10n;
    circle.rows = new Float32Array(100_000);
    for (let i = 0; i < 1000; i += 1) circle[`key${i}`] = i;
    logTo(lines).info(circle, "Too much.");
    expect(lines[0]?.length).toBeLessThan(40_000);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ rows: "<400000 bytes>", big: "10" });
  });

  test("carry an error's name, message, stack and cause", () => {
    const lines: string[] = [];
    const cause = Object.assign(new Error("inner"), { code: "ECONNREFUSED" });
    logTo(lines).error({ error: new TypeError("outer", { cause }) }, "It failed.");
    const { error } = JSON.parse(lines[0] as string) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ name: "TypeError", message: "outer" });
    expect(error.stack).toContain("observe-log.test.ts");
    expect(error.cause).toMatchObject({ message: "inner", code: "ECONNREFUSED" });
  });
});

describe("readable lines", () => {
  test("show time, level, process, sentence and fields", () => {
    const lines: string[] = [];
    logTo(lines, { pretty: true }).info({ rooms: 3 }, "The node serves.");
    expect(lines).toEqual(['22:13:20.000 info  node-1       The node serves.  {"rooms":3}\n']);
  });

  test("put a stack on lines of its own", () => {
    const lines: string[] = [];
    logTo(lines, { pretty: true }).error({ error: new Error("planted") }, "It failed.");
    expect(lines[0]).toMatch(/It failed\.\nError: planted\n +at /);
  });

  test.each(["plain text\n", "{broken\n", '{"no":"message"}\n', "\n"])("pass %j on", (line) => {
    expect(prettyLine(line)).toBe(line);
  });
});
