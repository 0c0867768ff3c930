import { expect, test } from "vitest";
import { announcement } from "../../src/roles/cluster.ts";

const flags = { nodes: 1, gateways: 1, bots: 2, port: 0, quiet: true, worlds: [], origins: [] };
const control = "http://127.0.0.1:7070";
const cluster = { control, gateways: ["ws://127.0.0.1:7071"], processes: () => [] };

test("[CO49] a cluster without a page does not mention one", () => {
  const nats = "nats://127.0.0.1:4222";
  const said = announcement({ ...cluster, nats, demo: null, show: null }, flags);
  expect(said).not.toMatch(/page|plaza|concert/i);
  expect(said).toContain("Kill a node by its pid; Ctrl-C ends all.");
  const demo = announcement({ ...cluster, nats, demo: `${control}/`, show: null }, flags);
  expect(demo).toContain(`The plaza      ${control}/`);
  expect(demo).toContain("Kill a node in the page or by its pid; ");
});

test("its last line is for a machine", () => {
  const said = announcement({ ...cluster, nats: null, demo: null, show: null }, flags);
  const last = said.trimEnd().split("\n").at(-1) ?? "";
  expect(JSON.parse(last.replace(/^ready /, ""))).toMatchObject({ control, demo: null });
});
