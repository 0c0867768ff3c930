import { err, ok, type Result } from "../kernel/result.ts";
import type { Coefficients } from "./cost-model.ts";
import { type Egress, egressOf } from "./egress.ts";
import { ARCHS, type Arch, type PlanFlags } from "./flags.ts";
import { remarksOf } from "./remarks.ts";
import { type Sizing, sizingOf } from "./sizing.ts";

/** Null where nobody named the price: that is no cost of nothing. */
export interface Bill {
  readonly coresPerHour: number | null;
  readonly egressPerHour: number | null;
  readonly perHour: number | null;
  readonly perHourPer1000: number | null;
}

export interface ArchPlan {
  readonly sizing: Sizing;
  readonly bill: Bill;
}

export interface Plan {
  readonly flags: PlanFlags;
  readonly egress: Egress;
  readonly byArch: Readonly<Record<Arch, ArchPlan>>;
  /** What binds, and what one has to know to believe it, a sentence each. */
  readonly limits: readonly string[];
  readonly cautions: readonly string[];
  readonly coefficients: Coefficients;
}

/** What so many people need and what that costs; a sentence where no processes would do. */
export function planOf(flags: PlanFlags, coefficients: Coefficients): Result<Plan, string> {
  const egress = egressOf(flags);
  const slowness = (flags.floorUs ?? coefficients.source.floorUs) / coefficients.source.floorUs;
  const x64 = sizingOf(flags, coefficients, slowness);
  if (!x64.ok) return err(x64.error);
  const arm64 = sizingOf(flags, coefficients, slowness / flags.armSpeed);
  if (!arm64.ok) return err(arm64.error);
  const sizings = { x64: x64.value, arm64: arm64.value };
  const byArch = Object.fromEntries(
    ARCHS.map((arch) => [
      arch,
      { sizing: sizings[arch], bill: billOf(flags, egress, arch, sizings[arch]) },
    ]),
  ) as Record<Arch, ArchPlan>;
  const { cautions, limits } = remarksOf({ flags, egress, sizings, coefficients });
  return ok({ flags, egress, byArch, limits, cautions, coefficients });
}

function billOf(flags: PlanFlags, egress: Egress, arch: Arch, sizing: Sizing): Bill {
  const price = flags.prices[arch];
  const coresPerHour = price === undefined ? null : sizing.coresBought * price;
  const { egressPrice } = flags;
  const egressPerHour = egressPrice === undefined ? null : egress.gbPerHour * egressPrice;
  const perHour =
    coresPerHour === null || egressPerHour === null ? null : coresPerHour + egressPerHour;
  const perHourPer1000 = perHour === null ? null : (perHour / flags.users) * 1_000;
  return { coresPerHour, egressPerHour, perHour, perHourPer1000 };
}
