import type { Coefficients } from "./cost-model.ts";

/** Written by `npm run bench:plan -- --write`; nothing in here is set by hand. */
export const COEFFICIENTS: Coefficients = {
  source: {
    command: "npm run bench:plan -- --seconds 24 --scale 0.6 --write",
    machine: "2 × AMD EPYC, Node v20.20.2",
    date: "2026-11-26",
    floorUs: 9.83,
    most: {
      users: 2_400,
      usersPerGateway: 1_200,
      framesPerS: 18_011,
      joinsPerS: 239,
      commandsPerS: 120,
    },
    runs: 9,
  },
  us: {
    gateway: {
      frame: 13.83,
      pose: 25.69,
      tick: 67.73,
      command: 471.6,
      join: 3_070,
      connection: 0,
      process: 40_410,
    },
    node: {
      tick: 420.6,
      row: 6.352,
      message: 0,
      command: 948.8,
      join: 1_123,
      process: 22_650,
    },
    nats: {
      batch: 65.12,
      record: 168.2,
      process: 39_820,
    },
    placement: {
      join: 30.28,
      process: 19_710,
    },
  },
  windows: {
    gateway: {
      frame: 18,
      pose: 18,
      tick: 18,
      command: 4,
      join: 9,
      connection: 18,
      process: 18,
    },
    node: {
      tick: 18,
      row: 18,
      message: 18,
      command: 4,
      join: 9,
      process: 18,
    },
    nats: {
      batch: 18,
      record: 11,
      process: 18,
    },
    placement: {
      join: 9,
      process: 18,
    },
  },
  bytes: {
    process: {
      gateway: 116_416_582,
      node: 130_371_273,
      nats: 27_768_025,
      placement: 67_267_297,
    },
    person: {
      gateway: 9_779,
      node: 2_176,
      nats: 966,
      placement: 0,
    },
    kernelConnection: 4_258,
  },
  checks: [
    {
      name: "1440 people, 10 Hz, 40 % moving, shards of 120",
      frameBytes: {
        predicted: 858,
        measured: 785,
      },
      beyond: false,
      cores: {
        gateway: {
          predicted: 0.4499,
          measured: 0.4573,
        },
        node: {
          predicted: 0.1435,
          measured: 0.1472,
        },
        nats: {
          predicted: 0.06966,
          measured: 0.09063,
        },
        placement: {
          predicted: 0.01971,
          measured: 0.01746,
        },
      },
    },
    {
      name: "3600 people, 5 Hz, 30 % moving, shards of 200",
      frameBytes: {
        predicted: 1_104,
        measured: 920,
      },
      beyond: true,
      cores: {
        gateway: {
          predicted: 0.5097,
          measured: 0.5664,
        },
        node: {
          predicted: 0.1339,
          measured: 0.1233,
        },
        nats: {
          predicted: 0.06508,
          measured: 0.06425,
        },
        placement: {
          predicted: 0.01971,
          measured: 0.01895,
        },
      },
    },
  ],
};
