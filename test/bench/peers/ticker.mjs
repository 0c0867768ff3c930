/**
 * Calls `tick` every `ms`, first after `phaseMs`. Unlike setInterval, which starts each wait when
 * it got round to the last call, it does not fall behind; a tick that is late by more than one
 * period is left out.
 */
export function everyTick(ms, phaseMs, tick) {
  let dueMs = performance.now() + phaseMs;
  const run = () => {
    tick();
    const nowMs = performance.now();
    dueMs += ms;
    if (dueMs < nowMs) dueMs += Math.floor((nowMs - dueMs) / ms) * ms;
    setTimeout(run, Math.max(0, dueMs - nowMs));
  };
  setTimeout(run, phaseMs);
}
