// How numbers, money and times are written.

const DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 2 });
const WHOLE_DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const NUMBERS = new Intl.NumberFormat("en-US");
const STEPS: readonly [number, string][] = [
  [60, "s"],
  [60, "min"],
  [24, "h"],
  [Number.POSITIVE_INFINITY, "d"],
];

export function dollars(amount: number): string {
  return (Math.abs(amount) >= 1_000 ? WHOLE_DOLLARS : DOLLARS).format(amount);
}

export function number(count: number): string {
  return NUMBERS.format(count);
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`;
}

/** How long ago, in one unit: "3 min". */
export function ago(then: Date, now: Date): string {
  let amount = Math.max(0, (now.getTime() - then.getTime()) / 1_000);
  for (const [size, unit] of STEPS) {
    if (amount < size) return `${Math.floor(amount)} ${unit}`;
    amount /= size;
  }
  return "";
}

/** A time in the reader's own zone. */
export function local(then: Date): string {
  return then.toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

/** The same in UTC, for who hovers. */
export function utc(then: Date): string {
  return `${then.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
