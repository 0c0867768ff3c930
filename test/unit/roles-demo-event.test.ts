import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { audienceOf } from "../../src/roles/cluster-plan.ts";
import { openDemoEvent } from "../../src/roles/demo-event.ts";

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** An operator's API that answers with these statuses, one after the other. */
async function api(...statuses: number[]): Promise<{ control: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => {
      text += part.toString();
    });
    request.on("end", () => {
      const { authorization } = request.headers;
      asked.push({ path: request.url ?? "", authorization, body: JSON.parse(text) });
      response.writeHead(statuses.shift() ?? 500).end("{}");
    });
  });
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  ends.push(() => server.close());
  return { control: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe("the demo's event", () => {
  it("is made and opened, with the operator's token where there is one", async () => {
    const { asked, control } = await api(201, 200);
    expect(await openDemoEvent({ control, token: "secret" })).toBe(true);
    expect(asked).toMatchObject([
      { path: "/v1/events", body: { event: "demo/show", world: "concert" } },
      { path: "/v1/events/demo/show/phase", body: { phase: "live" } },
    ]);
    expect(asked.map(({ authorization }) => authorization)).toEqual(
      Array.from({ length: 2 }, () => "Bearer secret"),
    );
  });

  it("stays over where an operator has closed it or let it end", async () => {
    const closed = await api(409);
    expect(await openDemoEvent({ control: closed.control, token: undefined })).toBe(false);
    expect(closed.asked).toHaveLength(1);
    const ending = await api(200, 409);
    expect(await openDemoEvent({ control: ending.control, token: undefined })).toBe(false);
  });

  it("is tried again where no node hosts it yet", async () => {
    const { control } = await api(503);
    await expect(openDemoEvent({ control, token: undefined })).rejects.toThrow("503");
  });

  it("has as many bots as the room, and no crowd of them", () => {
    expect([0, 4, 20, 30, 10_000].map(audienceOf)).toEqual([0, 4, 20, 20, 20]);
  });
});
