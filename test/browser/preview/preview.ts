import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { readStaticFiles, serveStatic } from "../../../src/control/static-files.ts";
import { buildWeb } from "../../../src/web/build.ts";

/** `npx tsx test/browser/preview/preview.ts [port]`: the page with a room of its own behind it. */
const ROOM = fileURLToPath(new URL("./preview-room.ts", import.meta.url));
const OUT = fileURLToPath(new URL("../../../.cache/preview", import.meta.url));

const withoutCluster: Plugin = {
  name: "without-cluster",
  setup(build) {
    build.onResolve({ filter: /client\/client\.ts$/ }, () => ({ path: ROOM }));
  },
};

const node = (n: number, state: string, rooms: number, load: number) => ({
  id: `n${n}.abc`,
  name: `n${n}`,
  state,
  rooms,
  sessions: rooms * 6,
  load,
  capacity: 1,
  arch: n === 2 ? "arm64" : "x64",
  zone: n === 2 ? "b" : "a",
  version: "0.1.0",
  pid: 4711 + n,
  host: "h",
  draining: false,
});
const answers: Record<string, unknown> = {
  "/demo/config.json": {
    gateways: ["ws://127.0.0.1:1/"],
    tokenUrl: "/dev/token",
    room: "plaza",
    dev: true,
  },
  "/v1/nodes": {
    nodes: [node(1, "alive", 2, 0.12), node(2, "alive", 1, 0.34), node(3, "suspect", 0, 0.02)],
    gateways: [
      { id: "g1.abc", url: "ws://127.0.0.1:1/" },
      { id: "g2.def", url: "ws://127.0.0.1:2/" },
    ],
    placements: [{ id: "p1.a" }],
  },
  "/v1/rooms/demo/plaza": { room: "demo/plaza", owner: "n2.abc", epoch: 412, status: "wanted" },
};

async function files() {
  await buildWeb(OUT, { plugins: [withoutCluster] });
  return readStaticFiles(OUT);
}

const built = await files();
const server = createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://preview").pathname;
  const json = answers[path];
  if (json !== undefined) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(json));
    return;
  }
  const asked = { path, method: "GET", headers: {} } as Parameters<typeof serveStatic>[1];
  const answer = serveStatic(built, asked, []);
  response.writeHead(answer?.status ?? 404, answer?.headers as Record<string, string>);
  response.end(answer?.body);
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
