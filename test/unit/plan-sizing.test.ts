import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROCESSES_MAX, sizingOf, withSpare } from "../../src/plan/sizing.ts";
import { flagsOf, ROUND, roleFor, sizingFor } from "../support/plan-rig.ts";

describe("how many processes", () => {
  it("[PN5] cores are counts times µs, added up", () => {
    const { cores, terms } = roleFor("gateway", { users: "2000", "joins-per-second": "100" });
    const of = (term: string) => terms.find((one) => one.term === term)?.cores;
    expect(of("frame")).toBeCloseTo(20_000 * 20e-6, 12);
    expect(of("pose")).toBeCloseTo(2_000 * (0.3 * 10 + 0.7 * 0.5) * 10e-6, 12);
    expect(of("join")).toBeCloseTo(100 * 1_000e-6, 12);
    expect(cores).toBeCloseTo(
      terms.reduce((sum, one) => sum + one.cores, 0),
      12,
    );
  });

  it("[PN5] a machine whose floor is twice as high takes twice as long", () => {
    const one = sizingFor({ users: "1000", spare: "0" });
    const two = sizingFor({ users: "1000", spare: "0" }, ROUND, 2);
    expect(two.roles.gateway.terms[0]?.us).toBe(2 * (one.roles.gateway.terms[0]?.us ?? 0));
    // NATS stays as many servers, so that all of it is twice what it was.
    expect(two.roles.nats.cores).toBeGreaterThan(one.roles.nats.cores * 1.9);
  });

  it("[PN6] processes are filled to the headroom", () => {
    const values = { users: "20000", spare: "0" };
    const { byCores, cores, processes } = roleFor("gateway", { ...values, headroom: "0.5" });
    expect(byCores).toBe(Math.ceil(cores / 0.5));
    expect(processes).toBe(byCores);
    const fuller = roleFor("gateway", { ...values, headroom: "0.9" });
    expect(fuller.processes).toBeLessThan(processes);
  });

  it("[PN6] few open files, or many small rooms, ask for more", () => {
    const few = roleFor("gateway", { users: "10000", hz: "1", "open-files": "756", spare: "0" });
    expect(few).toMatchObject({ byLimit: 20, limit: "500 sockets each", needed: 20 });
    expect(few.byCores).toBeLessThan(20);
    const small = roleFor("node", { users: "10000", "room-size": "1", hz: "1", spare: "0" });
    expect(small).toMatchObject({ byLimit: 5, limit: "2,000 rooms each" });
  });

  it("[PN7] as many are counted as come out", () => {
    const sizes = fc.integer({ min: 1, max: 500_000 });
    fc.assert(
      fc.property(sizes, fc.constantFrom("1", "5", "20"), (users, hz) => {
        const { counts, roles } = sizingFor({ users: String(users), hz });
        expect(counts.gateway.process).toBe(roles.gateway.processes);
        expect(counts.node.process).toBe(roles.node.processes);
      }),
      { numRuns: 50 },
    );
  });

  it("[PN7] more than there can be are refused in a sentence", () => {
    const sizing = sizingOf(flagsOf({ users: "10000000", hz: "20" }), ROUND, 50);
    expect(sizing).toEqual({
      ok: false,
      error: `that takes more than ${PROCESSES_MAX} processes of one role.`,
    });
  });

  it("[PN8] what is left when some are lost is enough, and zones are equal", () => {
    const numbers = fc.record({
      needed: fc.integer({ min: 1, max: 1_000 }),
      spare: fc.integer({ min: 0, max: 20 }),
      zones: fc.integer({ min: 1, max: 16 }),
    });
    fc.assert(
      fc.property(numbers, ({ needed, spare, zones }) => {
        const all = withSpare(needed, spare, zones);
        expect(all - spare).toBeGreaterThanOrEqual(needed);
        expect(all % zones).toBe(0);
        if (zones > 1) expect(all - all / zones).toBeGreaterThanOrEqual(needed);
        // One less in each zone would not be.
        const less = all - zones;
        const enough = less - spare >= needed && (zones === 1 || less - less / zones >= needed);
        expect(enough).toBe(false);
      }),
    );
  });

  it("[PN8] two of three NATS servers have cores for all of it", () => {
    const dear = { ...ROUND, us: { ...ROUND.us, nats: { ...ROUND.us.nats, batch: 500 } } };
    const { nats } = sizingFor({ users: "50000", "nats-servers": "3" }, dear).roles;
    expect(nats.processes).toBe(3);
    expect(nats.cores).toBeGreaterThan(1);
    expect(nats.coresEach).toBe(Math.ceil(nats.cores / 2 / 0.6));
    const alone = sizingFor({ users: "50000", "nats-servers": "1" }, dear).roles.nats;
    expect(alone.coresEach).toBe(Math.ceil(alone.cores / 0.6));
  });

  it("[PN9] joins come on top of everybody who is there", () => {
    const without = roleFor("node", { users: "20000", "joins-per-second": "0", spare: "0" });
    const during = roleFor("node", { users: "20000", "joins-per-second": "1000", spare: "0" });
    // 0.5 cores for them, and what the processes cost that they ask for.
    const more = during.cores - without.cores;
    const processes = (during.processes - without.processes) * 0.02;
    expect(more).toBeCloseTo(1_000 * 500e-6 + processes, 9);
  });

  it("[PN10] memory is for those who come when others are lost", () => {
    const { bytesEach, needed } = roleFor("gateway", { users: "20000", spare: "3" });
    expect(bytesEach).toBe(100e6 + (20_000 / needed) * 15_000);
    expect(roleFor("placement", { users: "20000" }).bytesEach).toBe(80e6);
  });
});
