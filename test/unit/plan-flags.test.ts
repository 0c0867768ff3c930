import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { PLAN_HELP, PLAN_OPTIONS, type PlanValues, readPlanFlags } from "../../src/plan/flags.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const LOADER = ["--import", import.meta.resolve("tsx")];

/** What `roomcluster plan` says, and how it ends. */
async function plan(...args: readonly string[]) {
  const command = [...LOADER, MAIN, "plan", ...args];
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, command)) };
  } catch (error) {
    return error as { readonly code: number; readonly stdout: string; readonly stderr: string };
  }
}

describe("the command line of a plan", () => {
  it("[PN17] only --users has no default", () => {
    expect(readPlanFlags({})).toEqual({ ok: false, error: "a plan needs --users N." });
    const flags = readPlanFlags({ users: "90000" });
    expect(flags).toMatchObject({
      value: { hz: 10, moveHz: 10, roomSize: 200, joinsPerS: 300, headroom: 0.6, natsServers: 3 },
    });
    expect(readPlanFlags({ users: "1", hz: "5" })).toMatchObject({ value: { moveHz: 5 } });
  });

  const WRONG: readonly (readonly [keyof PlanValues, string])[] = [
    ["users", "0"],
    ["users", "1.5"],
    ["users", "1e9"],
    ["users", ""],
    ["users", "many"],
    ["hz", "3"],
    ["hz", " "],
    ["moving", "1.1"],
    ["move-hz", "0"],
    ["room-size", "4097"],
    ["frame-bytes", "-1"],
    ["joins-per-second", "NaN"],
    ["headroom", "1"],
    ["spare", "-1"],
    ["zones", "0"],
    ["nats-servers", "2"],
    ["open-files", "100"],
    ["floor-us", "0"],
    ["arm64-speed", "0"],
    ["x64-price", "-0.1"],
    ["egress-price", "Infinity"],
  ];
  it.each(WRONG)("[PN17] --%s is not %j, and one sentence says so", (name, text) => {
    const flags = readPlanFlags({ users: "1000", [name]: text });
    const error = flags.ok ? "" : flags.error;
    expect(error).toMatch(new RegExp(`^--${name} is .*, not ${JSON.stringify(text)}\\.$`));
  });

  it("[PN17] the help has every option", () => {
    for (const name of Object.keys(PLAN_OPTIONS)) expect(PLAN_HELP).toContain(`--${name}`);
  });

  it("[PN17] ends as the other commands do", { timeout: 60_000 }, async () => {
    const [wrong, unknown, help, json] = await Promise.all([
      plan("--users", "1000", "--moving", "2"),
      plan("--user", "1000"),
      plan("--help"),
      plan("--users", "1000", "--json"),
    ]);
    expect(wrong).toMatchObject({
      code: 2,
      stdout: "",
      stderr: 'roomcluster: --moving is a number from 0 to 1, not "2".\n',
    });
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/^roomcluster: Unknown option '--user'.*\n$/);
    expect(help).toMatchObject({ code: 0, stdout: PLAN_HELP });
    expect(JSON.parse(json.stdout)).toMatchObject({ flags: { users: 1_000 } });
  });
});
