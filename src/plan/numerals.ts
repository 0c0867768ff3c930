/** 12,345: a whole number, for people. */
export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** As many digits as say something. */
export function figure(value: number): string {
  if (value >= 1_000 || Number.isInteger(value)) return count(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function bytes(value: number): string {
  const MIB = 1024 * 1024;
  return value >= 1024 * MIB
    ? `${(value / 1024 / MIB).toFixed(1)} GiB`
    : `${count(value / MIB)} MiB`;
}
