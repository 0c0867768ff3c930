import { randomBelow } from "../../src/kernel/random.ts";
import type { Fleet } from "./fleet.ts";
import type { SimClient } from "./sim-client.ts";

/** Ten names, of which a room takes eight: some commands are refused. */
const KEYS = 10;
const COMMAND_MS = { min: 1_600, max: 5_000 };
const MOVE_MS = 4_000;
const WAVE_MS = 3_000;
const OPEN_MAX = 3;
const PAIRS = 0.2;

/** People who walk about and give commands, whatever happens. */
export function animate(fleet: Fleet, untilMs: number): void {
  const { time } = fleet;
  const act = (client: SimClient): void => {
    if (time.now > untilMs) return;
    const { random } = client;
    if (client.open < OPEN_MAX) command(client);
    // Sometimes two in a row, of which the second may come first.
    if (random.next() < PAIRS) time.in(15, () => command(client));
    time.in(COMMAND_MS.min + random.next() * (COMMAND_MS.max - COMMAND_MS.min), () => act(client));
  };
  const move = (client: SimClient, stopMs: number): void => {
    if (time.now > stopMs) return;
    client.move();
    time.in(MOVE_MS, () => move(client, stopMs));
  };
  const wave = (client: SimClient): void => {
    if (time.now > untilMs) return;
    client.wave();
    time.in(WAVE_MS, () => wave(client));
  };
  const seen = new Set<SimClient>();
  const look = (): void => {
    for (const client of fleet.clients) {
      if (seen.has(client)) continue;
      seen.add(client);
      act(client);
      // Some stand still long before the end, through all that happens then.
      move(client, untilMs * (0.3 + 0.7 * client.random.next()));
      wave(client);
    }
    if (time.now < untilMs) time.in(500, look);
  };
  time.in(2_000, look);
}

export function command(client: SimClient): void {
  const { random } = client;
  const key = `k${randomBelow(random, KEYS)}`;
  const value = randomBelow(random, 1_000);
  const draw = random.next();
  if (draw < 0.3) client.act("put", { key, value });
  else if (draw < 0.55) client.act("add", { key, n: 1 + randomBelow(random, 9) });
  else if (draw < 0.75) client.act("get", { key });
  else if (draw < 0.9) {
    // What this client believes to be there: mostly right, sometimes overtaken.
    const expected = client.room?.state.values[key] ?? null;
    client.act("swap", { key, expected, value });
  } else client.act("say", { text: `${client.name} ${value}` });
}
