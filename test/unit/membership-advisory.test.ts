import { expect, test } from "vitest";
import { processId } from "../../src/kernel/ids.ts";
import { disconnectOf } from "../../src/membership/advisory.ts";
import { livenessConnection } from "../../src/protocol/subjects.ts";

const N1 = processId("n1.0000000000000001");
const advisory = (name: unknown, reason: string): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ client: { acc: "CTRL", name }, reason }));

test("[MS5] only the end of a liveness connection is a report", () => {
  expect(disconnectOf(advisory(livenessConnection(N1), "Client Closed"))).toBe(N1);
  expect(disconnectOf(advisory(`control:${N1}`, "Client Closed"))).toBeUndefined();
  expect(disconnectOf(advisory("live:not a process", "Client Closed"))).toBeUndefined();
  expect(disconnectOf(advisory(7, "Client Closed"))).toBeUndefined();
});

test("[MS5] a connection that its server sent away is no report", () => {
  expect(disconnectOf(advisory(livenessConnection(N1), "Server Shutdown"))).toBeUndefined();
});

test.each(["", "{", "null", "[]", '{"client":null}', "7"])("[MS5] %j is no report", (text) => {
  expect(disconnectOf(new TextEncoder().encode(text))).toBeUndefined();
});
