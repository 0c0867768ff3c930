import type { SwarmPlan } from "../../src/load/dense/swarm.ts";

/** Some people who stand about, at the one gateway of this address. */
export function swarmPlan(url: string, over: Partial<SwarmPlan> = {}): SwarmPlan {
  const { hostname, port } = new URL(url);
  return {
    run: "test",
    seed: 1,
    share: { of: 1, places: [0] },
    clients: 1,
    gateways: [{ name: hostname, host: hostname, port: Number(port), secure: false }],
    local: true,
    sources: [],
    clientsPerSource: 1,
    tenant: "demo",
    rooms: ["hall"],
    roomSize: 0,
    byRoom: false,
    tokens: { kind: "secret", secret: "a secret that nobody checks" },
    joinsPerSecond: 1_000,
    joinsAtOnce: 400,
    returns: false,
    area: { x: 0, z: 0, radiusM: 30, gather: { x: 0, z: 0, radiusM: 5 } },
    mix: { movingShare: 0, movingMs: 100, standingMs: 4_000 },
    beaconShare: 0,
    decodeShare: 0,
    saysPerMinute: 0,
    stage: null,
    promise: {
      focusM: 8,
      farFrames: 20,
      frameBytesPerSecond: 9_600,
      movingMs: 100,
      slackFrames: 10,
    },
    ...over,
  };
}
